"""A process works on one picture at a time, two more may wait, and pages wait for none of them."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import mustache
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import NoReverseMatch, reverse
from service import admission
from service.errors import Problem
from service.pictures import making, uploads, workbench


def make(data: bytes, style: str):
    """All that is made of an upload: previews of a large one take as much memory."""
    return making.make(data, style, "0" * 64, None)


class Work:
    """Stands in for the picture core: begins, and ends when it may."""

    def __init__(self):
        self.begun, self.may_end = threading.Semaphore(0), threading.Semaphore(0)
        self.at_once, self.most = 0, 0
        self.real = mustache.mustachify

    def __call__(self, *arguments, **options):
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.begun.release()
        assert self.may_end.acquire(timeout=20)
        self.at_once -= 1
        return self.real(*arguments, **options)


@pytest.fixture
def work(monkeypatch) -> Work:
    work = Work()
    monkeypatch.setattr(mustache, "mustachify", work)
    return work


@pytest.fixture
def waits(monkeypatch) -> threading.Semaphore:
    """Released by each that waits for the turn."""
    begun = threading.Semaphore(0)
    real = workbench.turn.changed.wait_for

    def wait_for(*arguments):
        begun.release()
        return real(*arguments)

    monkeypatch.setattr(workbench.turn.changed, "wait_for", wait_for)
    return begun


def assert_busy(problem: Problem) -> None:
    assert problem.status == 503
    assert 2 <= problem.retry_after <= 6


@pytest.mark.parametrize("worked", [workbench.mustachify, make])
def test_one_works_others_wait_and_the_next_is_sent_away(work, waits, face, worked):
    with ThreadPoolExecutor(admission.PLACES) as pool:
        first = pool.submit(worked, face, "walrus")
        assert work.begun.acquire(timeout=20)
        others = [pool.submit(worked, face, "walrus") for _ in range(admission.PLACES - 1)]
        for _ in others:
            assert waits.acquire(timeout=20)
        for _ in range(3):
            with pytest.raises(Problem) as refused:
                worked(face, "walrus")
            assert_busy(refused.value)
        work.may_end.release(admission.PLACES)
        for each in (first, *others):
            assert each.result(20)
    assert work.most == 1
    work.may_end.release()
    assert worked(face, "walrus")


def test_who_waits_too_long_is_told_to_come_back(monkeypatch, work, face):
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(workbench.mustachify, face, "walrus")
        assert work.begun.acquire(timeout=20)
        monkeypatch.setattr(workbench, "MOST_SECONDS", 0.01)
        with pytest.raises(Problem) as refused:
            workbench.mustachify(face, "walrus")
        assert_busy(refused.value)
        work.may_end.release()
        assert first.result(20).faces
    assert not workbench.turn.waiting


def test_work_has_a_deadline(monkeypatch, face):
    monkeypatch.setattr(workbench, "MOST_SECONDS", 0)
    with pytest.raises(Problem) as refused:
        workbench.mustachify(face, "walrus")
    assert_busy(refused.value)


def test_a_picture_that_is_refused_frees_the_place(face):
    with pytest.raises(Problem):
        workbench.mustachify(b"no picture", "walrus")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(workbench.mustachify, face, "walrus").result(timeout=30).faces


# --- Places -------------------------------------------------------------------------------------
@contextmanager
def no_place():
    taken = [admission.places.acquire(blocking=False) for _ in range(admission.PLACES)]
    assert all(taken), "a place was not given back"
    try:
        yield
    finally:
        admission.places.release(admission.PLACES)


class Untouchable(io.RawIOBase):
    """A body that must not be read."""

    def read(self, *size):
        raise AssertionError("the body was read")


def paths() -> dict[str, str]:
    """An address of each view that works on pictures."""
    found = {}
    for name in set().union(*admission.WORK.values()):
        try:
            found[name] = reverse(name)
        except NoReverseMatch:
            found[name] = reverse(name, args=["0" * 16])
    return found


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method, names in admission.WORK.items() for name in sorted(names)],
)
def test_who_finds_no_place_is_told_so_before_the_picture_is_read(method, name):
    """Also before the CSRF check, which reads the form."""
    client = Client(enforce_csrf_checks=True)
    sent = {"wsgi.input": Untouchable(), "CONTENT_LENGTH": "100"}
    with no_place():
        answer = client.generic(
            method, paths()[name], b"x", "multipart/form-data; boundary=x", **sent
        )
    assert answer.status_code == 503
    assert 2 <= int(answer.headers["Retry-After"]) <= 6
    assert client.generic(method, paths()[name]).status_code != 503


@pytest.mark.django_db
def test_pages_need_no_place(client):
    with no_place():
        for path in ("/healthz", "/readyz", "/", "/gallery", "/mine", "/api/pictures", "/info"):
            assert client.get(path).status_code == 200, path
        assert client.delete("/api/pictures/0000000000000000").status_code == 401


@pytest.mark.django_db
def test_a_place_is_given_back_whatever_happens(monkeypatch, face):
    client = Client(raise_request_exception=False)
    for problem in (Problem(415), ZeroDivisionError(), KeyboardInterrupt()):

        def fail(*arguments, problem=problem, **options):
            raise problem

        monkeypatch.setattr(uploads, "create", fail)
        for path in ("/", "/api/pictures"):
            with suppress(KeyboardInterrupt):
                client.post(path, {"image": SimpleUploadedFile("me.jpg", face)})
    with no_place():
        pass


@pytest.mark.django_db
def test_all_that_works_on_pictures_has_a_place(client, monkeypatch, face):
    left = []

    def note(data, style, *arguments, **options):
        left.append(admission.places._value)
        raise Problem(415)

    monkeypatch.setattr(mustache, "mustachify", note)
    monkeypatch.setattr("service.fetch.fetch", lambda src: face)
    client.post("/", {"image": SimpleUploadedFile("me.jpg", face)})
    client.post("/", {"src": "http://x.example/"})
    client.post("/api/pictures", {"image": SimpleUploadedFile("me.jpg", face)})
    client.get("/mustachify?src=http://x.example/")
    assert left == [admission.PLACES - 1] * 4


@pytest.mark.django_db
def test_pictures_count_by_their_pixels(client, settings, face):
    settings.WORK_RATE = (3, 60)
    small = [client.post("/api/pictures", {"image": picture(face)}) for _ in range(4)]
    assert [answer.status_code for answer in small] == [201, 201, 201, 429]
    assert "3 megapixels in 60 seconds" in small[-1].json()["detail"]
    assert int(small[-1].headers["Retry-After"]) > 0


def picture(data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("me.jpg", data)


@pytest.mark.django_db
def test_a_large_picture_counts_for_many(client, settings, astronaut):
    settings.WORK_RATE = (8, 60)
    large = io.BytesIO()
    astronaut.resize((2500, 2500)).save(large, "JPEG")  # 6.25 megapixels
    codes = [
        client.post("/api/pictures", {"image": picture(large.getvalue())}).status_code
        for _ in range(2)
    ]
    assert codes == [201, 429]
