"""ACM: certificates of the local cloud's own authority, issued once DNS proves the domain."""

from pathlib import Path

from cryptography import x509
from moto.acm.models import AWSCertificateManagerBackend, CertBundle
from moto.acm.responses import AWSCertificateManagerResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.elbv2.exceptions import ELBClientError

from localcloud.authority import Authority
from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.route53 import Route53


class Certificates(Service):
    """RequestCertificate, ImportCertificate, and what load balancers need of them."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.authority = Authority(cloud.settings.state / "authority")

    @hook(CertBundle, "generate_cert", "domain_name, account_id, region, sans, cert_authority_arn")
    def generate(self, original, domain_name, account_id, region, sans=None,
                 cert_authority_arn=None):  # fmt: skip
        names = [domain_name, *(name for name in sans or [] if name != domain_name)]
        certificate, key = self.authority.issue(names)
        bundle = CertBundle(
            certificate=certificate,
            private_key=key,
            cert_type="AMAZON_ISSUED",
            cert_status="PENDING_VALIDATION",
            account_id=account_id,
            region=region,
        )
        bundle.chain = self.authority.root()
        return bundle

    @hook(CertBundle, "check", "self")
    def check(self, original, bundle):
        """A certificate is issued as soon as a public zone has its validation records."""
        waiting = bundle.type == "AMAZON_ISSUED" and bundle.status == "PENDING_VALIDATION"
        if not waiting:
            original(bundle)
        elif all(self._proven(each) for each in self._validations(bundle)):
            bundle.status = "ISSUED"

    @hook(AWSCertificateManagerBackend, "import_certificate",
          "self, certificate, private_key, chain, arn, tags")  # fmt: skip
    def import_(self, original, backend, certificate, private_key, chain, arn, tags):
        before = backend._certificates.get(arn)
        arn = original(backend, certificate, private_key, chain, arn, tags)
        bundle = backend._certificates[arn]
        # moto adds a root certificate of Amazon's to every chain
        bundle.chain = chain or b""
        if before:
            for key, value in before.tags.items():
                bundle.tags.setdefault(key, value)
            bundle.in_use_by = before.in_use_by
        return arn

    @hook(AWSCertificateManagerResponse, "get_certificate", "self")
    def get(self, original, response):
        """Without a chain ACM gives the certificate itself as its chain."""
        bundle = response.acm_backend.get_certificate(response._get_param("CertificateArn"))
        if bundle.status != "ISSUED":
            raise JsonRESTError("RequestInProgressException", "The certificate is not issued yet.")
        chain = bundle.chain or bundle.cert
        return ActionResult(
            {"Certificate": bundle.cert.decode(), "CertificateChain": chain.decode()}
        )

    @hook(AWSCertificateManagerBackend, "delete_certificate", "self, arn")
    def delete(self, original, backend, arn):
        bundle = backend._certificates.get(arn)
        if bundle and bundle.in_use_by:
            raise JsonRESTError(
                "ResourceInUseException",
                f"Certificate {arn} in account {backend.account_id} is in use.",
            )
        return original(backend, arn)

    def rows(self) -> list[Row]:
        rows = [
            Row(
                id="authority",
                kind="certificate authority",
                name="",
                state="",
                address="",
                real=str(self.ca_file()),
                health="ok",
            )
        ]
        for arn, bundle in list(self.cloud.backend("acm")._certificates.items()):
            bundle.check()
            missing = [] if bundle.status == "ISSUED" else self._validations(bundle)
            names = ", ".join(record["Name"].rstrip(".") for record in missing)
            rows.append(
                Row(
                    id=arn.rsplit("/", 1)[1],
                    kind="certificate",
                    name=bundle.common_name,
                    state=bundle.status,
                    address="",
                    real=self._trust(bundle),
                    health=f"waits for CNAME {names}" if names else "ok",
                )
            )
        return rows

    # for load balancers

    def file_name(self, arn: str) -> str:
        return f"{arn.rsplit('/', 1)[1]}.pem"

    def pem(self, arn: str) -> bytes:
        """Certificate, chain and key in one file, as HAProxy reads them."""
        bundle = self._bundle(arn)
        parts = (bundle.cert, bundle.chain, bundle.key)
        return b"\n".join(part.strip() for part in parts if part.strip()) + b"\n"

    def check_usable(self, arn: str) -> None:
        bundle = self._bundle(arn)
        bundle.check()
        if bundle.status != "ISSUED":
            raise ELBClientError(
                "UnsupportedCertificate",
                f"The certificate '{arn}' must have a fully-qualified domain name, a supported "
                f"signature, and a supported key size. It is {bundle.status}.",
            )

    def used_by(self, service: str, users: dict[str, list[str]]) -> None:
        """Tell each certificate the ARNs of what uses it in ``service``, and nothing else there."""
        for arn, bundle in self.cloud.backend("acm")._certificates.items():
            others = [each for each in bundle.in_use_by if f":{service}:" not in each]
            bundle.in_use_by = others + users.get(arn, [])

    def covers(self, arn: str, name: str) -> bool:
        """Whether the certificate is for ``name``."""
        certificate = x509.load_pem_x509_certificate(self._bundle(arn).cert)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        known = [each.lower() for each in names.value.get_values_for_type(x509.DNSName)]
        return name in known or "*." + name.partition(".")[2] in known

    # how

    def _bundle(self, arn: str) -> CertBundle:
        found = self.cloud.backend("acm")._certificates.get(arn)
        if found is None:
            raise ELBClientError("CertificateNotFound", f"Certificate '{arn}' not found")
        return found

    def _validations(self, bundle) -> list[dict]:
        """The CNAME records that prove the certificate's domains."""
        options = bundle.describe()["Certificate"].get("DomainValidationOptions", [])
        return [each["ResourceRecord"] for each in options]

    def _proven(self, record: dict) -> bool:
        name = record["Name"].rstrip(".").lower()
        # who proves a domain shows it to the world: a private zone's record does not count
        found = self.cloud.service(Route53).published(name, "CNAME")
        wanted = record["Value"].rstrip(".").lower()
        return any(value.rstrip(".").lower() == wanted for value in found)

    def _trust(self, bundle) -> str:
        """Who vouches for it."""
        if bundle.type != "AMAZON_ISSUED":
            issuer = x509.load_pem_x509_certificate(bundle.cert).issuer.rfc4514_string()
            return f"imported, issued by {issuer}"
        return "issued by the authority above"

    def ca_file(self) -> Path:
        """The authority's certificate, made if it was not."""
        self.authority.root()
        return self.authority.certificate
