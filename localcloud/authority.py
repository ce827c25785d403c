"""The local cloud's own certificate authority, standing for Amazon's and RDS's."""

import datetime
import ipaddress
import os
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEAR = datetime.timedelta(days=365)
# Clients' clocks may be a little behind.
SKEW = datetime.timedelta(minutes=10)


class Authority:
    """Issues certificates; ``certificate`` is the file to trust. Made on first use."""

    def __init__(self, directory: Path):
        self.certificate = directory / "ca.pem"
        self._key_file = directory / "ca.key"
        self._lock = threading.Lock()

    def issue(self, names: list[str], lifetime: datetime.timedelta = YEAR) -> tuple[bytes, bytes]:
        """A certificate for these DNS names and addresses, and its key, both PEM."""
        root, root_key = self._root()
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(names[0]), root.subject, key, lifetime)
            .add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), False)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False
            )
        )
        return _pem(builder.sign(root_key, hashes.SHA256())), _key_pem(key)

    def root(self) -> bytes:
        """The authority's certificate, PEM."""
        self._root()
        return self.certificate.read_bytes()

    def _root(self):
        with self._lock:
            if not self._key_file.exists():
                self._create()
            certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            key = serialization.load_pem_private_key(self._key_file.read_bytes(), None)
            return certificate, key

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Local cloud certificate authority")
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        certificate = (
            _builder(name, name, key, 10 * YEAR)
            .add_extension(x509.BasicConstraints(True, 0), True)
            .add_extension(usage, True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        self.certificate.parent.mkdir(parents=True, exist_ok=True)
        self.certificate.write_bytes(_pem(certificate))
        part = self._key_file.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_key_pem(key))
        part.rename(self._key_file)


def _builder(subject, issuer, key, lifetime) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + lifetime)
    )


def _name(text: str) -> x509.Name:
    # a common name holds 64 characters; what counts is the alternative name
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
