"""Stage 4 from nothing to nothing, as users of the project run it."""

from urllib.parse import urlsplit

import pytest
from cloud import browser
from cloud.deployer import deployer
from cloud.project import PICTURE, changed
from PIL import Image, ImageOps

pytestmark = pytest.mark.cloud


@pytest.fixture
def project(cloud, start_project):
    # All visitors of the test share an address, which has a limit by default.
    unlimited = {"UPLOAD_RATE": "0/60", "WORK_RATE": "0/60"}
    return start_project("adapt", "10.129.0.0/16", app_settings=unlimited, **deployer(cloud))


def test_stage_4_from_nothing_to_nothing(project, subtests, tmp_path):
    output = project.play("stage4")
    with subtests.test("the output names the distribution, the buckets, the table and the cache"):
        for part in ("CloudFront", "mustache-adapt-sessions", "Valkey", "pictures"):
            assert part in output

    with subtests.test("the site keeps its contract through CloudFront"):
        project.keeps_contract()

    with (
        subtests.test("a visitor brings a picture with Chromium"),
        browser.browsing(project) as page,
    ):
        path = browser.upload(project, page, "stage4")
        page.goto("/mine")
        assert page.locator(f"a[href$='{path}']").count()

    with subtests.test("CloudFront keeps it for those who come later"):
        path = urlsplit(project.upload()["mustached_url"]).path
        answers = [project.get(path) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[1].headers["X-Cache"] == "Hit from cloudfront"

    with subtests.test("and answers those who look at the gallery at the same time"):
        # Of three the copy may end before one.
        answers = [project.get("/gallery") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert "Hit from cloudfront" in [answer.headers["X-Cache"] for answer in answers[1:]]
        # Who has brought something shares with nobody, and sees it at once.
        own = project.get("/gallery", **{"__Host-mustache_session": "somebody"})
        assert own.headers["X-Cache"] == "Miss from cloudfront"

    with subtests.test("--check changes nothing"):
        assert set(changed(project.play("stage4", "--check", "--diff")).values()) == {0}

    with subtests.test("a second run changes nothing"):
        assert set(changed(project.play("stage4")).values()) == {0}

    with subtests.test("restore brings rows and files back together"):
        # Nobody else has it: its bytes go with it, from the bucket and from CloudFront.
        mirrored = tmp_path / "mirrored.png"
        ImageOps.mirror(Image.open(PICTURE)).save(mirrored)
        picture = project.upload(mirrored)
        files = project.files(picture)
        project.play("backup")
        project.delete(picture)
        assert project.get(urlsplit(picture["mustached_url"]).path).status_code == 404
        project.play("restore", "-e", "restore_from=latest", "-e", "confirm_restore=adapt")
        assert project.files(picture) == files

    with subtests.test("destroy leaves nothing at all when the backups go too"):
        project.play("destroy", "-e", "confirm_destroy=adapt", "-e", "destroy_backups=true")
        assert project.left() == project.untagged() == []
