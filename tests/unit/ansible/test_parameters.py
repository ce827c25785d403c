"""module_utils/parameters.py: what has to be done for a path of SSM parameters."""

from module_utils.parameters import ALPHABET, fingerprint, generate, plan, shown

SECRET = {"name": "SECRET_KEY", "value": None, "generate": 64, "overwrite": True}
URL = {"name": "SITE_URL", "value": "https://a.test", "generate": None, "overwrite": True}


def plain(value, version=1):
    return {"type": "String", "value": value, "version": version}


def secret(value="s3cret", version=1):
    return {"type": "SecureString", "value": value, "version": version}


def test_everything_is_written_where_nothing_is():
    puts, deletes, after = plan({}, [SECRET, URL], purge=True)

    assert puts == [SECRET, URL]
    assert deletes == []
    assert after == {"SECRET_KEY": secret(None), "SITE_URL": plain("https://a.test")}


def test_what_is_as_wanted_stays():
    current = {"SECRET_KEY": secret(), "SITE_URL": plain("https://a.test", 3)}

    assert plan(current, [SECRET, URL], purge=True) == ([], [], current)


def test_a_secret_is_never_generated_again():
    puts, _, after = plan({"SECRET_KEY": secret("old", 7)}, [SECRET], purge=True)

    assert puts == []
    assert after["SECRET_KEY"]["value"] == "old"


def test_a_changed_value_is_written_with_the_next_version():
    puts, _, after = plan({"SITE_URL": plain("https://b.test", 4)}, [URL], purge=True)

    assert puts == [URL]
    assert after["SITE_URL"] == plain("https://a.test", 5)


def test_a_value_that_may_not_be_overwritten_stays():
    current = {"SITE_URL": plain("https://b.test", 4)}

    assert plan(current, [URL | {"overwrite": False}], purge=True) == ([], [], current)


def test_what_is_not_listed_goes_only_when_purging():
    current = {"OLD": plain("x"), "SITE_URL": plain("https://a.test")}

    assert plan(current, [URL], purge=True)[1:] == (["OLD"], {"SITE_URL": current["SITE_URL"]})
    assert plan(current, [URL], purge=False)[1:] == ([], current)


def test_the_fingerprint_follows_versions_and_names_and_never_a_secret():
    one = fingerprint({"A": secret("x"), "B": plain("y")})

    assert one == fingerprint({"B": plain("y"), "A": secret("another")})
    assert one != fingerprint({"A": secret("x", 2), "B": plain("y")})
    assert one != fingerprint({"A": secret("x")})


def test_secrets_are_not_shown():
    assert shown({"B": secret("x"), "A": plain("y")}) == {"A": "y", "B": "(secret)"}


def test_a_secret_has_its_length_and_differs_every_time():
    first, second = generate(64), generate(64)

    assert len(first) == 64
    assert set(first) <= set(ALPHABET)
    assert first != second


def test_what_is_named_goes_also_without_purging():
    current = {"OLD": plain("x"), "SITE_URL": plain("https://a.test")}

    found = plan(current, [URL], purge=False, absent=["OLD", "NEVER"])

    assert found == ([], ["OLD"], {"SITE_URL": current["SITE_URL"]})
