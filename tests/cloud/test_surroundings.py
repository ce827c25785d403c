"""What the shells, folders and machines of those who run the playbooks have: each row of it broke a
run once. A clone of the project in an odd folder is brought to stage 1 with everything at once, and
then meets one thing after the other. What is typed here is what the README says.
"""

import getpass
import json
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
import requests

from tests.cloud.conftest import a_folder, free_ports, wait_until
from tests.cloud.project import ROOT, refusing, said
from tests.localhost import resolve_localhost

pytestmark = pytest.mark.cloud

CIDR = "10.152.0.0/16"
# How pip finds its packages is the machine's business; the rest of our own shell is left out.
KEPT = re.compile(r"HOME|USER|LOGNAME|TERM|(PIP|UV|SSL|REQUESTS|CURL)_.*")


class Proxy(ThreadingTCPServer):
    """A proxy that does its work, and remembers whom it was asked for."""

    daemon_threads = True

    def __init__(self):
        self.asked = []
        super().__init__(("127.0.0.1", 0), self.Visit)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    class Visit(StreamRequestHandler):
        def handle(self):
            method, target, _ = self.rfile.readline().decode().split(" ", 2)
            self.server.asked.append(target)
            while self.rfile.readline().strip():
                pass
            if method != "CONNECT":
                self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=60) as there:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                ends = {self.connection: there, there: self.connection}
                while True:
                    for each in select.select(ends, [], [], 120)[0]:
                        data = each.recv(65536)
                        if not data:
                            return
                        ends[each].sendall(data)

    @property
    def variables(self):
        address = f"http://127.0.0.1:{self.server_address[1]}"
        return dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), address)


class Clone:
    """The project in a folder of its own, as its user has it."""

    def __init__(self, folder):
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            source, target = ROOT / name, folder / name
            if source.is_symlink() or source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        # Of its own, so that it may run beside another local cloud of the user's.
        port, http, https = free_ports(3)
        self.ports = {
            "LOCALCLOUD_PORT": str(port),
            "LOCALCLOUD_HTTP_PORT": str(http),
            "LOCALCLOUD_HTTPS_PORT": str(https),
            "MUSTACHE_CIDR": CIDR,
        }
        self.url = f"https://mustache.localhost:{https}"

    def start(self, *words, **surroundings):
        kept = {name: text for name, text in os.environ.items() if KEPT.fullmatch(name)}
        python = Path(os.path.realpath(ROOT / ".venv/bin/python")).parent
        path = f"{self.folder}/.venv/bin:{python}:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=kept | {"PATH": path, "LANG": "C.UTF-8"} | self.ports | surroundings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, *words, code=0, **surroundings):
        """Type it there, in those surroundings; return what it says."""
        run = self.start(*words, **surroundings)
        output, _ = run.communicate(timeout=900)
        assert run.returncode == code, output[-6000:]
        return output

    def get(self, path):
        authority = self.folder / ".localcloud/authority/ca.pem"
        return requests.get(self.url + path, verify=str(authority), timeout=30)

    def host(self):
        """Its only host, as `localcloud status` shows it."""
        answer = self.type("python", "-m", "localcloud", "status", "--json")
        found = [
            each for each in json.loads(answer)["resources"] if each["kind"].startswith("inst")
        ]
        return found[0]


@contextmanager
def agent(directory):
    """SSH_AUTH_SOCK of an agent with more keys than a host wants to see."""
    path = directory / "agent"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(path.exists)
        for number in range(8):
            key = directory / f"key-{number}"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
            subprocess.run(
                ["ssh-add", "-q", key], env={"SSH_AUTH_SOCK": str(path)}, check=True
            )  # fmt: skip
        yield str(path)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """AWS configured, a proxy, an agent with many keys, and another locale, by name."""
    directory = tmp_path_factory.mktemp("surroundings")
    (directory / "config").write_text(
        "[profile work]\nregion = eu-west-1\nendpoint_url = http://192.0.2.1\n"
        "sso_start_url = https://sso.invalid\n"
    )
    (directory / "boto").write_text("[Boto]\nproxy = 192.0.2.1\n")
    with Proxy() as proxy, agent(directory) as socket_path:
        yield {
            "aws": {
                "AWS_PROFILE": "work",
                "AWS_CONFIG_FILE": str(directory / "config"),
                "AWS_SESSION_TOKEN": "token",
                "AWS_ENDPOINT_URL_EC2": "http://192.0.2.1",
                "AWS_REGION": "eu-west-1",
                "AWS_CA_BUNDLE": "/nowhere",
                "EC2_URL": "http://192.0.2.1",
                "BOTO_CONFIG": str(directory / "boto"),
            },
            "proxy": proxy,
            "agent": {"SSH_AUTH_SOCK": socket_path},
            "locale": {"LANG": "C", "LC_ALL": "C"},
        }


