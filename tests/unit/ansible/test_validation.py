"""A stage on a real account: what is refused before AWS is asked."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def validate(tmp_path):
    """Run it with the variables of inventories/aws, and an AWS that nobody answers for."""
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    (inventory / "hosts.yml").write_text("all: {}\n")
    (inventory / "group_vars").symlink_to(ROOT / "inventories/aws/group_vars")

    def run(**settings):
        options = ["-e", json.dumps(settings)]
        done = subprocess.run(
            ["ansible-playbook", "-i", inventory, "playbooks/stage1.yml", *options],
            cwd=ROOT,
            env=os.environ
            | {
                "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "MUSTACHE_ENVIRONMENT": "production",
                "ANSIBLE_NOCOLOR": "1",
                "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_MAX_ATTEMPTS": "1",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 2, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    return run


def test_settings_that_nobody_can_guess_are_named(validate):
    assert "Set site_domain, operator_cidrs in inventories/aws" in validate()


def test_a_name_of_before_is_refused_with_the_new_one(validate):
    assert "lb_state is called front" in validate(lb_state="present")
    refused = validate(my_values={"db_provider": "rds"})
    assert "db_provider is called stores: {rows: ...} (instance, rds, dynamodb) now." in refused


def test_a_provider_that_there_is_not_is_refused(validate):
    refused = validate(
        site_domain="m.example.com",
        operator_cidrs=["192.0.2.1/32"],
        ssh_key_generated=True,
        my_values={"stores": {"files": "tape"}},
    )

    assert "tape is nothing that files can be; there is database, s3." in refused


def test_rows_in_dynamodb_leave_no_database_for_anything_else(validate):
    refused = validate(
        site_domain="m.example.com",
        operator_cidrs=["192.0.2.1/32"],
        ssh_key_generated=True,
        db_provider="dynamodb",
        my_values={"stores": {"files": "s3"}},
    )

    assert "leaves no database, but sessions, cache would be in one" in refused


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"web_count": 2}, ["db_provider=instance is a database on the one web host"]),
        ({"compute": "group"}, ["only a balancer knows them", "on the one web host"]),
        (
            {"compute": "functions", "stores": {"sessions": "elasticache"}},
            ["Functions are in no network", "Sessions at elasticache have their copies"],
        ),
        (
            {"stores": {"cache": "dynamodb"}, "web_count": 2},
            ["Counters in DynamoDB are in a table", "on the one web host"],
        ),
        ({"stores": {"cache": "elasticache"}}, ["A cache at elasticache is in two zones"]),
    ],
)
def test_all_that_contradicts_itself_is_refused_at_once(validate, values, said):
    refused = validate(
        site_domain="m.example.com",
        operator_cidrs=["192.0.2.1/32"],
        ssh_key_generated=True,
        my_values=values,
    )

    assert [each for each in said if each not in refused] == []
    assert "AWS does not know who you are" not in refused


def test_a_mistyped_variable_is_refused_by_name(validate):
    assert "No role has web_cuont." in validate(web_cuont="2")


def test_a_missing_key_is_named_with_its_remedy(validate):
    refused = validate(site_domain="m.example.com", operator_cidrs="192.0.2.1/32")

    assert "ssh-keygen -t ed25519 -f ~/.ssh/id_ed25519" in refused


def test_with_all_of_them_aws_is_asked_and_host_keys_have_a_directory(validate, tmp_path):
    (tmp_path / ".ssh").mkdir()
    for name in ("id_ed25519", "id_ed25519.pub"):
        (tmp_path / ".ssh" / name).write_text("a key\n")
    asked = validate(site_domain="m.example.com", operator_cidrs="192.0.2.1/32")

    assert "AWS does not know who you are" in asked
    directory = tmp_path / ".local/state/mustache-production"
    assert oct(directory.stat().st_mode)[-3:] == "700"
