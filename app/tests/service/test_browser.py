"""The pages in headless Chromium; artifacts/screenshots/ has what they looked like."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SCREENSHOTS = Path(__file__).parents[3] / "artifacts" / "screenshots"
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, sqlite_site):
    """Opens a browser window of a new visitor; fails on anything the console complains about."""
    contexts, complaints = [], []

    def new(viewport: dict = DESKTOP, **options) -> Page:
        context = chromium.new_context(viewport=viewport, base_url=sqlite_site.url, **options)
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
        return page

    new.complaints = complaints
    yield new
    for context in contexts:
        context.close()
    assert not complaints


def shoot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def assert_fits(page: Page) -> None:
    """Nothing makes the page scroll sideways."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0


@pytest.fixture
def picture(tmp_path, other_face) -> Path:
    path = tmp_path / "me.png"
    path.write_bytes(other_face)
    return path


def upload(page: Page, picture: Path, style: str = "Handlebar") -> None:
    page.goto("/")
    page.set_input_files("#image", picture)
    page.get_by_role("radio", name=style).check(force=True)
    page.get_by_role("button", name="Grow the mustache").click()
    page.wait_for_url(re.compile(r"/p/[\w-]{16}$"))


def test_who_finds_others_being_served_waits_and_is_served(visit, picture):
    page = visit()
    busy = {"status": 503, "headers": {"Retry-After": "1"}, "json": {"detail": "Too many."}}
    told = iter([busy, busy])

    def answer(route):
        refused = next(told, None) if route.request.method == "POST" else None
        return route.fulfill(**refused) if refused else route.continue_()

    page.route("**/", answer)
    page.goto("/")
    page.set_input_files("#image", picture)
    page.get_by_role("button", name="Grow the mustache").click()
    expect(page.get_by_text("Others are in the chair")).to_be_visible()
    page.wait_for_url(re.compile(r"/p/[\w-]{16}$"))
    assert all("503" in complaint for complaint in visit.complaints)
    visit.complaints.clear()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_upload_change_share_delete(visit, picture, viewport):
    kind = "phone" if viewport is PHONE else "desktop"
    page = visit(viewport, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/")
    expect(page).to_have_title("Simple Mustache Service")
    assert_fits(page)
    shoot(page, f"home-{kind}")
    page.set_input_files("#image", picture)
    expect(page.locator("[data-chosen]")).to_be_visible()
    expect(page.locator("[data-status]")).to_have_text("me.png is ready.")
    shoot(page, f"home-chosen-{kind}")
    upload(page, picture)
    assert_fits(page)
    shoot(page, f"result-{kind}")

    # The slider, by keyboard.
    slider = page.get_by_role("slider")
    before = page.locator(".before").evaluate("e => getComputedStyle(e).clipPath")
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert page.locator(".before").evaluate("e => getComputedStyle(e).clipPath") != before

    # The style, in place.
    old = page.locator(".after img").get_attribute("src")
    page.get_by_role("radio", name="Walrus").check(force=True)
    expect(page.locator(".side [data-status]")).to_have_text("Now: Walrus.")
    assert page.locator(".after img").get_attribute("src") != old
    expect(page.get_by_role("slider")).to_have_count(1)

    # The link, for someone else.
    page.get_by_role("button", name="Copy").click()
    expect(page.locator(".side [data-status]")).to_have_text("Copied.")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    other = visit(viewport)
    other.goto(link)
    expect(other.locator(".after img")).to_be_visible()
    expect(other.get_by_text("Delete this picture")).to_have_count(0)

    # Gone, for both.
    page.get_by_text("Delete this picture").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("status")).to_contain_text("Gone")
    shoot(page, f"mine-{kind}")
    assert other.goto(link).status == 404
    shoot(other, f"not-found-{kind}")
    visit.complaints[:] = [line for line in visit.complaints if "404" not in line]


def test_download_brings_the_full_picture(visit, picture):
    page = visit()
    upload(page, picture)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "mustache-handlebar.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_upload_without_javascript(visit, picture):
    page = visit(PHONE, java_script_enabled=False)
    page.goto("/")
    shoot(page, "home-without-javascript")
    page.set_input_files("#image", picture)
    page.get_by_role("radio", name="Chevron").check(force=True)
    page.get_by_role("button", name="Grow the mustache").click()
    page.wait_for_url(re.compile("/p/"))
    expect(page.get_by_role("img", name="1 face with the Chevron mustache")).to_be_visible()
    expect(page.get_by_role("img", name="The same picture before")).to_be_visible()
    left, right = (page.locator(f".{each} img").bounding_box() for each in ("before", "after"))
    assert left["x"] < right["x"]
    shoot(page, "result-without-javascript")
    page.get_by_role("radio", name="Walrus").check(force=True)
    page.get_by_role("button", name="Change the style").click()
    expect(page.get_by_role("img", name="1 face with the Walrus mustache")).to_be_visible()


