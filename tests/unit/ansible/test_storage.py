"""The role storage: what its buckets' policy says, and the files that it collects."""

import json
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from jinja2 import Environment

from tests.unit.ansible.test_roles import ROOT

ROLE = ROOT / "roles/storage"
BUCKET = "arn:aws:s3:::pictures"


def policy(**variables):
    given = {
        "storage_account": "123456789012", "storage_tls_only": True, "storage_partition": "aws",
        "__storage_bucket": "pictures", "__storage_read": "media/",
    }  # fmt: skip
    environment = Environment(autoescape=False, trim_blocks=True)
    text = (ROLE / "templates/bucket-policy.json").read_text()
    found = json.loads(environment.from_string(text).render(given | variables))
    return {each["Sid"]: each for each in found["Statement"]}


def test_cloudfront_reads_what_visitors_may_see():
    read = policy()["DistributionsRead"]

    assert read["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert read["Resource"] == f"{BUCKET}/media/*"
    (condition,) = read["Condition"].values()
    assert condition == {"AWS:SourceArn": "arn:aws:cloudfront::123456789012:distribution/*"}


@pytest.mark.parametrize(
    ("account", "tls_only", "said"),
    [
        ("1", True, {"DistributionsRead", "AndTellWhatIsMissing", "OnlyEncryptedConnections"}),
        ("1", False, {"DistributionsRead", "AndTellWhatIsMissing"}),
        ("", True, {"OnlyEncryptedConnections"}),
    ],
)
def test_the_policy_says_only_what_is_wanted(account, tls_only, said):
    assert set(policy(storage_account=account, storage_tls_only=tls_only)) == said


@pytest.fixture
def wheel(tmp_path):
    """The folder with the wheel of an app that collects as Django does."""
    folder = tmp_path / "wheel"
    folder.mkdir()
    program = (
        "import json, os, pathlib\n"
        "root = pathlib.Path(os.environ['STATIC_ROOT'])\n"
        "(root / 'css').mkdir(parents=True)\n"
        "for name in ('css/a.css', 'css/a.0123.css', 'css/a.0123.css.gz'):\n"
        "    (root / name).write_text(name)\n"
        "paths = {'css/a.css': 'css/a.0123.css'}\n"
        "(root / 'staticfiles.json').write_text(json.dumps({'paths': paths}))\n"
    )
    with zipfile.ZipFile(folder / "app-1.whl", "w") as archive:
        archive.writestr("service/__init__.py", "")
        archive.writestr("service/__main__.py", program)
    return folder


def test_only_names_with_a_hash_are_collected(tmp_path, wheel):
    assert collect(wheel, tmp_path / "release").returncode == 0
    found = [path for path in (tmp_path / "release").rglob("*") if path.is_file()]
    assert found == [tmp_path / "release/css/a.0123.css"]


def test_runs_for_two_environments_collect_the_same_release(tmp_path, wheel):
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: collect(wheel, tmp_path / "static/release"), range(4)))

    assert [(each.returncode, each.stderr) for each in done] == [(0, "")] * 4
    assert [path.name for path in (tmp_path / "static").iterdir()] == ["release"]


def test_a_folder_without_a_wheel_is_named(tmp_path):
    done = collect(tmp_path, tmp_path / "release")

    assert (done.returncode, "0 wheels, not one" in done.stderr) == (1, True)
    assert not (tmp_path / "release").exists()


def collect(wheel, target):
    command = [sys.executable, ROLE / "files/collect-static", f"--wheel={wheel}"]
    return subprocess.run(
        [*command, f"--target={target}"], capture_output=True, text=True, check=False
    )
