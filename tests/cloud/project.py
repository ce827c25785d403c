"""The project's playbooks on the tests' cloud, and visitors to the site that they make."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import requests
import skimage.data

from tests.localhost import resolve_localhost

ROOT = Path(__file__).resolve().parents[2]
PICTURE = Path(skimage.data.__file__).parent / "astronaut.png"  # public domain
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.M)


@contextmanager
def refusing(api, refusal=lambda headers, body: None, retell=lambda body, answer: answer):
    """Address of an API that is the one there, but for what is refused, or told otherwise.

    ``refusal(headers, body)`` returns type and body of the answer to such a request, ``retell(body,
    answer)`` what is said instead of the answer to it.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            refused = refusal(self.headers, body)
            if refused:
                self.answer(400, {"Content-Type": refused[0]}, refused[1])
                return
            connection = HTTPConnection(urlsplit(api).netloc, timeout=300)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            told = retell(body, answer.read())
            self.answer(answer.status, dict(answer.getheaders()), told)
            connection.close()

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

        def answer(self, status, headers, body):
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def contract(url, authority):
    """The command that tests whether the site there keeps its contract."""
    where = ["--base-url", url, "--ca-file", authority]
    return [sys.executable, "-m", "pytest", "-q", "tests/contract", *where]


class Project:
    """The playbooks, run against the tests' cloud in an environment of their own.

    All of them get the variables.
    """

    def __init__(self, cloud, environment, cidr, **variables):
        resolve_localhost()
        self.cloud = cloud
        self.name = environment
        # Nobody sits there to be asked before something is removed.
        self.options = ["-e", json.dumps({"confirm": "yes"} | variables)]
        self.url = f"https://mustache.localhost:{cloud.environment['LOCALCLOUD_HTTPS_PORT']}"
        self.authority = str(cloud.state / "authority" / "ca.pem")
        self.environment = (
            os.environ
            | cloud.environment
            | {
                "MUSTACHE_ENVIRONMENT": environment,
                "MUSTACHE_CIDR": cidr,
                "ANSIBLE_FORCE_COLOR": "0",
                "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
            }
        )

    def play(self, name, *options, code=0, **environment):
        done = subprocess.run(
            ["ansible-playbook", f"playbooks/{name}.yml", *self.options, *options],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == code, done.stdout[-6000:] + done.stderr[-2000:]
        return done.stdout

    def instances(self, *states):
        """The project's own, of those that the tests' cloud has."""
        filters = [{"Name": "tag:Environment", "Values": [self.name]}]
        if states:
            filters.append({"Name": "instance-state-name", "Values": states})
        found = self.cloud.client("ec2").describe_instances(Filters=filters)["Reservations"]
        return [instance for reservation in found for instance in reservation["Instances"]]

    def untagged(self):
        """What the tagging API does not list of what the playbooks make."""
        ec2, iam = self.cloud.client("ec2"), self.cloud.client("iam")
        own = [{"Name": "tag:Environment", "Values": [self.name]}]
        zones = self.cloud.client("route53").list_hosted_zones()["HostedZones"]
        cloudfront = self.cloud.client("cloudfront")
        caching = cloudfront.list_cache_policies(Type="custom")["CachePolicyList"]
        headers = cloudfront.list_response_headers_policies(Type="custom")
        headers = headers["ResponseHeadersPolicyList"]
        by_name = [
            *(each["RoleName"] for each in iam.list_roles()["Roles"]),
            *(
                each["InstanceProfileName"]
                for each in iam.list_instance_profiles()["InstanceProfiles"]
            ),
            *(
                each["CachePolicy"]["CachePolicyConfig"]["Name"]
                for each in caching.get("Items", [])
            ),
            *(
                each["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]["Name"]
                for each in headers.get("Items", [])
            ),
        ]
        return [
            *(each["PublicIp"] for each in ec2.describe_addresses(Filters=own)["Addresses"]),
            *(each["KeyName"] for each in ec2.describe_key_pairs(Filters=own)["KeyPairs"]),
            *(each["VolumeId"] for each in ec2.describe_volumes(Filters=own)["Volumes"]),
            *(each for each in by_name if each.startswith(f"mustache-{self.name}")),
            *(each["Name"] for each in zones if each["Name"] == "mustache.localhost."),
        ]

    def clear(self):
        """Remove what a test that failed has left: other tests share the zone and the machine."""
        if self.instances("pending", "running", "stopping", "stopped") or self.untagged():
            words = ["destroy", "-e", f"confirm_destroy={self.name}", "-e", "last_backup=false"]
            self.play(*words)

    def graph(self):
        done = subprocess.run(
            ["ansible-inventory", "--graph"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    def keeps_contract(self):
        """Hold the site to what it promises at every stage."""
        done = subprocess.run(
            contract(self.url, self.authority),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]

    def left(self):
        """ARNs of what there is besides instances that have ended, which AWS names for an hour."""
        tagged = self.cloud.client("resourcegroupstaggingapi").get_resources(
            TagFilters=[{"Key": "Environment", "Values": [self.name]}]
        )["ResourceTagMappingList"]
        ended = {instance["InstanceId"] for instance in self.instances("terminated")}
        arns = [item["ResourceARN"] for item in tagged]
        return [arn for arn in arns if arn.rpartition("/")[2] not in ended]

    def bucket(self, kind):
        """The name of its only bucket of a kind, say, ``backups``."""
        begin = f"mustache-{self.name}-{kind}-us-east-1-"
        buckets = self.cloud.client("s3").list_buckets()["Buckets"]
        (name,) = [each["Name"] for each in buckets if each["Name"].startswith(begin)]
        return name

    def get(self, path, **cookies):
        return requests.get(self.url + path, verify=self.authority, timeout=30, cookies=cookies)

    def files(self, picture):
        """The bytes of a picture as it came and with its mustaches, as the site gives them."""
        urls = (picture["original_url"], picture["mustached_url"])
        answers = [self.get(urlsplit(url).path) for url in urls]
        assert [answer.status_code for answer in answers] == [200, 200]
        return [answer.content for answer in answers]

    def upload(self, image=PICTURE):
        with image.open("rb") as file:
            answer = requests.post(
                f"{self.url}/api/pictures",
                files={"image": (image.name, file, "image/png")},
                verify=self.authority,
                timeout=60,
            )
        assert answer.status_code == 201, answer.text
        return answer.json()

    def delete(self, picture):
        answer = requests.delete(
            f"{self.url}/api/pictures/{picture['id']}",
            headers={"Authorization": f"Bearer {picture['token']}"},
            verify=self.authority,
            timeout=30,
        )
        assert answer.status_code in {200, 204}, answer.text
        assert self.get(f"/api/pictures/{picture['id']}").status_code == 404


def changed(output):
    """Host to number of changes, from the recap; nothing may have failed."""
    found = RECAP.findall(output)
    assert found, output[-2000:]
    assert all(failed == unreachable == "0" for *_, unreachable, failed in found), output[-2000:]
    return {host: int(number) for host, _, number, _, _ in found}


def said(output):
    """The output without the line breaks that its format puts in."""
    return " ".join(output.split())


class Visitor(threading.Thread):
    """Asks for pages without a pause and keeps what went wrong."""

    def __init__(self, project):
        super().__init__(daemon=True)
        self.project = project
        self.requests = 0
        self.failures = []
        self.slowest = 0.0
        self._end = threading.Event()

    def run(self):
        paths = ["/", "/info?format=json", "/api/styles", "/readyz"]
        while not self._end.wait(0.05):
            path = paths[self.requests % len(paths)]
            self.requests += 1
            started = time.monotonic()
            try:
                answer = self.project.get(path)
            except requests.RequestException as error:
                self.failures.append(f"{path}: {error}")
            else:
                if answer.status_code != 200:
                    self.failures.append(f"{path}: {answer.status_code}")
            self.slowest = max(self.slowest, time.monotonic() - started)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()


def closed(address, port):
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex((address, port)) != 0
