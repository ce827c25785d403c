"""A visitor with headless Chromium."""

import io
import os
import re
from contextlib import contextmanager
from urllib.parse import urlsplit

from cloud.project import PICTURE, ROOT
from PIL import Image, ImageChops
from playwright.sync_api import sync_playwright

SCREENSHOTS = ROOT / "artifacts" / "screenshots"
# Nose to chin of the astronaut, in pixels.
LOWER_FACE = range(165, 295), range(95, 215)


@contextmanager
def browsing(project):
    """A window on the site."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        # Chromium does not know the local authority; all other requests of the tests are verified.
        page = browser.new_page(base_url=project.url, ignore_https_errors=True)
        try:
            yield page
        finally:
            browser.close()


def upload(project, page, screenshot):
    """Bring the picture by the form and see its mustache; the path of its page."""
    page.goto("/")
    page.set_input_files("#image", PICTURE)
    page.get_by_role("radio", name="Handlebar").check(force=True)
    page.get_by_role("button", name="Grow the mustache").click()
    page.wait_for_url(re.compile(r"/p/[\w-]{16}$"))
    before, after = (shown(project, page.locator(f".{which} img")) for which in ("before", "after"))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{screenshot}.png", full_page=True)
    # Dark on skin, which no encoder makes of it.
    drawn = ImageChops.difference(before, after).point(lambda value: 255 * (value > 60))
    left, top, right, bottom = drawn.getbbox()
    assert {left, right} <= set(LOWER_FACE[0])
    assert {top, bottom} <= set(LOWER_FACE[1])
    return urlsplit(page.url).path


def upload_large(page):
    """Bring one that no function takes in a request: its bytes go to the bucket, from the page."""
    sent = []
    page.on("requestfinished", lambda request: sent.append((request.method, request.url)))
    page.goto("/")
    noise = Image.frombytes("RGB", (1600, 1200), os.urandom(3 * 1600 * 1200))
    out = io.BytesIO()
    noise.save(out, "PNG", compress_level=0)
    file = {"name": "large.png", "mimeType": "image/png", "buffer": out.getvalue()}
    page.set_input_files("#image", [file])
    page.get_by_role("button", name="Grow the mustache").click()
    page.wait_for_url(re.compile(r"/p/[\w-]{16}$"))
    site = urlsplit(page.url).netloc
    elsewhere = {
        urlsplit(url).path
        for method, url in sent
        if method == "POST" and urlsplit(url).netloc != site
    }
    assert len(elsewhere) == 1, sent


def shown(project, image):
    """The picture in grey, once the browser has it."""
    image.wait_for()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    answer = project.get(urlsplit(image.get_attribute("src")).path)
    return Image.open(io.BytesIO(answer.content)).convert("L")
