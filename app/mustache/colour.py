"""What a picture's numbers mean: ICC profiles, and what stands for one."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

from mustache.bare import png
from mustache.bare.parts import Bare, profile_in

# Modes by the name that a profile gives to their numbers.
SPACES = {
    b"GRAY": ("1", "L", "LA", "La", "I", "F", "I;16"),
    b"RGB ": ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX"),
    b"CMYK": ("CMYK",),
    b"Lab ": ("LAB",),
}

White = tuple[float, float]
D65, D50 = (0.3127, 0.3290), (0.34567, 0.35850)
# ISO 23091-2: white, red, green and blue of the numbered primaries.
PRIMARIES = {
    1: (D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    4: ((0.310, 0.316), (0.670, 0.330), (0.210, 0.710), (0.140, 0.080)),
    5: (D65, (0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    7: (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    8: ((0.310, 0.316), (0.681, 0.319), (0.243, 0.692), (0.145, 0.049)),
    9: (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ((0.314, 0.351), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    22: (D65, (0.630, 0.340), (0.295, 0.605), (0.155, 0.077)),
}
GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
SRGB_LIKE = {1, 2, 6, 13, 14, 15}  # transfers that screens show as sRGB's
PAPER, BRIGHTEST = 203.0, 1000.0  # nits: white, and the light that still has a shade


def family(mode: str) -> bytes | None:
    return next((space for space, modes in SPACES.items() if mode in modes), None)


def fits(profile: bytes | None, before: str, after: str) -> bool:
    """The profile of a picture in mode `before` describes one in mode `after`."""
    if not profile:
        return False
    return family(before) == family(after) or profile[16:20] == family(after)


def profile_of(bare: Bare, image: Image.Image) -> bytes | None:
    """The ICC profile of an opened picture, made from whatever says what its numbers mean."""
    found = bare.profile or profile_in(image.info.get("icc_profile") or b"")
    if body := png.body_of(b"cICP", bare.colours):
        return numbered(body[0], body[1])  # it goes before every other description
    if found or png.body_of(b"sRGB", bare.colours):
        return found
    if (exponent := png.gamma(bare.colours)) or png.body_of(b"cHRM", bare.colours):
        return measured(exponent, png.chromaticities(bare.colours))
    return numbered(*bare.code_points) if bare.code_points else None


def numbered(primaries: int, transfer: int) -> bytes | None:
    """The profile of numbered primaries and transfer; None where they are sRGB's or unknown."""
    if primaries not in PRIMARIES:
        primaries = 1
    if transfer in SRGB_LIKE or (transfer not in GAMMAS and transfer not in BRIGHT):
        return None if primaries == 1 else made(PRIMARIES[primaries], SRGB_CURVE)
    curve = power(GAMMAS[transfer]) if transfer in GAMMAS else sampled(BRIGHT[transfer])
    return made(PRIMARIES[primaries], curve)


def measured(exponent: float | None, places: list[float] | None) -> bytes | None:
    """The profile of a gamma and chromaticities; None where they are sRGB's or make no sense."""
    usual = [value for point in PRIMARIES[1] for value in point]
    if places is None or not all(0 < y <= 1 for y in places[1::2]):
        places = usual
    is_usual = max(abs(one - other) for one, other in zip(places, usual, strict=True)) < 0.002
    if exponent is None or abs(exponent - 2.2) < 0.02:
        return None if is_usual else made(pairs(places), SRGB_CURVE)
    return made(pairs(places), power(exponent))


def pairs(places: list[float]) -> tuple:
    return tuple(zip(places[::2], places[1::2], strict=True))


# --- making a profile (ICC.1:2010) ---------------------------------------------------------------
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*values)


def text(words: str) -> bytes:
    body = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(body), 28) + body


def power(exponent: float) -> bytes:
    return b"para\0\0\0\0\0\0\0\0" + fixed(exponent)


SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def sampled(light: Callable[[np.ndarray], np.ndarray]) -> bytes:
    values = (light(np.linspace(0, 1, 1024)).clip(0, 1) * 65535).round().astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + values.tobytes()


def shown(nits: np.ndarray) -> np.ndarray:
    """Light on a screen that ends at white, with some shade left in what is brighter."""
    light, most = nits / PAPER, BRIGHTEST / PAPER
    return light * (1 + light / most**2) / (1 + light)


def perceptual_quantizer(signal: np.ndarray) -> np.ndarray:
    root = signal ** (1 / 78.84375)
    light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return shown(np.minimum(10_000 * light ** (1 / 0.1593017578125), BRIGHTEST))


def hybrid_log_gamma(signal: np.ndarray) -> np.ndarray:
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return shown(BRIGHTEST * scene**1.2)


BRIGHT = {16: perceptual_quantizer, 18: hybrid_log_gamma}


def made(points: tuple, curve: bytes) -> bytes | None:
    """The profile of a screen with this white, red, green and blue; None if there is none."""

    def full(point: White) -> np.ndarray:
        x, y = point
        return np.array([x / y, 1, (1 - x - y) / y])

    white = full(points[0])
    colours = np.array([full(each) for each in points[1:]]).T
    cones = (BRADFORD @ full(D50)) / (BRADFORD @ white)
    adapt = np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD
    try:
        columns = adapt @ (colours * np.linalg.solve(colours, white))
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(columns).all() or np.abs(columns).max() > 100:
        return None
    tags = {
        b"desc": text("Colours of the picture"),
        b"cprt": text("No copyright"),
        b"wtpt": xyz(full(D50)),
        b"chad": b"sf32\0\0\0\0" + fixed(*adapt.ravel()),
        b"rXYZ": xyz(columns[:, 0]),
        b"gXYZ": xyz(columns[:, 1]),
        b"bXYZ": xyz(columns[:, 2]),
        b"rTRC": curve,
    }
    at = 128 + 4 + 12 * (len(tags) + 2)
    table, body, places = [], b"", {}
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        places[name] = (at + len(body), len(value))
        body += value
    places[b"gTRC"] = places[b"bTRC"] = places[b"rTRC"]
    table = [name + struct.pack(">II", *place) for name, place in places.items()]
    head = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIQI12s4s44x",
        *(at + len(body), b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ "),
        *(2020, 1, 1, 0, 0, 0),
        *(b"acsp", b"\0\0\0\0", 0, 0, 0, 0, 0, fixed(*full(D50)), b"\0\0\0\0"),
    )
    return head + struct.pack(">I", len(table)) + b"".join(table) + body


# --- using one -----------------------------------------------------------------------------------
def as_srgb(image: Image.Image, profile: bytes) -> Image.Image | None:
    """The picture, in a mode that `profile` is for, in sRGB numbers; None if it cannot be."""
    if image.mode not in ("L", "RGB", "RGBA", "CMYK") or family(image.mode) != profile[16:20]:
        return None
    try:
        return ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGBA" if image.mode == "RGBA" else "RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
