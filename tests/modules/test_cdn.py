"""The modules for CloudFront against a real edge (`make test-modules`)."""

import pytest
from cloud.test_modules import play

pytestmark = pytest.mark.cloud


def test_a_distribution_is_made_changed_and_removed(cloud, variables):
    cloudfront = cloud.client("cloudfront")

    def found() -> list[dict]:
        listed = cloudfront.list_distributions()["DistributionList"].get("Items", [])
        return [each for each in listed if each["Comment"].endswith(" minutes")]

    assert play(cloud, "cloudfront", variables) == 5
    assert play(cloud, "cloudfront", variables) == 0
    (made,) = found()
    assert made["Status"] == "Deployed"
    assert [each["PathPattern"] for each in made["CacheBehaviors"]["Items"]] == ["/b/*", "/a/*"]
    changes = ("-e", "minutes=20")
    assert play(cloud, "cloudfront", variables, *changes, "--check", "--diff") == 2
    assert found() == [made]
    assert play(cloud, "cloudfront", variables, *changes) == 2
    assert play(cloud, "cloudfront", variables, *changes) == 0
    assert play(cloud, "cloudfront", variables, "-e", "state=absent", "--check") == 4
    assert play(cloud, "cloudfront", variables, "-e", "state=absent") == 4
    assert play(cloud, "cloudfront", variables, "-e", "state=absent") == 0
    assert found() == []
