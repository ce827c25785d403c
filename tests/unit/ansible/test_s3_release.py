"""library/s3_release.py, with a bucket in memory."""

import io
from datetime import UTC, datetime, timedelta

import pytest

from library.s3_release import content_type, plan
from tests.unit.ansible.aws import Failed

START = datetime(2026, 1, 1, tzinfo=UTC)


class Bucket:
    """What the module asks of S3; each object is a minute younger than the one before."""

    def __init__(self):
        self.objects, self.puts = {}, []

    def get_paginator(self, operation):
        assert operation == "list_objects_v2"
        return self

    def paginate(self, Bucket, Prefix):
        found = [
            {"Key": key, "LastModified": each["time"]}
            for key, each in self.objects.items()
            if key.startswith(Prefix)
        ]
        return [{"Contents": found[:1]}, {"Contents": found[1:]}] if found else [{}]

    def get_object(self, Bucket, Key):
        return {"Body": io.BytesIO(self.objects[Key]["Body"])}

    def put_object(self, Bucket, Key, **options):
        self.puts.append(Key)
        time = START + timedelta(minutes=len(self.puts))
        self.objects[Key] = options | {"time": time}

    def delete_objects(self, Bucket, Delete):
        for each in Delete["Objects"]:
            del self.objects[each["Key"]]

    def files(self):
        return {key.removeprefix("static/") for key in self.objects if key.startswith("static/")}


@pytest.fixture
def bucket():
    return Bucket()


@pytest.fixture
def release(run, bucket, tmp_path):
    """Bring a release with files of these names."""

    def release(name, *files, keep=3, **options):
        folder = tmp_path / name
        for file in files:
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file)
        return run(
            "s3_release", bucket, bucket="static", folder=str(folder), prefix="static/",
            release=name, keep=keep, cache_control="immutable", notes="releases/", **options,
        )  # fmt: skip

    return release


def test_files_are_brought_with_what_browsers_have_to_know(release, bucket):
    found = release("1", "a/site.1.css", "logo.2.svg")

    assert found["changed"]
    assert found["brought"] == ["static/a/site.1.css", "static/logo.2.svg"]
    site = bucket.objects["static/a/site.1.css"]
    assert site["Body"] == b"a/site.1.css"
    assert site["ContentType"] == "text/css; charset=utf-8"
    assert site["CacheControl"] == "immutable"


def test_a_release_is_noted_when_all_of_it_is_there(release, bucket):
    release("1", "a.css", "b.css")

    assert bucket.puts[-1] == "releases/1.json"


def test_a_second_time_nothing_changes(release, bucket):
    release("1", "a.css")
    puts = list(bucket.puts)
    found = release("1", "a.css")

    assert not found["changed"]
    assert bucket.puts == puts


def test_what_only_older_releases_had_goes(release, bucket):
    release("1", "old.css", "same.css", keep=2)
    release("2", "two.css", "same.css", keep=2)
    found = release("3", "three.css", keep=2)

    assert found["removed"] == ["static/old.css"]
    assert found["releases"] == ["3", "2"]
    assert bucket.files() == {"two.css", "three.css", "same.css"}
    assert "releases/1.json" not in bucket.objects


def test_going_back_makes_a_release_the_last_one(release, bucket):
    for name in ("1", "2", "3"):
        release(name, f"{name}.css", keep=2)
    release("2", "2.css", keep=2)
    found = release("4", "4.css", keep=2)

    assert found["releases"] == ["4", "2"]
    assert bucket.files() == {"2.css", "4.css"}


def test_what_a_cut_off_run_left_out_is_brought(release, bucket):
    release("1", "a.css", "b.css")
    del bucket.objects["static/b.css"], bucket.objects["releases/1.json"]
    found = release("1", "a.css", "b.css")

    assert found["brought"] == ["static/b.css"]
    assert "releases/1.json" in bucket.objects


def test_in_check_mode_it_only_says_what_it_would_do(release, bucket):
    release("1", "a.css", keep=1)
    before = dict(bucket.objects)
    found = release("2", "b.css", keep=1, check_mode=True)

    assert (found["changed"], found["brought"], found["removed"]) == (
        True, ["static/b.css"], ["static/a.css"]
    )  # fmt: skip
    assert found["diff"]["after"] == {"releases": ["2"], "files": ["static/b.css"]}
    assert bucket.objects == before


@pytest.mark.parametrize(("option", "said"), [({"keep": 0}, "keep: 0"), ({}, "no folder")])
def test_what_makes_no_sense_is_refused(release, option, said):
    files = ["a.css"] if option else []

    with pytest.raises(Failed, match=said):
        release("1", *files, **option)


def test_a_file_that_two_releases_have_stays_with_either():
    noted = {"2": ["s/a"], "1": ["s/a", "s/b"]}

    assert plan(["s/a", "s/b"], noted, "3", ["s/c"], 2) == (["s/c"], ["s/b"], ["3", "2"], ["1"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.woff2", "font/woff2"),
        ("a.avif", "image/avif"),
        ("a.unheard-of", "application/octet-stream"),
    ],
)
def test_what_a_file_is_shows_in_its_name(name, kind):
    assert content_type(name) == kind
