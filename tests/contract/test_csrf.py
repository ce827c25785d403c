"""Other sites cannot act in a visitor's name."""

import pytest

from tests.contract.site import CSRF_FIELD


@pytest.fixture
def own(visitor, face) -> str:
    """The page of a picture that the visitor uploaded."""
    return visitor.upload_by_form(face)


def test_a_form_without_its_token_is_refused(site, visitor, own):
    for path in ("/", f"{own}/style", f"{own}/delete"):
        answer = visitor.post(path, data={"style": "dali"}, headers={"Origin": site.url})
        assert answer.status_code == 403, path
    assert visitor.get(own).status_code == 200


def test_a_form_with_another_visitors_token_is_refused(visitor, stranger, own):
    token = stranger.page("/").csrf_token
    answer = visitor.post(f"{own}/delete", data={CSRF_FIELD: token})
    assert answer.status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_form_of_another_site_is_refused(visitor, own, origin):
    page = visitor.page(own)
    answer = visitor.submit(f"{own}/delete", page, Origin=origin)
    assert answer.status_code == 403
    assert visitor.get(own).status_code == 200


def test_a_cookie_alone_deletes_nothing_through_the_api(visitor, own):
    public_id = own.rpartition("/")[2]
    assert visitor.delete(f"/api/pictures/{public_id}").status_code == 403
    assert visitor.get(own).status_code == 200


def test_a_cookie_with_the_token_does(site, visitor, own):
    public_id = own.rpartition("/")[2]
    headers = {
        "X-CSRFToken": visitor.page(own).csrf_token,
        "Origin": site.url,
        "Referer": site.url + "/",
    }
    assert visitor.delete(f"/api/pictures/{public_id}", headers=headers).status_code == 204
    assert visitor.get(own).status_code == 404


def test_reading_with_a_form_changes_nothing(visitor, own):
    for action in ("style", "delete"):
        assert visitor.get(f"{own}/{action}").status_code == 405
    assert visitor.get(own).status_code == 200
