"""The JSON API. Every answer is checked against /api/openapi.json, too."""

from io import BytesIO
from urllib.parse import urlencode, urlsplit

import openapi_spec_validator
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from PIL import Image
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.contract.openapi import Description
from tests.contract.site import bearer


@pytest.fixture(scope="session")
def description(site) -> Description:
    with site.visitor() as visitor:
        return Description(visitor.get("/api/openapi.json").json())


@pytest.fixture
def ask(visitor, description):
    """A request to the API whose answer is as described."""

    def ask(method: str, path: str, **options):
        return description.check(visitor.patient(method, path, **options))

    return ask


@pytest.fixture
def upload(visitor, description):
    def upload(*arguments, **options):
        return description.check(visitor.upload_response(*arguments, **options))

    return upload


def test_the_description_is_valid_openapi(description):
    openapi_spec_validator.validate(description.document)


@pytest.mark.parametrize(
    "path", ["/api/pictures", "/api/pictures/{public_id}", "/api/styles"], ids=str
)
def test_reading_holds_what_the_description_says_for_any_input(site, description, path):
    operation = schemathesis.openapi.from_dict(description.document)[path]["GET"]

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    @given(case=operation.as_strategy())
    def holds(case):
        with site.visitor() as visitor:
            case.call_and_validate(
                base_url=site.url,
                session=visitor,
                verify=visitor.verify,
                # A cursor is any string to the description, and the site's own to the site.
                excluded_checks=[positive_data_acceptance],
            )

    holds()


def test_an_upload_says_where_the_faces_are(upload, face):
    body = upload(face, style="handlebar").json()
    assert body["style"] == "handlebar"
    assert (body["width"], body["height"]) == (512, 512)
    [found] = body["faces"]
    # The person's own right is on our left.
    assert found["right_eye"][0] < found["nose"][0] < found["left_eye"][0]
    x, y = found["mustache"]["center"]
    mouth = (found["mouth_right"][1] + found["mouth_left"][1]) / 2
    assert found["nose"][1] < y < mouth
    assert abs(x - found["nose"][0]) < found["mustache"]["width"] / 4
    assert abs(found["roll_degrees"]) < 15


def test_the_original_comes_back_byte_for_byte(visitor, picture, face):
    assert visitor.get(picture["original_url"]).content == face


def test_the_result_is_a_picture_of_the_same_size_and_kind(visitor, picture, face):
    answer = visitor.get(picture["mustached_url"])
    assert answer.headers["Content-Type"] == "image/jpeg"
    with Image.open(BytesIO(face)) as before, Image.open(BytesIO(answer.content)) as after:
        assert before.size == after.size
        (x, y), width = (
            picture["faces"][0]["mustache"]["center"],
            picture["faces"][0]["mustache"]["width"],
        )
        lip = tuple(int(v) for v in (x - width / 4, y - width / 8, x + width / 4, y + width / 8))
        assert difference(before, after, lip) > 10, "a mustache"
        assert difference(before, after, (400, 20, 500, 120)) < 3, "nothing elsewhere"


def difference(one, other, box) -> float:
    """The mean difference of two pictures within the box, in grey levels."""
    pairs = zip(
        one.convert("L").crop(box).tobytes(), other.convert("L").crop(box).tobytes(), strict=True
    )
    differences = [abs(a - b) for a, b in pairs]
    return sum(differences) / len(differences)


def test_the_same_bytes_and_style_are_worked_out_once(upload, picture, face):
    again = upload(face, style="handlebar").json()
    assert again["id"] != picture["id"]
    assert again["mustached_url"] == picture["mustached_url"]
    assert again["faces"] == picture["faces"]


def test_an_upload_without_a_style_gets_one(ask, upload, face):
    names = {style["name"] for style in ask("GET", "/api/styles").json()["styles"]}
    assert upload(face).json()["style"] in names


def test_addresses_are_those_of_the_site(site, visitor, picture):
    for key in ("url", "original_url", "mustached_url"):
        assert urlsplit(picture[key]).scheme in {"http", "https"}
        assert visitor.get(urlsplit(picture[key]).path).status_code == 200


def test_one_picture_can_be_read(ask, picture):
    body = ask("GET", f"/api/pictures/{picture['id']}").json()
    assert body == {key: value for key, value in picture.items() if key != "token"}


def test_the_list_goes_newest_first_and_leads_through_all_pages(ask, upload, face):
    mine = [upload(face, style="dali", listed=True).json()["id"] for _ in range(3)]
    seen, cursor = [], None
    for _ in range(6):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        body = ask("GET", "/api/pictures?" + urlencode(query)).json()
        assert len(body["pictures"]) <= 2
        seen += [picture["id"] for picture in body["pictures"]]
        cursor = body["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    # Others may upload meanwhile.
    assert [public_id for public_id in seen if public_id in mine] == mine[::-1]


def test_unlisted_pictures_are_not_in_the_list(ask, picture):
    body = ask("GET", "/api/pictures?limit=100").json()
    assert picture["id"] not in [listed["id"] for listed in body["pictures"]]


def test_the_token_deletes_the_picture(ask, upload, face):
    body = upload(face).json()
    path = f"/api/pictures/{body['id']}"
    assert ask("DELETE", path).status_code == 401
    assert ask("DELETE", path, headers=bearer("guessed")).status_code == 403
    assert ask("GET", path).status_code == 200
    assert ask("DELETE", path, headers=bearer(body["token"])).status_code == 204
    assert ask("GET", path).status_code == 404
    assert ask("DELETE", path, headers=bearer(body["token"])).status_code == 404


def test_another_pictures_token_does_not(ask, upload, face, picture):
    body = upload(face).json()
    path = f"/api/pictures/{body['id']}"
    assert ask("DELETE", path, headers=bearer(picture["token"])).status_code == 403


def test_there_are_styles_with_drawings(ask, visitor):
    styles = ask("GET", "/api/styles").json()["styles"]
    assert len({style["name"] for style in styles}) >= 8
    answer = visitor.get(styles[0]["preview_url"])
    with Image.open(BytesIO(answer.content)) as drawing:
        assert drawing.has_transparency_data


def test_programs_get_errors_as_json(ask):
    body = ask("GET", "/api/pictures/nothing-is-here-").json()
    assert body["error"] == "not_found"
    assert body["detail"].endswith(".")
