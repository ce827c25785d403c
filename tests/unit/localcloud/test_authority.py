import stat

import pytest
from cryptography import x509
from cryptography.x509 import verification

from localcloud.authority import Authority


def verified(authority, certificate, name):
    store = verification.Store([x509.load_pem_x509_certificate(authority.root())])
    verifier = verification.PolicyBuilder().store(store).build_server_verifier(x509.DNSName(name))
    return verifier.verify(x509.load_pem_x509_certificate(certificate), [])


def test_certificates_are_trusted_for_their_names_only(tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.issue(["shop.example", "www.shop.example"])
    assert verified(authority, certificate, "www.shop.example")
    with pytest.raises(verification.VerificationError):
        verified(authority, certificate, "other.example")
    assert b"PRIVATE KEY" in key


def test_the_authority_is_kept_and_its_key_is_private(tmp_path):
    first = Authority(tmp_path).root()
    assert Authority(tmp_path).root() == first
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600


def test_names_longer_than_a_common_name_are_no_problem(tmp_path):
    name = f"{'a' * 60}.{'b' * 60}.us-east-1.rds.amazonaws.com"
    authority = Authority(tmp_path)
    certificate, _ = authority.issue([name])
    assert verified(authority, certificate, name)
