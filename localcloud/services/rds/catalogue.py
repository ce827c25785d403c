"""Which engines, versions, classes and certificates there are: what is asked before a creation."""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from moto.core.responses import ActionResult, PaginatedResult
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.rds.models import RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.hooks import addition, hook
from localcloud.services.base import Service
from localcloud.services.rds.databases import AUTHORITY, Databases
from localcloud.services.rds.parameters import FAMILY
from localcloud.services.rds.refusals import FAMILIES, matches, unsupported
from localcloud.settings import REGION

STORAGE = {"gp2": False, "gp3": True, "io1": True, "io2": True}
"""Storage types, and whether IOPS can be asked for."""


class Catalogue(Service):
    """What RDS offers, as far as this local cloud makes it."""

    @addition(RDSResponse, "describe_db_engine_versions", "self")
    def engine_versions(self, response):
        """moto has no answer. There is one version: the one that the hosts' image has."""
        version = self.cloud.service(Databases).version()
        asked = response.params
        there = (
            asked.get("Engine") in (None, "postgres")
            and matches(str(asked.get("EngineVersion") or version), version)
            and asked.get("DBParameterGroupFamily") in (None, FAMILY)
        )
        return ActionResult({"DBEngineVersions": [engine_version(version)] if there else []})

    @addition(RDSResponse, "describe_certificates", "self")
    def certificates(self, response):
        """The authority that signs every database's certificate here."""
        asked = response.params.get("CertificateIdentifier")
        found = [certificate(self.cloud.service(Databases).authority.root())]
        return ActionResult(
            {
                "DefaultCertificateForNewLaunches": AUTHORITY,
                "Certificates": [
                    each for each in found if asked in (None, each["CertificateIdentifier"])
                ],
            }
        )

    @hook(RDSResponse, "describe_orderable_db_instance_options", "self")
    def orderable(self, original, response):
        """moto knows none of PostgreSQL, and answers every class whichever is asked for."""
        version = self.cloud.service(Databases).version()
        asked = response.params
        there = asked.get("Engine") == "postgres" and matches(
            str(asked.get("EngineVersion") or version), version
        )
        wanted = asked.get("DBInstanceClass")
        names = [name for name in classes() if wanted in (None, name)] if there else []
        zones = [each.name for each in self.cloud.backend("ec2").describe_availability_zones()]
        options = [option(name, version, zones, storage) for name in names for storage in STORAGE]
        return PaginatedResult({"OrderableDBInstanceOptions": options})

    @hook(RDSBackend, "create_db_instance_read_replica", "self, db_kwargs")
    def no_replica(self, original, backend, db_kwargs):
        """moto's is another name for the primary: deleting it would take the primary away."""
        raise unsupported("read replicas")

    @hook(RDSBackend, "create_db_cluster", "self, kwargs")
    def no_cluster(self, original, backend, kwargs):
        raise unsupported("Aurora and no DB clusters")


def classes() -> list[str]:
    """DB instance classes, of the families that RDS has for PostgreSQL."""
    return sorted(f"db.{name}" for name in INSTANCE_TYPES if name.split(".")[0] in FAMILIES)


def option(name: str, version: str, zones: list[str], storage: str) -> dict:
    """One of DescribeOrderableDBInstanceOptions."""
    return {
        "Engine": "postgres",
        "EngineVersion": version,
        "DBInstanceClass": name,
        "LicenseModel": "postgresql-license",
        "AvailabilityZones": [{"Name": zone} for zone in zones],
        "MultiAZCapable": True,
        "ReadReplicaCapable": False,
        "Vpc": True,
        "SupportsStorageEncryption": True,
        "StorageType": storage,
        "SupportsIops": STORAGE[storage],
        "SupportsStorageAutoscaling": True,
        "MinStorageSize": 100 if storage.startswith("io") else 20,
        "MaxStorageSize": 65536,
    }


def engine_version(version: str) -> dict:
    return {
        "Engine": "postgres",
        "EngineVersion": version,
        "MajorEngineVersion": version.split(".")[0],
        "DBParameterGroupFamily": FAMILY,
        "DBEngineDescription": "PostgreSQL",
        "DBEngineVersionDescription": f"PostgreSQL {version}",
        "Status": "available",
        "ValidUpgradeTarget": [],
        "ExportableLogTypes": ["postgresql", "upgrade"],
        "SupportsReadReplica": False,
        "SupportedFeatureNames": [],
    }


def certificate(pem: bytes) -> dict:
    """The authority as DescribeCertificates shows it."""
    read = x509.load_pem_x509_certificate(pem)
    return {
        "CertificateIdentifier": AUTHORITY,
        "CertificateType": "CA",
        "Thumbprint": read.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 - as RDS shows it
        "ValidFrom": _naive(read.not_valid_before_utc),
        "ValidTill": _naive(read.not_valid_after_utc),
        "CertificateArn": f"arn:aws:rds:{REGION}::cert:{AUTHORITY}",
        "CustomerOverride": False,
    }


def _naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)
