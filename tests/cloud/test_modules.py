"""The collections' and the project's modules against the local cloud."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.authority import Authority

pytestmark = pytest.mark.cloud

PLAYS = Path(__file__).parent / "modules"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def variables(cloud, site, tmp_path_factory):
    """The plays' variables, in a file."""
    directory = tmp_path_factory.mktemp("modules")
    certificate, key = Authority(directory).issue(["www.example.com"])
    path = directory / "variables.json"
    path.write_text(
        json.dumps(
            {
                "subnets": [site.public, site.private],
                "security_groups": [site.group],
                "vpc": site.vpc,
                "password": "a-long-enough-secret",
                "certificate": certificate.decode(),
                "private_key": key.decode(),
            }
        )
    )
    return path


def play(cloud, name: str, variables: Path, *options: str) -> int:
    """Run a play; return how many tasks changed something."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,",
            "-c", "local", "-e", f"@{variables}", *options, str(PLAYS / f"{name}.yml"),
        ],
        cwd=PLAYS,
        env={
            **os.environ,
            "AWS_ENDPOINT_URL": cloud.endpoint, "AWS_URL": cloud.endpoint,
            "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test", "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LIBRARY": str(ROOT / "library"),
            "ANSIBLE_MODULE_UTILS": str(ROOT / "module_utils"),
            "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_DEPRECATION_WARNINGS": "false",
        },
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return int(re.search(r"changed=(\d+)", done.stdout)[1])


@pytest.mark.parametrize("name", ["database", "balancer", "settings"])
def test_a_second_run_changes_nothing(cloud, variables, name):
    assert play(cloud, name, variables) > 0
    assert play(cloud, name, variables, "--check", "--diff") == 0
    assert play(cloud, name, variables) == 0


def test_settings_are_changed_purged_and_removed_and_the_secret_stays(cloud, variables):
    ssm = cloud.client("ssm")

    def found() -> dict[str, str]:
        pages = ssm.get_paginator("get_parameters_by_path").paginate(
            Path="/modules/web", WithDecryption=True
        )
        return {each["Name"]: each["Value"] for page in pages for each in page["Parameters"]}

    play(cloud, "settings", variables)
    before = found()
    assert len(before) == 12
    assert len(before["/modules/web/SECRET_KEY"]) == 40
    changes = ("-e", "greeting=servus", "-e", '{"letters": ["A"]}')
    assert play(cloud, "settings", variables, *changes, "--check", "--diff") == 1
    assert found() == before
    assert play(cloud, "settings", variables, *changes) == 1
    assert found() == {
        "/modules/web/A": "A",
        "/modules/web/GREETING": "servus",
        "/modules/web/SECRET_KEY": before["/modules/web/SECRET_KEY"],
    }
    assert play(cloud, "settings", variables, "-e", "state=absent") == 1
    assert found() == {}
    assert play(cloud, "settings", variables, "-e", "state=absent") == 0


def test_readiness_says_what_is_missing_and_changes_nothing(cloud, variables):
    assert play(cloud, "readiness", variables) == 0
