"""A picture in, a mustache on every face."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image

from mustache import colour, decode, encode, memory
from mustache.canvas import Canvas
from mustache.deadline import Deadline
from mustache.draw import draw, outline
from mustache.faces import Face
from mustache.find import Budget, find
from mustache.formats import Source, opened
from mustache.limits import Limits
from mustache.styles import STYLES, Style


@dataclass(frozen=True, slots=True)
class Copies:
    """A large picture made small, without and with its mustaches; and what their numbers mean."""

    before: Image.Image
    after: Image.Image
    profile: bytes | None


@dataclass(frozen=True, slots=True)
class Result:
    """The new picture, and what was found in it.

    width, height: of the picture as displayed; faces: largest first, of an animation those of the
    frame with most; style: its name (the one chosen, when "random" was asked for).
    """

    data: bytes
    content_type: str
    extension: str
    width: int
    height: int
    faces: tuple[Face, ...]
    style: str
    copies: Copies | None = None


def mustachify(
    data: bytes,
    style: str = "handlebar",
    limits: Limits | None = None,
    *,
    deadline: float | None = None,
    copies: int | None = None,
    debug: bool = False,
) -> Result:
    """The picture in `data` (any kind that is read) with a mustache on every face.

    `style` is a name in STYLES or "random". A picture without a face comes back as it was, but
    without metadata. `deadline` is a moment of time.monotonic(): past it, work stops at the next
    frame or look. `copies`: a still that is much larger also comes with small copies, of about
    so many pixels on the longer side. `debug` also draws each face's box and points.
    Raises PictureError when the picture cannot be used (TookTooLong past the deadline),
    UnknownStyle for an unknown style.
    """
    chosen = STYLES.choose(style)
    until = Deadline(deadline)
    until.check()
    source = opened(data, limits or Limits())
    if source.frames > 1:
        return animated(source, chosen, until, debug)
    with memory.borrowed(decode.bytes_in_common(source)) as kept:
        canvas = decode.still(source, kept)
        before = canvas.reduced_to(copies) if copies else None
        faces = find(canvas, budget=Budget(deadline=until))
        until.check()
        for face in faces:
            decorate(canvas, face, chosen, debug)
        out = None if faces else source.alone()
        out = out or encode.still(canvas.image, source)
        made = result(source, out, canvas.image.size, faces, chosen)
    if before is None:
        return made
    return replace(
        made, copies=copied(before, made, chosen, colour.profile_of(source.bare, source.image))
    )


def copied(before: Image.Image, made: Result, style: Style, profile: bytes | None) -> Copies:
    """The small copy, and the same with the mustaches that the large picture has."""
    after = Canvas(before.copy())
    for face in made.faces:
        draw(after, face.scaled(before.width / made.width), style)
    return Copies(before, after.image, profile)


def animated(source: Source, style: Style, until: Deadline, debug: bool) -> Result:
    most: tuple[Face, ...] = ()
    frames: list[encode.Frame] = []
    changed = False
    budget = Budget.of_animation(source.frames, until)
    for number, (canvas, milliseconds) in enumerate(decode.animation(source)):
        until.check()
        hidden = source.bare.hidden_first and number == 0
        # What the first frame shows decides what is worth looking for in hundreds.
        faces = find(canvas, thorough=number == source.bare.hidden_first, budget=budget)
        before = canvas.image.copy() if faces else canvas.image
        for face in faces:
            decorate(canvas, face, style, debug)
        changed = changed or bool(faces)
        most = most if hidden else max(most, faces, key=len)
        frames.append((before, canvas.image, milliseconds))
    until.check()
    size = frames[0][1].size
    out = None if changed else source.alone()
    return result(source, out or encode.animation(frames, source), size, most, style)


def decorate(canvas: Canvas, face: Face, style: Style, debug: bool) -> None:
    draw(canvas, face, style)
    if debug:
        outline(canvas, face)


def result(source: Source, data: bytes, size: tuple[int, int], faces, style: Style) -> Result:
    kind = source.kind
    return Result(data, kind.content_type, kind.extension, *size, faces, style.name)


def find_faces(
    data: bytes, limits: Limits | None = None, *, deadline: float | None = None
) -> tuple[Face, ...]:
    """The faces of the picture in `data` (of an animation's first frame), largest first.

    Raises PictureError when the picture cannot be used.
    """
    until = Deadline(deadline)
    until.check()
    canvas = decode.still(opened(data, limits or Limits()))
    return find(canvas, budget=Budget(deadline=until))


def pixels_of(data: bytes, limits: Limits | None = None) -> int:
    """How many pixels there are to work on, of all frames together; nothing is decoded.

    Raises PictureError where `mustachify` would refuse the picture before decoding.
    """
    source = opened(data, limits or Limits())
    width, height = source.image.size
    return width * height * source.frames