@pytest.fixture(scope="module")
def clone(surroundings):
    """At stage 1, by `make stage1` in all of the surroundings at once."""
    resolve_localhost()
    folder = a_folder("odd") / "playbooks" / "molecule" / "my site"
    made = Clone(folder)
    everything = surroundings["proxy"].variables
    for name in ("aws", "agent", "locale"):
        everything |= surroundings[name]
    try:
        made.type("make", "stage1", **everything)
        yield made
    finally:
        down = made.start("make", "down", "DESTROY_DATA=1")
        output, _ = down.communicate(timeout=300)
    assert "nothing is left" in output, output
    loops = subprocess.run(["losetup", "--list"], capture_output=True, text=True, check=True).stdout
    assert str(folder) not in loops
    assert str(folder).replace(" ", r"\040") not in Path("/proc/mounts").read_text()


def test_a_folder_with_a_space_under_folders_called_as_ours(clone):
    assert clone.get("/readyz").status_code == 200
    assert (clone.folder / ".localcloud/ansible/known_hosts").exists()
    assert (clone.folder / "wheelhouse").is_dir()


def test_a_shell_that_is_used_with_aws(clone, surroundings):
    graph = clone.type("ansible-inventory", "--graph", **surroundings["aws"])
    account = clone.type(
        "ansible", "localhost", "-m", "amazon.aws.aws_caller_info", **surroundings["aws"]
    )
    found = "{{ lookup('amazon.aws.ssm_parameter', settings_path ~ '/SITE_URL', **aws_lookup) }}"
    message = f"msg={found}"
    looked_up = clone.type(
        "ansible", "localhost", "-m", "ansible.builtin.debug", "-a", message, **surroundings["aws"]
    )

    assert "mustache-local-web-1" in graph
    assert "123456789012" in account
    assert clone.url in looked_up


def test_a_proxy(clone, surroundings):
    proxy = surroundings["proxy"]
    answer = clone.type("make", "status", **proxy.variables)
    clone.type("ansible-playbook", "playbooks/deploy.yml", **proxy.variables)
    on_host = clone.type(
        "ansible", "role_web", "-m", "ansible.builtin.command", "-a", "env", **proxy.variables
    )

    assert "mustache-local-web-1" in answer
    assert "_proxy" not in on_host
    # pip and uv went by it, in the run that set everything up
    assert any("py" in each for each in proxy.asked)
    here = [each for each in proxy.asked if re.search(r"127\.|localhost|169\.254", each)]
    assert here == []


def test_an_agent_with_many_keys(clone, surroundings, tmp_path):
    # connections of before would be used again
    connections = Path.home() / ".ansible/cp"
    host = clone.host()["id"]
    (connections / host).unlink(missing_ok=True)
    started = time.monotonic()
    answer = clone.type(
        "ansible", "role_web", "-m", "ansible.builtin.ping", **surroundings["agent"]
    )

    assert "pong" in answer
    assert time.monotonic() - started < 60
    log = clone.type("python", "-m", "localcloud", "ssh", host, "journalctl", "-u", "ssh")
    assert "Too many authentication failures" not in log


def test_another_locale(clone, surroundings):
    answer = clone.type("make", "backup", **surroundings["locale"])

    assert "s3://mustache-local-backups" in answer


