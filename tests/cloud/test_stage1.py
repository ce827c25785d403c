"""Stage 1 from nothing to nothing, as its users run it: one site, one story, on the tests' cloud.

The steps build on each other, so they are one test with a subtest each.
"""

import re
import shlex
import shutil
import subprocess

import pytest
from botocore.exceptions import ClientError
from cloud import browser
from cloud.conftest import wait_until
from cloud.deployer import deployer
from cloud.project import ROOT, Visitor, changed, closed, refusing, said

pytestmark = pytest.mark.cloud


@pytest.fixture
def wheelhouse():
    """The project's; the versions that the test makes up are taken out again."""
    yield ROOT / "wheelhouse"
    for made_up in (ROOT / "wheelhouse").glob("99.0.*"):
        shutil.rmtree(made_up)


class Late:
    """EC2 that goes on naming the address of before for some answers, as AWS does for seconds after
    an instance has been given an Elastic IP."""

    def __init__(self):
        self.elastic = self.before = b""
        self.to_tell = 4

    def retell(self, body, answer):
        if b"Action=AllocateAddress&" in body:
            self.elastic = re.search(rb"<publicIp>([\d.]+)<", answer)[1]
        if b"Action=DescribeInstances&" in body and b"<ipAddress>" in answer and self.to_tell:
            if self.elastic and self.elastic in answer:
                self.to_tell -= 1
                return answer.replace(self.elastic, self.before)
            self.before = re.search(rb"<ipAddress>([\d.]+)<", answer)[1]
        return answer


