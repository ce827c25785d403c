"""Draw mustaches into a picture, touching only the pixels around each."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from mustache.canvas import Canvas
from mustache.faces import Face
from mustache.styles import Style
from mustache.views import rgb

DAYLIGHT = 120.0  # mean brightness of a well-lit face, at which a drawing keeps its own
DARKEST = 0.25
GREY_SPREAD = 6.0  # mean difference between the channels of a picture without colour


def draw(canvas: Canvas, face: Face, style: Style) -> None:
    """Draw one mustache."""
    sprite, corner = placed(face, style)
    box = (*corner, corner[0] + sprite.width, corner[1] + sprite.height)
    inside = (
        max(box[0], 0),
        max(box[1], 0),
        min(box[2], canvas.image.width),
        min(box[3], canvas.image.height),
    )
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        return
    sprite = sprite.crop(
        (inside[0] - corner[0], inside[1] - corner[1], inside[2] - corner[0], inside[3] - corner[1])
    )
    patch = canvas.image.crop(inside)
    canvas.put(blended(patch, lit(sprite, patch)), inside[:2])


def placed(face: Face, style: Style) -> tuple[Image.Image, tuple[int, int]]:
    """The drawing at the face's size and angle (RGBA), and where its top left corner goes."""
    width = max(2.0, face.mustache.width * style.width)
    drawing = style.drawing_for(width)
    angle = math.radians(face.mustache.angle_degrees)
    # What one step to the right in the picture is in the drawing, and the way back.
    step = drawing.width / width
    across, down = step * math.cos(angle), step * math.sin(angle)
    back = np.array([[across, down], [-down, across]]) / step**2
    anchor = np.array(style.anchor) * drawing.width
    centre = np.array(face.mustache.center) + np.array([0, style.overlap * drawing.width]) @ back
    ends = np.array([[0, 0], [drawing.width, 0], [0, drawing.height], drawing.size])
    corners = (ends - anchor) @ back + centre
    left, top = (int(v) for v in np.floor(corners.min(axis=0)) - 1)
    right, bottom = (int(v) for v in np.ceil(corners.max(axis=0)) + 1)
    x, y = centre - (left, top)
    matrix = (
        *(across, down, anchor[0] - across * x - down * y),
        *(-down, across, anchor[1] + down * x - across * y),
    )
    size = (right - left, bottom - top)
    sprite = drawing.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return sprite.convert("RGBA"), (left, top)


def lit(sprite: Image.Image, patch: Image.Image) -> Image.Image:
    """The drawing in the light of the picture: darker in the dark, grey in a grey picture."""
    around = np.asarray(rgb(patch).reduce(max(1, min(patch.size) // 16)), np.float32)
    light = min(1.0, max(DARKEST, float(around.mean()) / DAYLIGHT))
    if light < 1:
        dimmed = [int(value * light) for value in range(256)]
        sprite = sprite.point(3 * dimmed + list(range(256)))
    if float(np.ptp(around, axis=2).mean()) < GREY_SPREAD:
        sprite = sprite.convert("LA").convert("RGBA")
    return sprite


def blended(patch: Image.Image, sprite: Image.Image) -> Image.Image:
    """`sprite` over `patch`, in the patch's own mode, so that what it leaves out stays exact."""
    if patch.mode == "RGBA":
        return Image.alpha_composite(patch, sprite)
    alpha = sprite.getchannel("A")
    if patch.mode == "I;16":
        below = np.asarray(patch).astype(np.float32)
        cover = np.asarray(alpha, np.float32) / 255
        above = np.asarray(sprite.convert("RGB").convert("L"), np.float32) * 257
        return Image.fromarray((below + (above - below) * cover).astype(np.uint16))
    colours = sprite.convert("RGB")
    if patch.mode == "RGBX":
        patch = patch.convert("RGB")
        patch.paste(colours, mask=alpha)
        return patch.convert("RGBX")
    patch.paste(colours.convert(patch.mode), mask=alpha)
    return patch


def outline(canvas: Canvas, face: Face) -> None:
    """Draw the face's box, points and the mustache's place, for `--debug`."""
    image = canvas.image.convert("RGB")
    pen = ImageDraw.Draw(image)
    size = max(1, round(face.mustache.width / 40))
    left, top, width, height = face.box
    pen.rectangle((left, top, left + width, top + height), outline="#00e5ff", width=size)
    for point in (face.right_eye, face.left_eye, face.nose, face.mouth_right, face.mouth_left):
        pen.ellipse(around(point, 2 * size), fill="#ffea00")
    angle = math.radians(face.mustache.angle_degrees)
    across = face.mustache.width / 2 * np.array([math.cos(angle), math.sin(angle)])
    centre = np.array(face.mustache.center)
    pen.line((*(centre - across), *(centre + across)), fill="#ff1744", width=size)
    pen.ellipse(around(face.mustache.center, 2 * size), fill="#ff1744")
    canvas.replace(image)


def around(point: tuple[float, float], reach: float) -> tuple[float, float, float, float]:
    x, y = point
    return (x - reach, y - reach, x + reach, y + reach)
