"""Work on one picture ends soon after its deadline, between frames and looks."""

from __future__ import annotations

import time

import pytest
from mustache import Limits, PictureError, TookTooLong, TooManyPixels, find_faces, mustachify
from mustache import pixels_of as pixels
from PIL import Image


@pytest.fixture
def animation(small_face, encoded) -> bytes:
    frames = [small_face.rotate(turn) for turn in range(1, 12)]
    return encoded(small_face, "GIF", save_all=True, append_images=frames)


def test_a_deadline_in_the_future_changes_nothing(small_face, encoded):
    data = encoded(small_face)
    assert mustachify(data, deadline=time.monotonic() + 60) == mustachify(data)
    assert find_faces(data, deadline=time.monotonic() + 60) == find_faces(data)


def test_a_deadline_that_has_passed(small_face, encoded):
    for work in (mustachify, find_faces):
        with pytest.raises(TookTooLong) as refused:
            work(encoded(small_face), deadline=time.monotonic())
        assert isinstance(refused.value, PictureError)


@pytest.mark.parametrize("passes_after", [1, 4])
def test_no_frame_is_begun_past_it(animation, monkeypatch, passes_after):
    clock = iter(range(1000))
    monkeypatch.setattr("mustache.deadline.time.monotonic", lambda: next(clock))
    looked = []
    monkeypatch.setattr("mustache.find.detect", lambda image, threshold: looked.append(image) or [])
    with pytest.raises(TookTooLong):
        mustachify(animation, deadline=1 + 2 * passes_after)  # asked before each frame and look
    assert 0 < len(looked) <= 2 * passes_after


def test_no_look_is_begun_past_it(encoded, monkeypatch):
    """A picture without a face is looked at in several ways."""
    clock = iter(range(1000))
    monkeypatch.setattr("mustache.deadline.time.monotonic", lambda: next(clock))
    looked = []
    monkeypatch.setattr("mustache.find.detect", lambda image, threshold: looked.append(image) or [])
    data = encoded(Image.new("RGB", (200, 200), "teal"))
    assert mustachify(data, deadline=100).faces == ()
    assert len(looked) > 2
    looked.clear()
    with pytest.raises(TookTooLong):
        mustachify(data, deadline=next(clock) + 3)
    assert len(looked) <= 2


def test_pixels_are_counted_over_all_frames(animation, small_face, encoded, monkeypatch):
    monkeypatch.setattr("mustache.decode.still", None)
    assert pixels(encoded(small_face, "JPEG")) == 150 * 150
    assert pixels(animation) == 12 * 150 * 150
    with pytest.raises(TooManyPixels):
        pixels(animation, Limits(frames=5))
