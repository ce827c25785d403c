"""Moves of the database that are cut off after the switch: the app writes to the new server, and
the settings still name the old one. Nothing that was acknowledged may be lost, whatever comes next.

The steps build on each other, so they are one test with a subtest each.
"""

import json

import pytest
from botocore.exceptions import ClientError
from cloud.project import changed, refusing, said

pytestmark = [pytest.mark.cloud, pytest.mark.moves]

REFUSAL = json.dumps({"__type": "AccessDeniedException", "message": "not now"}).encode()


def rows(headers, body):
    """What an API answers that lets nobody note where the rows are."""
    if headers.get("X-Amz-Target", "").endswith(".PutParameter") and b"/state/stores/rows" in body:
        return "application/x-amz-json-1.1", REFUSAL
    return None


class Pictures:
    """What visitors have uploaded, and got a yes for."""

    def __init__(self, project):
        self.project = project
        self.kept = []

    def add(self):
        picture = self.project.upload()
        self.kept.append((picture, self.project.files(picture)))

    def all_there(self):
        return all(self.project.files(picture) == files for picture, files in self.kept)


def test_a_move_that_is_cut_off_loses_nothing(cloud, start_project, subtests):
    project = start_project("move", "10.150.0.0/16")
    pictures = Pictures(project)

    def noted():
        ssm, path = cloud.client("ssm"), "/mustache/move/state"
        found = ssm.get_parameters_by_path(Path=path, Recursive=True)
        return {each["Name"].rsplit("/", 1)[1]: each["Value"] for each in found["Parameters"]}

    def setting():
        name = "/mustache/move/web/DATABASE_URL"
        return cloud.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]

    def rds():
        return cloud.client("rds").describe_db_instances(DBInstanceIdentifier="mustache-move")

    project.play("stage1")
    pictures.add()

    with subtests.test("cut off after the switch, it says so, and the site takes writes"):
        with refusing(cloud.endpoint, rows) as endpoint:
            output = project.play("stage3", "-e", f"aws_endpoint_url={endpoint}", code=2)
        assert "Run the same playbook again to finish the move" in said(output)
        assert "%2Frun" in setting()
        assert noted()["rows"] == "instance"
        assert pictures.all_there()
        pictures.add()

    with subtests.test("what the app has left is not taken for a backup"):
        assert "the app has left this database" in said(project.play("backup", code=2))

    with subtests.test("the same playbook finishes it"):
        output = project.play("stage3")
        assert "every row compared on both servers" in said(output)
        assert "mustache-move." in setting()
        # The app believes nobody but whom AWS's authorities vouch for.
        assert "sslmode=verify-full&sslrootcert=" in setting()
        assert (noted()["stage"], noted()["rows"]) == ("3", "rds")
        assert pictures.all_there()
        pictures.add()

    with subtests.test("what the move has left behind was dumped before it went"):
        bucket = project.bucket("backups")
        assert cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix="dumps/")["KeyCount"] > 0

    with subtests.test("one-off work runs on a host that can be reached"):
        assert "[X] 0001_initial" in project.play(
            "manage", "-e", "manage='showmigrations pictures'"
        )

    with subtests.test("from stage 1 to 3 in one go, a second run changes nothing"):
        assert set(changed(project.play("stage3")).values()) == {0}

    with subtests.test("the database grows, exports its log and is not deleted by mistake"):
        (found,) = rds()["DBInstances"]
        assert found["MaxAllocatedStorage"] > found["AllocatedStorage"]
        assert found["EnabledCloudwatchLogsExports"] == ["postgresql", "upgrade"]
        assert found["DeletionProtection"]
        assert not found["PubliclyAccessible"]

    with subtests.test("one host of the two makes the daily dump"):
        ask = ("systemctl", "is-enabled", "mustache-backup.timer")
        hosts = ("mustache-move-web-1", "mustache-move-web-2")
        said_by = [cloud.run("ssh", host, *ask, check=False).stdout.strip() for host in hosts]
        assert said_by == ["enabled", "disabled"]

    with subtests.test("the same on the way down"):
        with refusing(cloud.endpoint, rows) as endpoint:
            output = project.play("stage1", "-e", f"aws_endpoint_url={endpoint}", code=2)
        assert "Run the same playbook again to finish the move" in said(output)
        assert rds()
        pictures.add()

    with subtests.test("the playbook of another stage finds the database and moves it back"):
        output = project.play("stage3")
        assert "every row compared on both servers" in said(output)
        assert "mustache-move." in setting()
        assert pictures.all_there()

    with subtests.test("destroy does not leave data without a backup"):
        ids = [each["InstanceId"] for each in project.instances("running")]
        cloud.client("ec2").stop_instances(InstanceIds=ids)
        refused = project.play("destroy", "-e", "confirm_destroy=move", code=2)
        assert "last_backup=false" in refused
        assert rds()

    with subtests.test("unless it is told to"):
        project.play("destroy", "-e", "confirm_destroy=move", "-e", "last_backup=false")
        with pytest.raises(ClientError, match="not found"):
            rds()
