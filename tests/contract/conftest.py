"""The site under test, visitors to it, and pictures to bring."""

import io
import os
from pathlib import Path

import pytest
import requests
import skimage.data
import sklearn.datasets
from PIL import Image

from tests.contract.site import Site, Visitor
from tests.localhost import resolve_localhost

BASE_URL = "http://mustache.localhost:8080"


def pytest_addoption(parser):
    group = parser.getgroup("contract")
    group.addoption(
        "--base-url",
        default=os.environ.get("BASE_URL") or BASE_URL,
        help=f"the site to test (default: $BASE_URL or {BASE_URL})",
    )
    group.addoption(
        "--ca-file",
        default=os.environ.get("CA_FILE") or None,
        help="certificate authority to trust, PEM (default: $CA_FILE, else the system's)",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    # The test of the rate limit uses it up.
    items.sort(key=lambda item: item.path.name == "test_rate_limit.py")


@pytest.fixture(scope="session")
def site(request) -> Site:
    resolve_localhost()
    base_url = request.config.option.base_url
    site = Site(base_url, request.config.option.ca_file)
    try:
        site.open()
    except requests.RequestException as error:
        pytest.exit(f"No site to test at {base_url} (`make stage1` makes one): {error}", 2)
    yield site
    site.close()


@pytest.fixture
def visitor(site) -> Visitor:
    """Someone new to the site."""
    with site.visitor() as visitor:
        yield visitor


@pytest.fixture
def stranger(site) -> Visitor:
    """Someone else."""
    with site.visitor() as visitor:
        yield visitor


def new_portrait() -> bytes:
    """512 x 512 JPEG, whose bytes no one has brought before."""
    with Image.open(Path(skimage.data.__file__).parent / "astronaut.png") as picture:
        portrait = picture.convert("RGB")
    # In the corner, where no face is.
    noise = Image.frombytes("RGB", (16, 16), os.urandom(16 * 16 * 3))
    portrait.paste(noise, (0, 0))
    out = io.BytesIO()
    portrait.save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.fixture(scope="session")
def face() -> bytes:
    return new_portrait()


@pytest.fixture
def new_face() -> bytes:
    return new_portrait()


@pytest.fixture(scope="session")
def no_face() -> bytes:
    """A flower, JPEG."""
    return (Path(sklearn.datasets.__file__).parent / "images" / "flower.jpg").read_bytes()


@pytest.fixture(scope="session")
def picture(site, face) -> dict:
    """What the API said to one upload, for the tests that only look."""
    with site.visitor() as visitor:
        return visitor.upload(face, style="handlebar")