@pytest.mark.usefixtures("wheelhouse")
def test_stage_1_from_nothing_to_nothing(cloud, start_project, subtests, tmp_path):
    project = start_project("test", "10.151.0.0/16", **deployer(cloud))
    version = re.search(r'__version__ = "(.+)"', (ROOT / "app/mustache/__init__.py").read_text())[1]

    with subtests.test("--check announces everything and makes nothing"):
        announced = project.play("stage1", "--check", "--diff")
        assert changed(announced)["localhost"] >= 10
        assert "test-web-1" in announced
        assert project.instances() == []

    late = Late()
    with refusing(cloud.endpoint, retell=late.retell) as endpoint:
        output = project.play("stage1", LOCALCLOUD_PORT=endpoint.rpartition(":")[2])
    with subtests.test("a host that AWS names by its old address for a while is waited for"):
        assert late.before
        assert late.to_tell == 0

    with subtests.test("the output names the site, what it is made of and what it costs"):
        assert project.url in output
        assert "nginx > app (gunicorn) > PostgreSQL" in output
        assert re.search(r"about \d+\.\d\d USD a month", output)

    with subtests.test("no secret is in the output"):
        secret = cloud.client("ssm").get_parameter(
            Name="/mustache/test/web/SECRET_KEY", WithDecryption=True
        )["Parameter"]
        assert secret["Type"] == "SecureString"
        assert len(secret["Value"]) == 64
        assert secret["Value"] not in output

    with subtests.test("a picture comes back with a mustache"):
        picture = project.upload()
        assert len(picture["faces"]) == 1
        files = project.files(picture)
        assert files[0] != files[1]

    with (
        subtests.test("so does one that a visitor brings with Chromium"),
        browser.browsing(project) as page,
    ):
        browser.upload(project, page, "stage1")

    with subtests.test("the site keeps its contract"):
        project.keeps_contract()

    with subtests.test("the inventory has the host by role and zone"):
        graph = project.graph()
        for group in ("role_web", "zone_us_east_1a"):
            assert f"|--@{group}:\n  |  |--mustache-test-web-1\n" in graph
    (instance,) = project.instances("running")
    address, key = instance["PublicIpAddress"], f"{cloud.state}/ansible/id_ed25519"

    def on_host(command):
        done = subprocess.run(
            ["ssh", "-F", "none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
             "-i", key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
             "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
             f"admin@{address}", f"sudo sh -c {shlex.quote(command)}"],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def size():
        """Cores and kB of memory."""
        return [
            int(on_host("grep -c ^processor /proc/cpuinfo")),
            int(on_host('awk "/MemTotal/ {print \\$2}" /proc/meminfo')),
        ]

    with subtests.test("only the open ports are open"):
        shut, inside = (25, 5432, 8000, 9000), instance["PrivateIpAddress"]
        # Where nobody listens it would not be the firewall that turns visitors away.
        for port in shut:
            on_host(
                f"nc -z {inside} {port} || systemd-run --quiet --unit=listener-{port}"
                f" systemd-socket-activate --listen={inside}:{port} --accept /bin/true"
            )
        everyone = " && ".join(f"nc -z {inside} {port}" for port in shut)
        wait_until(lambda: on_host(f"{everyone} && echo they listen || true"))
        assert [port for port in (22, 80, 443) if closed(address, port)] == []
        assert [port for port in shut if not closed(address, port)] == []
        on_host('systemctl stop "listener-*"')

    with subtests.test("the site says which host answers"):
        about = project.get("/info?format=json").json()
        assert about["instance_id"] == instance["InstanceId"]
        assert about["zone"] == "us-east-1a"

    with subtests.test("visitors do not see the numbers"):
        assert project.get("/metrics").status_code == 404

    with subtests.test("the secrets on the host are root's"):
        assert on_host("stat -c %U:%a /run/mustache/environment") == "root:600"

    with subtests.test("the app is kept from the metadata service, and root is not"):
        ask = "curl --silent --max-time 3 -X PUT http://169.254.169.254/latest/api/token"
        ask += " -H X-aws-ec2-metadata-token-ttl-seconds:60"
        assert on_host(f"{ask} --output /dev/null && echo answered") == "answered"
        refused = on_host(f"runuser -u mustache -- {ask} --output /dev/null || echo $?")
        assert refused == "7"  # refused at once, not after a while
        assert f'PUBLIC_ADDRESS="{address}"' in on_host("cat /run/mustache/environment").replace(
            "\\", ""
        )

    with (
        subtests.test("nobody terminates the instance that has the only database by mistake"),
        pytest.raises(ClientError, match="OperationNotPermitted"),
    ):
        cloud.client("ec2").terminate_instances(InstanceIds=[instance["InstanceId"]])

    with subtests.test("the host may put dumps into the bucket, an hour's beside a day's"):
        on_host("mustache-backup scheduled && mustache-backup scheduled")
        bucket = project.bucket("backups")
        found = cloud.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
        hourly = [each for each in found if each["Key"].startswith("dumps/hourly/")]
        assert 0 < len(hourly) < len(found)

    def reading(dump, user="root"):
        """What a program on the host meets that reads a dump in the bucket."""
        program = f'import boto3; boto3.client("s3").download_file(*"{dump}".split())'
        read = shlex.join(["runuser", "-u", user, "--", "python3", "-c", program])
        return on_host(f"set -a; . /etc/mustache/host.env; {read} 2>&1 | tail -1")

    with subtests.test("neither the host nor the app reads a dump"):
        dump = f"{bucket} {hourly[0]['Key']} /dev/null"
        assert "(403)" in reading(dump)
        assert "Unable to locate credentials" in reading(dump, user="mustache")
        own = on_host("runuser -u mustache -- ls /var/lib/mustache-backup 2>&1 || true")
        assert "Permission denied" in own

    with subtests.test("a second run changes nothing, and says that a dump has failed"):
        fail = "/run/systemd/system/mustache-backup.service.d"
        on_host(
            f'mkdir {fail} && printf "[Service]\\nRestart=no\\nExecStartPre=/bin/false\\n" '
            f"> {fail}/fail.conf && systemctl daemon-reload"
        )
        on_host("systemctl start mustache-backup || true")
        output = project.play("stage1")
        on_host(f"rm -r {fail} && systemctl daemon-reload && systemctl reset-failed")
        assert set(changed(output).values()) == {0}
        assert "mustache-test-web-1: mustache-backup.service failed" in said(output)

    with subtests.test("--check says so too"):
        assert set(changed(project.play("stage1", "--check", "--diff")).values()) == {0}

    with subtests.test("a mistyped setting is refused by name"):
        refused = project.play("stage1", "-e", "web_instnace_type=t3.large", code=2)
        assert "No role has web_instnace_type" in refused

    with subtests.test("a bigger box keeps the data, and its size is real"):
        cores, memory = size()
        resized = project.play("stage1", "-e", "web_instance_type=t3.xlarge",
                               "-e", "web_volume_size=24")  # fmt: skip
        assert re.search(r"t3.xlarge now. It did not serve for at most [\d.]+ s", said(resized))
        assert project.files(picture) == files
        bigger = size()
        assert bigger[0] == 2 * cores
        assert bigger[1] > 7 * memory
        assert int(on_host("df --output=size -BG / | tail -1").rstrip("G")) >= 23

    with subtests.test(
        "a new version comes, and an earlier one comes back, without a failed request"
    ):
        app = tmp_path / "app"
        ignored = shutil.ignore_patterns("__pycache__", ".dev", "tests")
        shutil.copytree(ROOT / "app", app, ignore=ignored)
        source = app / "mustache/__init__.py"
        source.write_text(source.read_text().replace(f'"{version}"', '"99.0.0"'))
        with Visitor(project) as visitor:
            project.play("deploy", "-e", f"app_directory={app}")
            assert project.get("/info?format=json").json()["version"] == "99.0.0"
            project.play("deploy", "-e", f"app_version={version}")
            assert project.get("/info?format=json").json()["version"] == version
        print(f"{visitor.requests} requests, the slowest took {visitor.slowest:.1f} s")
        assert visitor.requests > 100
        assert visitor.failures == []

    with subtests.test("a version that does not start never serves"):
        source.write_text(source.read_text().replace('"99.0.0"', '"99.0.1"'))
        wsgi = app / "service/wsgi.py"
        wsgi.write_text(wsgi.read_text() + '\nraise RuntimeError("broken")\n')
        with Visitor(project) as visitor:
            project.play("deploy", "-e", f"app_directory={app}", code=2)
        assert visitor.failures == []
        assert project.get("/info?format=json").json()["version"] == version

    with subtests.test("a backup brings back what was deleted"):
        copies = tmp_path / "copies"
        copies.mkdir()
        project.play("backup", "-e", f"dump_copy={copies}")
        (copy,) = copies.iterdir()
        project.delete(picture)
        refused = project.play("restore", "-e", "restore_from=latest", code=2)
        assert "confirm_restore=test" in refused
        project.play("restore", "-e", "restore_from=latest", "-e", "confirm_restore=test")
        assert project.get(f"/api/pictures/{picture['id']}").json()["faces"] == picture["faces"]
        assert project.files(picture) == files
        # What the host might read for that, it may not any more.
        assert "(403)" in reading(f"{bucket} dumps/{copy.name} /dev/null")

    with subtests.test("a dump is not restored where pictures of its time may lie in a bucket"):
        s3, pictures = cloud.client("s3"), bucket.replace("-backups-", "-pictures-")
        s3.create_bucket(Bucket=pictures)
        tags = [{"Key": "Project", "Value": "mustache"}, {"Key": "Environment", "Value": "test"}]
        s3.put_bucket_tagging(Bucket=pictures, Tagging={"TagSet": tags})
        words = ["-e", "restore_from=latest", "-e", "confirm_restore=test"]
        refused = project.play("restore", *words, code=2)
        s3.delete_bucket(Bucket=pictures)
        assert f"Pictures of an earlier site are in s3://{pictures}" in said(refused)

    with subtests.test("destroy asks for the word, and leaves nothing but the backups"):
        assert "confirm_destroy=test" in project.play("destroy", code=2)
        assert len(project.untagged()) == 6
        project.play("destroy", "-e", "confirm_destroy=test")
        left = project.left()
        assert [arn.split("-backups-")[0] for arn in left] == ["arn:aws:s3:::mustache-test"]
        assert [each["State"]["Name"] for each in project.instances()] == ["terminated"]
        assert project.untagged() == []
        assert closed(address, 80)
        dumps = cloud.client("s3").list_objects_v2(Bucket=left[0].rpartition(":")[2])
        assert dumps["KeyCount"] >= 2