def posts(page: Page) -> list[tuple[str, str]]:
    """Path and body of what the page sends, from now on."""
    seen = []
    page.on(
        "request",
        lambda request: (
            request.method == "POST"
            and seen.append((urlsplit(request.url).path, str(request.post_data_buffer or "")))
        ),
    )
    return seen


def test_the_picture_goes_where_the_site_says(visit, picture):
    page = visit()
    sent = posts(page)
    upload(page, picture)
    assert [path for path, _ in sent] == ["/api/uploads", "/api/uploads/file", "/"]
    assert 'name="key"' in sent[2][1]
    assert 'name="image"' not in sent[2][1]


@pytest.mark.parametrize("broken", ["**/api/uploads", "**/api/uploads/file"])
def test_the_form_brings_the_picture_when_it_cannot_go_elsewhere(visit, picture, broken):
    page = visit()
    page.route(broken, lambda route: route.fulfill(status=503))
    upload(page, picture)
    expect(page.get_by_role("img", name="1 face with the Handlebar mustache")).to_be_visible()
    visit.complaints[:] = [line for line in visit.complaints if "503" not in line]


def test_before_is_before_of_a_see_through_picture_too(visit, astronaut, tmp_path):
    image = astronaut.convert("RGBA")
    image.putalpha(120)
    path = tmp_path / "see-through.png"
    image.save(path)
    page = visit()
    upload(page, path)
    expect(page.get_by_role("img", name="1 face with the Handlebar mustache")).to_be_visible()
    shoot(page, "see-through-desktop")
    page.get_by_role("slider").fill("100")
    page.locator(".handle").evaluate("e => e.remove()")
    before = page.locator(".stage").screenshot()
    page.locator(".after img").evaluate("e => e.style.visibility = 'hidden'")
    assert page.locator(".stage").screenshot() == before


def test_drop_and_paste(visit, other_face):
    page = visit()
    for event in ("drop", "paste"):
        page.goto("/")
        page.evaluate(
            """([event, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], "x.png", {type: "image/png"}));
                const options = {bubbles: true, cancelable: true};
                document.querySelector("[data-drop]").dispatchEvent(event === "drop"
                    ? new DragEvent("drop", {...options, dataTransfer: data})
                    : new ClipboardEvent("paste", {...options, clipboardData: data}));
            }""",
            [event, list(other_face)],
        )
        expect(page.locator("[data-chosen]")).to_be_visible()
        assert page.evaluate("document.querySelector('#image').files.length") == 1


def test_mistakes_are_told_on_the_page(visit, tmp_path):
    page = visit()
    page.goto("/")
    page.get_by_role("button", name="Grow the mustache").click()
    expect(page.locator("[data-status]")).to_contain_text("Choose a picture first")
    text = tmp_path / "notes.png"
    text.write_text("not a picture at all")
    page.set_input_files("#image", text)
    page.get_by_role("button", name="Grow the mustache").click()
    expect(page.locator("[data-status]")).to_contain_text("not a picture")
    expect(page.get_by_role("button", name="Grow the mustache")).to_be_enabled()
    visit.complaints[:] = [line for line in visit.complaints if "415" not in line]


def test_everything_by_keyboard(visit):
    """Tab reaches the file, the styles, the button, in this order."""
    page = visit()
    page.goto("/")
    reached = []
    while len(reached) < 20 and reached[-1:] != ["Grow the mustache"]:
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.name || document.activeElement.innerText")
        )
    order = ["Skip to the content", "image", "style", "unlisted", "Grow the mustache"]
    assert [name for name in reached if name in order] == order


def test_no_face_and_dark_pages(visit, sqlite_site, tmp_path, no_face, face):
    page = visit(color_scheme="dark")
    path = tmp_path / "empty.jpg"
    path.write_bytes(no_face)
    upload(page, path)
    expect(page.get_by_role("heading", level=1)).to_have_text("No face, no mustache.")
    shoot(page, "no-face-dark")
    for style in ("walrus", "dali", "fu-manchu", "pencil", "english", "handlebar"):
        sqlite_site.upload(face, style)
    for name, address in {
        "home": "/", "gallery": "/gallery", "docs": "/api/docs", "info": "/info"
    }.items():  # fmt: skip
        for viewport, kind in ((DESKTOP, "desktop"), (PHONE, "phone")):
            page.set_viewport_size(viewport)
            page.goto(address)
            assert_fits(page)
            shoot(page, f"{name}-dark-{kind}")
