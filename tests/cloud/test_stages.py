"""Stage 3 and down again, as users of the project run them: one site, one story.

The steps build on each other, so they are one test with a subtest each. Moves of the database are
in test_move.py; every move, with visitors who must lose nothing, is in tests/ladder.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from cloud import browser
from cloud.deployer import deployer
from cloud.project import Visitor, changed, closed

pytestmark = pytest.mark.cloud


@pytest.fixture
def project(cloud, start_project):
    # All visitors of the test share an address, which has a limit by default.
    unlimited = {"UPLOAD_RATE": "0/60", "WORK_RATE": "0/60"}
    return start_project("stages", "10.149.0.0/16", app_settings=unlimited, **deployer(cloud))


def test_from_nothing_to_stage_3_and_down(cloud, project, subtests):
    output = project.play("stage3")
    with subtests.test("the output names both hosts, the balancer and the standby"):
        for part in ("stages-web-1", "stages-web-2", "load balancer", "synchronous standby"):
            assert part in output

    with subtests.test("the hosts are in two zones"):
        graph = project.graph()
        for zone, number in (("a", 1), ("b", 2)):
            assert f"|--@zone_us_east_1{zone}:\n  |  |--mustache-stages-web-{number}\n" in graph

    with subtests.test("public addresses that they keep lead nobody past the balancer"):
        for host in project.instances("running"):
            address = host["PublicIpAddress"]
            assert [port for port in (80, 443, 8000) if not closed(address, port)] == []
            metadata = host["MetadataOptions"]
            assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 1)

    with subtests.test("a second run changes nothing"):
        assert set(changed(project.play("stage3")).values()) == {0}

    with subtests.test("--check changes nothing, while the site keeps its contract"):
        with ThreadPoolExecutor(1) as beside:
            announced = beside.submit(project.play, "stage3", "--check", "--diff")
            project.keeps_contract()
        assert set(changed(announced.result()).values()) == {0}

    with subtests.test("a web host dies, and visitors notice for 5 s at most"):
        said = project.play("drills/web_host_dies", "-e", "drill_seconds=1")
        assert "All as promised." in said

    with subtests.test("a release that never gets ready is rolled out, and nobody notices"):
        assert "All as promised." in project.play("drills/broken_deploy")

    with subtests.test("advice reads what the cloud has measured of it"):
        said = project.play("advise")
        assert "is at stage 3 (Forklift), since 20" in said
        # Five minutes have to be over before there is more to say.
        assert "=> Stay" in said or "limb" in said
        assert "<- now" in said

    with subtests.test("what goes for good goes only when somebody has agreed"):
        refused = project.play("stage2", "-e", "confirm=no", code=2)
        assert "remove   entry balancer, host mustache-stages-web-2" in refused
        assert len(project.instances("running")) == 2

    picture = project.upload()
    files = project.files(picture)
    with browser.browsing(project) as page:
        path = browser.upload(project, page, "stage3")

        def kept():
            """Whether the site has the picture and knows the visitor."""
            page.goto("/mine")
            assert page.locator(f"a[href$='{path}']").count()
            return project.files(picture) == files

        assert kept()
        with subtests.test("at stage 2 pictures and sessions are those of before"):
            with Visitor(project) as visitor:
                project.play("stage2")
            assert kept()
            assert visitor.failures == []

    with subtests.test("a second run changes nothing here either"):
        assert set(changed(project.play("stage2")).values()) == {0}

    with subtests.test("what RDS had is at stage 1, and in a dump that brings it back"):
        before = datetime.now(UTC)
        project.play("stage1")
        assert cloud.client("rds").describe_db_instances()["DBInstances"] == []
        assert project.files(picture) == files
        dumps = cloud.client("s3").list_objects_v2(
            Bucket=project.bucket("backups"), Prefix="dumps/2"
        )["Contents"]
        last = max(dumps, key=lambda each: each["LastModified"])
        assert last["LastModified"] > before
        project.delete(picture)
        project.play("restore", "-e", f"restore_from={last['Key']}", "-e", "confirm_restore=stages")
        assert project.files(picture) == files

    with subtests.test("destroy leaves nothing at all when the backups go too"):
        project.play("destroy", "-e", "confirm_destroy=stages", "-e", "destroy_backups=true")
        assert project.left() == project.untagged() == []
