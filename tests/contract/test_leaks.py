"""Nothing of one visitor reaches another, whatever cache is on the way and has seen the other's."""

import pytest

from tests.contract.conftest import new_portrait
from tests.contract.test_caching import NOT_THERE, PAGES, PROGRAMS, SHARED


@pytest.fixture
def two(visitor, stranger) -> list[tuple]:
    """Both, each with a session and the page of an unlisted picture."""
    return [(each, each.upload_by_form(new_portrait())) for each in (visitor, stranger)]


def test_nobody_gets_what_is_anothers(two):
    (mine, my_page), (other, other_page) = two
    secrets = [cookie.value for cookie in mine.cookies]
    assert len(secrets) == 2, "a session, and the token of forms"
    ids = [page.rpartition("/")[2] for page in (my_page, other_page)]
    for path in {
        each.format(id=name) for each in PAGES + PROGRAMS + SHARED + NOT_THERE for name in ids
    }:
        for _ in range(2):
            mine.get(path)
        answer = other.get(path)
        said = answer.text + str(answer.headers)
        assert not [each for each in secrets if each in said], path
        assert not (
            "Set-Cookie" in answer.headers and "Hit" in answer.headers.get("X-Cache", "")
        ), path
        assert ids[0] in path or ids[0] not in said, path


def test_lists_and_forms_are_ones_own(two):
    (mine, my_page), (other, other_page) = two
    for _ in range(2):
        for path in ("/", "/mine", my_page, other_page):
            mine.page(path)
    assert my_page not in other.page("/mine").links
    assert other_page in other.page("/mine").links
    assert other.page(other_page).all("form", action=f"{other_page}/delete")
    assert not other.page(my_page).all("form", action=f"{my_page}/delete")
    # A token that was somebody else's would be refused.
    assert other.submit("/", other.page("/")).status_code == 400
    assert other.delete_by_form(other_page).status_code == 303
    assert mine.get(my_page).status_code == 200
