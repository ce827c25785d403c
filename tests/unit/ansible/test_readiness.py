"""module_utils/readiness.py: what an account lacks."""

from module_utils import readiness


def test_a_quota_that_holds():
    assert readiness.quota("Elastic IPs", 5, 4, 1) == (
        ["Elastic IPs: 4 of 5 used, 1 more wanted"],
        [],
    )


def test_a_quota_that_does_not_hold_says_where_to_ask():
    _, problems = readiness.quota("Elastic IPs", 5, 5, 1)

    assert problems == [
        "Elastic IPs: 5 of 5 used, 1 more wanted: ask for more in the Service Quotas console"
    ]


def test_a_quota_that_nobody_tells_is_no_problem():
    assert readiness.quota("vCPUs", None, 2, 2) == (["vCPUs: 2 used, the quota is not known"], [])


def test_zones():
    assert readiness.zones(["a1", "a2"], ["a1", "a2", "a3"]) == (["zones: a1, a2"], [])
    assert readiness.zones(["b1"], ["a1"])[1] == ["zones b1 are not there; the region has a1"]


def test_instance_types_have_to_be_offered_in_every_zone():
    assert readiness.offered("t3.small", ["a", "b"], ["b", "a"])[1] == []
    assert readiness.offered("t3.small", ["a", "b"], ["a"])[1] == ["t3.small is not offered in b"]


def test_the_newest_image_is_named():
    images = [
        {"ImageId": "ami-1", "Name": "debian-13-amd64-1", "CreationDate": "2026-01-01T00:00:00Z"},
        {"ImageId": "ami-2", "Name": "debian-13-amd64-2", "CreationDate": "2026-02-01T00:00:00Z"},
    ]

    assert readiness.image("debian-13-*", "1", images) == (["image: ami-2 debian-13-amd64-2"], [])
    assert readiness.image("debian-13-*", "1", [])[1] == [
        "no image debian-13-* of 1 is visible here"
    ]


def test_a_hosted_zone_has_to_be_there():
    assert readiness.hosted_zone("example.com", ["example.com."])[1] == []
    assert "there is no hosted zone" in readiness.hosted_zone("example.com", ["other.com."])[1][0]