def test_a_firewall_that_drops_what_it_forwards(clone):
    """As Docker's and ufw's do, but nobody else's packets: other tests may run here."""
    number = json.loads(status(clone))["id"]
    devices = f"lc{number}*"
    others = f'iifname != "{devices}" oifname != "{devices}" accept'
    table = "test_of_surroundings"
    script = f"""
        table ip {table} {{
            chain FORWARD {{
                type filter hook forward priority filter; policy drop;
                {others}
            }}
            chain INPUT {{
                type filter hook input priority filter; policy drop;
                iifname != "{devices}" accept
            }}
        }}
    """
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)
    try:
        time.sleep(1)  # long enough to be cut off, were it not noticed
        out = wait_until(lambda: reaches(clone, "http://deb.debian.org"), seconds=30)
        assert out
        # a host asks the API through the chain of what comes in
        assert reaches(clone, "http://169.254.169.253:5000")
        rules = nft("list", "table", "ip", table)
        assert rules.count(f"localcloud_{number}") == 3
        assert clone.get("/readyz").status_code == 200
    finally:
        nft("delete", "table", "ip", table)


def test_two_runs_at_once(clone):
    first = clone.start("make", "stage1")
    wait_until(lambda: "/mustache/local/state/lock" in status(clone), seconds=120)
    second = clone.type("make", "deploy", code=2)
    clone.type("ansible-playbook", "playbooks/deploy.yml", "--check")
    output, _ = first.communicate(timeout=600)

    who = f"{getpass.getuser()} on {socket.gethostname()} runs stage1.yml here since"
    assert who in said(second)
    assert "-e break_lock=true" in said(second)
    assert first.returncode == 0, output[-3000:]
    wait_until(lambda: "state/lock" not in status(clone))


def test_a_run_that_was_killed_keeps_nobody_out(clone):
    run = clone.start("ansible-playbook", "playbooks/deploy.yml")
    wait_until(lambda: "state/lock" in status(clone), seconds=120)
    run.kill()
    run.communicate()

    wait_until(lambda: "state/lock" not in status(clone))


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ("web_instance_type=t9.mega", "EC2 does not offer it in us-east-1a"),
        ("web_instance_type=t4g.small", "it runs arm64, and the image is for x86_64"),
        ("web_volume_iops=50000", "it has to be from 3000 to 16000"),
        ("network_cidr=10.151.0.0/20", "it has to be a /16"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_touched(clone, option, answer):
    before = clone.host()
    output = clone.type("make", "stage1", f"ARGUMENTS=-e {option}", code=2)

    assert answer in said(output)
    assert "changed=0" in output
    assert clone.host() == before
    assert clone.get("/readyz").status_code == 200


def no_other_type(headers, body):
    """EC2's answer when it cannot change the type of an instance that has been stopped for it."""
    if b"Action=ModifyInstanceAttribute" in body and b"InstanceType.Value" in body:
        return "text/xml", (
            b"<Response><Errors><Error><Code>InsufficientInstanceCapacity</Code>"
            b"<Message>none left</Message></Error></Errors></Response>"
        )
    return None


def test_a_host_whose_type_cannot_change_serves_on(clone):
    api = f"http://127.0.0.1:{clone.ports['LOCALCLOUD_PORT']}"
    with refusing(api, no_other_type) as endpoint:
        arguments = f"ARGUMENTS=-e web_instance_type=t3.medium -e aws_endpoint_url={endpoint}"
        output = clone.type("make", "stage1", arguments, code=2)

    assert "could not become a t3.medium" in said(output)
    assert "It serves as the t3.small that it was" in said(output)
    assert clone.host()["kind"] == "instance t3.small"
    assert clone.get("/readyz").status_code == 200


def status(clone):
    return clone.type("python", "-m", "localcloud", "status", "--json")


def nft(*words):
    return subprocess.run(["nft", *words], capture_output=True, text=True, check=True).stdout


def reaches(clone, url):
    run = clone.start(
        "python", "-m", "localcloud", "ssh", "mustache-local-web-1",
        "curl", "-s", "-m", "5", "-o", "/dev/null", url,
    )  # fmt: skip
    run.communicate(timeout=60)
    return run.returncode == 0
