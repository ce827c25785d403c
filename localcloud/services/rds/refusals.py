"""What RDS, or this local cloud, does not make: checked before anything is touched."""

import re

from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.rds.exceptions import (
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)

from localcloud.services.rds.cluster import instance_type

RESERVED = ("rdsadmin", "postgres_admin", "admin")
# Families that RDS has for PostgreSQL.
FAMILIES = (
    "t3", "t4g", "m5", "m5d", "m6g", "m6gd", "m6i", "m6id", "m7g", "m7i", "m8g",
    "r5", "r5b", "r5d", "r6g", "r6gd", "r6i", "r6id", "r7g", "r7i", "r8g", "x2g", "x2idn", "x2iedn",
)  # fmt: skip


def failure(error: Exception) -> RDSClientError:
    """The API error for a database that could not be made or changed."""
    return RDSClientError("InternalFailure", str(error))


def unsupported(what: str) -> InvalidParameterCombination:
    """The API error for what RDS has and this local cloud has not: nothing would stand behind."""
    return InvalidParameterCombination(f"This local cloud has no {what}.")


def require(database, *states: str) -> None:
    if database.status not in states:
        raise RDSClientError(
            "InvalidDBInstanceState",
            f"Database instance is not in {states[0]} state: it is {database.status}.",
        )


def check_new(wanted: dict, version: str, zones: set[str], snapshot: bool) -> None:
    """Raise for a DB instance that cannot be made; ``wanted`` are moto's names for the request.

    ``version`` is the PostgreSQL there is, ``zones`` are those of the subnet group.
    """
    if wanted.get("db_cluster_identifier") or str(wanted.get("engine")).startswith("aurora"):
        raise unsupported("Aurora and no DB clusters")
    if wanted.get("engine") != "postgres":
        raise InvalidParameterValue(
            f"This local cloud runs PostgreSQL: set Engine to postgres, not {wanted.get('engine')}."
        )
    check_version(str(wanted.get("engine_version") or version), version)
    check_class(wanted.get("db_instance_class"))
    check_public(wanted)
    if len(zones) < 2:
        raise RDSClientError(
            "DBSubnetGroupDoesNotCoverEnoughAZs",
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. "
            f"Current AZ coverage: {', '.join(sorted(zones))}. "
            "Add subnets to cover at least 2 AZs.",
        )
    zone = wanted.get("availability_zone")
    if wanted.get("multi_az") and zone and not snapshot:
        raise InvalidParameterCombination(
            "Requesting a specific availability zone is not valid for Multi-AZ instances."
        )
    if zone and zone not in zones:
        raise InvalidParameterCombination(
            f"The DB instance and its subnets must be in the same zones: {zone} is not in "
            f"{', '.join(sorted(zones))}."
        )
    if not snapshot and not wanted.get("manage_master_user_password"):
        if not wanted.get("master_username"):
            raise InvalidParameterValue("MasterUsername is required")
        check_password(wanted.get("master_user_password"))
    if wanted.get("master_username") in RESERVED:
        raise InvalidParameterValue(
            f"MasterUsername {wanted['master_username']} cannot be used as it is a reserved "
            "word used by the engine"
        )


def check_changes(database, changes: dict) -> None:
    """Raise for a change of ``database`` that cannot be made."""
    if "db_instance_class" in changes:
        check_class(changes["db_instance_class"])
    if "master_user_password" in changes:
        check_password(changes["master_user_password"])
    check_public(changes)
    size = changes.get("allocated_storage")
    if size and int(size) < int(database.allocated_storage):
        raise InvalidParameterCombination(
            "Requested storage size cannot be less than the current storage size"
        )
    version = changes.get("engine_version")
    if version:
        if not matches(str(version), database.engine_version):
            raise InvalidParameterCombination(
                f"Cannot upgrade postgres from {database.engine_version} to {version}"
            )
        changes["engine_version"] = database.engine_version


def check_version(wanted: str, version: str) -> None:
    if not matches(wanted, version):
        raise InvalidParameterCombination(
            f"Cannot find version {wanted} for postgres: this local cloud has {version}"
        )


def matches(wanted: str, version: str) -> bool:
    """Whether ``wanted`` is ``version`` or its major version."""
    return wanted in (version, version.split(".")[0])


def check_class(name: str | None) -> None:
    kind = instance_type(name) if name and name.startswith("db.") else ""
    if kind.split(".")[0] not in FAMILIES or kind not in INSTANCE_TYPES:
        raise InvalidParameterValue(f"Invalid DB Instance class: {name}")


def check_public(wanted: dict) -> None:
    # Kept without an address it would look open, or reachable, and be neither.
    if wanted.get("publicly_accessible"):
        raise unsupported("publicly accessible databases: set PubliclyAccessible to false")


def check_password(password: str | None) -> None:
    if not password or len(password) < 8:
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password because it is shorter than "
            "8 characters."
        )
    if re.search(r"[/\"@ ]", password):
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII "
            "characters besides '/', '@', '\"', ' ' may be used."
        )
