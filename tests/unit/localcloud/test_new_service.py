"""The README's steps for adding a service, followed to the letter in a copy of the local cloud."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import localcloud

PACKAGE = Path(localcloud.__file__).parent
ROOT = PACKAGE.parent
STEPS = {"python": "services/queues.py", "toml": "operations/sqs.toml"}
# What somebody would then see of it.
TRIAL = """
import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import *


def test_the_new_service(cloud, api):
    sqs = api.client("sqs")
    sqs.create_queue(QueueName="faces")
    assert sqs.list_queues()["QueueUrls"][0].endswith("/faces")
    row = next(each for each in cloud.rows() if each.kind == "queue")
    assert row.id == "faces"
    assert (cloud.settings.state / "queues" / "faces").is_dir()
    with pytest.raises(ClientError, match="The local cloud refuses sqs:DeleteQueue"):
        sqs.delete_queue(QueueUrl="faces")
"""


def test_a_service_is_added_as_the_readme_says(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "localcloud", symlinks=True)
    steps = (PACKAGE / "README.md").read_text().split("## How a service is added")[1]
    for language, name in STEPS.items():
        (block,) = re.findall(rf"```{language}\n(.*?)```", steps, re.DOTALL)
        (tmp_path / "localcloud" / name).write_text(block)
    (tmp_path / "test_trial.py").write_text(TRIAL)

    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}:{ROOT / 'tests'}"}
    for command in (
        ["-m", "localcloud", "operations", "--readme"],
        ["-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", "test_trial.py"],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "| sqs | CreateQueue |" in (tmp_path / "localcloud/README.md").read_text()
