"""group_vars/all/wiring.yml: what the roles get on a real account, which no local run shows."""

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[3]
WIRING = yaml.safe_load((ROOT / "group_vars/all/wiring.yml").read_text())
ACCOUNT = "123456789012"


def trusted(value):
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: trusted(each) for key, each in value.items()}
    return [trusted(each) for each in value] if isinstance(value, list) else value


def wired(name, **variables):
    found = trusted(WIRING) | {
        "aws_region": "eu-west-1",
        "settings_path": "/mustache/production/web",
        "project_prefix": "mustache-production",
        "site_domain": "Mustache.example.com",
        "hostvars": {"localhost": {"aws_account": ACCOUNT, "dns_result": {"zone_id": "Z1"}}},
    }
    templar = Templar(loader=DataLoader(), variables=found | variables)
    return templar.template(found[name])


def test_hosts_that_prove_the_name_by_dns_may_write_that_record_only():
    statements = wired("web_policy_statements", site_tls_provider="letsencrypt")
    route53 = {
        action: statement
        for statement in statements
        for action in [statement["Action"]]
        if "route53:" in str(action)
    }

    assert sorted(route53) == [
        "route53:ChangeResourceRecordSets",
        "route53:GetChange",
        "route53:ListHostedZones",
    ]
    change = route53["route53:ChangeResourceRecordSets"]
    assert change["Resource"] == "arn:aws:route53:::hostedzone/Z1"
    assert change["Condition"] == {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": [
                "_acme-challenge.mustache.example.com"
            ],
            "route53:ChangeResourceRecordSetsRecordTypes": ["TXT"],
        }
    }


def test_hosts_with_another_certificate_have_no_right_in_route_53():
    statements = wired("web_policy_statements", site_tls_provider="command")

    assert [each for each in statements if "route53" in str(each)] == []
    assert [each["Action"] for each in statements] == [
        "ssm:GetParametersByPath",
        "s3:ListBucket",
        ["s3:GetObject", "s3:PutObject"],
    ]


@pytest.mark.parametrize(("host", "provider"), [("w-1", "letsencrypt"), ("w-2", "none")])
def test_one_host_asks_for_a_certificate(host, provider):
    given = {"groups": {"role_web": ["w-2", "w-1"]}, "inventory_hostname": host}

    assert wired("web_tls_provider", site_tls_provider="letsencrypt", **given) == provider


def test_a_key_may_be_in_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")

    assert wired("ssh_public_key_file", ssh_private_key_file="~/id") == "/home/me/id.pub"
