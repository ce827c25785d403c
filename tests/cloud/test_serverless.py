"""Stage 6 from nothing to nothing, as users of the project run it."""

import pytest
from cloud import browser
from cloud.deployer import deployer
from cloud.project import changed

pytestmark = pytest.mark.cloud


@pytest.fixture
def project(cloud, start_project):
    # All visitors of the test share an address, which has a limit by default.
    unlimited = {"UPLOAD_RATE": "0/60", "WORK_RATE": "0/60"}
    return start_project("optimize", "10.128.0.0/16", app_settings=unlimited, **deployer(cloud))


def test_stage_6_from_nothing_to_nothing(project, subtests):
    output = project.play("stage6")
    with subtests.test("the output names the distribution, the API, the functions and the tables"):
        for part in ("CloudFront", "HTTP API", "mustache-optimize-http:live", "optimize-rows"):
            assert part in output

    with subtests.test("there are no hosts, and no network for any"):
        assert project.instances() == []
        owned = [{"Name": "tag:Environment", "Values": [project.name]}]
        assert project.cloud.client("ec2").describe_vpcs(Filters=owned)["Vpcs"] == []

    with subtests.test("the site keeps its contract from functions"):
        project.keeps_contract()

    with (
        subtests.test("a visitor brings a picture with Chromium, and then one for the bucket"),
        browser.browsing(project) as page,
    ):
        path = browser.upload(project, page, "stage6")
        browser.upload_large(page)
        page.goto("/mine")
        assert page.locator(f"a[href$='{path}']").count()

    with subtests.test("--check changes nothing"):
        assert set(changed(project.play("stage6", "--check", "--diff")).values()) == {0}

    with subtests.test("a second run changes nothing"):
        assert set(changed(project.play("stage6")).values()) == {0}

    with subtests.test("destroy leaves nothing at all when the backups go too"):
        project.play("destroy", "-e", "confirm_destroy=optimize", "-e", "destroy_backups=true")
        assert project.left() == project.untagged() == []
