"""Whom the two inventories ask, and as whom."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_specification = util.spec_from_file_location("plugin", ROOT / "inventory_plugins/localcloud.py")
plugin = util.module_from_spec(_specification)
_specification.loader.exec_module(plugin)

NOBODY = (
    b'<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
    b"<reservationSet/></DescribeInstancesResponse>"
)


@pytest.fixture
def account():
    """An AWS without hosts, and the `Authorization` of who asked it."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(NOBODY)))
            self.end_headers()
            self.wfile.write(NOBODY)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def inventory(tmp_path, **environment):
    """`ansible-inventory -i inventories/aws --graph`, typed in such a shell."""
    return subprocess.run(
        ["ansible-inventory", "-i", "inventories/aws", "--graph"],
        cwd=ROOT,
        env={"HOME": str(tmp_path), "LANG": "C.UTF-8", "PATH": f"{ROOT}/.venv/bin:/usr/bin:/bin"}
        | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_profile_is_honoured_with_its_keys_region_and_endpoint(account, tmp_path):
    endpoint, asked = account
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        f"[profile work]\nregion = eu-west-3\nendpoint_url = {endpoint}\n"
        "aws_access_key_id = KEYOFWORK\naws_secret_access_key = secret\n"
    )
    done = inventory(tmp_path, AWS_PROFILE="work")

    assert done.returncode == 0, done.stderr
    assert asked
    assert all("Credential=KEYOFWORK/" in each and "/eu-west-3/ec2/" in each for each in asked)


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_variables_of_the_shell_are_honoured(account, tmp_path, name):
    endpoint, asked = account
    done = inventory(
        tmp_path,
        AWS_ENDPOINT_URL=endpoint,
        AWS_ACCESS_KEY_ID="KEYOFSHELL",
        AWS_SECRET_ACCESS_KEY="secret",
        **{name: "ap-south-1"},
    )

    assert done.returncode == 0, done.stderr
    assert all("Credential=KEYOFSHELL/" in each and "/ap-south-1/" in each for each in asked)
    assert asked


def test_a_profile_that_is_not_there_is_named(tmp_path):
    done = inventory(tmp_path, AWS_PROFILE="nobody")

    assert done.returncode != 0
    assert "The config profile (nobody) could not be found" in done.stderr


def test_the_local_one_leaves_nothing_that_leads_to_an_account():
    environ = {
        "AWS_PROFILE": "work",
        "AWS_ENDPOINT_URL_SSM": "https://ssm.amazonaws.com",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
        "EC2_URL": "https://ec2.amazonaws.com",
        "AWS_NAME_OF_TOMORROW": "x",
        "HOME": "/home/ada",
        "http_proxy": "http://proxy:3128",
        "NO_PROXY": "intranet.example",
    }
    plugin.keep_here(environ, "5000")

    assert {name: text for name, text in environ.items() if "AWS" in name or "EC2" in name} == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "localcloud",
        "AWS_SECRET_ACCESS_KEY": "localcloud",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert environ["http_proxy"] == "http://proxy:3128"
    assert environ["no_proxy"] == "intranet.example,localhost,.localhost,127.0.0.1"
