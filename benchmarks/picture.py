"""How fast the picture core is, next to what the JPEG codec alone takes.

    python benchmarks/picture.py [--rounds N]

The floor is libjpeg-turbo decoding and encoding the same file (simplejpeg), measured in turns with
our own work in the same process on one core, so that whatever else the machine does meets both.
"Upload" is all that the service makes of a picture: mustaches, the original without metadata, the
previews of both and the thumbnail.
Ratios compare processor time, which waiting for a busy machine does not add to: of the best rounds
and, beside, of the median ones. p50, p95 and pictures per second are wall time, as users see it.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parents[1]
# In place of this directory, whose http.py would hide the standard library's http.
sys.path[0] = str(ROOT / "app")

# The service is not started, but its settings are read.
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "service.settings",
    "DEBUG": "true",
    "SECRET_KEY": "benchmark" * 8,
    "ALLOWED_HOSTS": "localhost",
    "SITE_URL": "http://localhost",
    "DATABASE_URL": "sqlite://:memory:",
}

import mustache  # noqa: E402
import numpy as np  # noqa: E402
import simplejpeg  # noqa: E402
from django.apps import apps  # noqa: E402
from django.conf import settings  # noqa: E402
from PIL import Image  # noqa: E402

apps.populate(settings.INSTALLED_APPS)

from service.pictures import making  # noqa: E402

QUALITY = 90
PEAK = """
import sys
from pathlib import Path
import mustache
mustache.mustachify(Path(sys.argv[1]).read_bytes())
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    target: float | None  # times the floor, at most; None: not promised
    upload_target: float | None = None


def shipped(package: str, inside: str) -> Image.Image:
    """A picture that a wheel carries."""
    return Image.open(Path(find_spec(package).origin).parent / inside).convert("RGB")


def noisy(image: Image.Image) -> Image.Image:
    """As a sensor sees it."""
    grain = np.random.default_rng(1).normal(0, 6, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def upload(data: bytes) -> None:
    making.make(data, "handlebar", "0" * 64, None)


def cases() -> list[Case]:
    portrait = shipped("skimage", "data/astronaut.png")
    scene = shipped("sklearn", "datasets/images/china.jpg")
    portrait = portrait.crop((0, 0, 512, 384))  # 4:3, the head whole
    group = Image.new("RGB", (4000, 3000), (90, 100, 110))
    for number in range(12):
        head = portrait.crop((110, 0, 350, 240)).resize((800, 800), Image.Resampling.BICUBIC)
        group.paste(head, (100 + number % 4 * 1000, 100 + number // 4 * 980))

    def scaled(image: Image.Image, size: tuple[int, int]) -> bytes:
        out = io.BytesIO()
        image.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=QUALITY)
        return out.getvalue()

    large = portrait.resize((4000, 3000), Image.Resampling.BICUBIC)
    return [
        Case("12 MP, one face", scaled(portrait, (4000, 3000)), 1.5, 2.3),
        Case("12 MP, one face, noisy", scaled(noisy(large), (4000, 3000)), 1.5, 2.3),
        Case("1920 px, one face", scaled(portrait, (1920, 1440)), 2.5),
        Case("12 MP, twelve faces", scaled(group, (4000, 3000)), None),
        Case("12 MP, no face", scaled(scene, (4000, 3000)), None),
    ]


def floor(data: bytes) -> None:
    pixels = simplejpeg.decode_jpeg(data)
    simplejpeg.encode_jpeg(pixels, quality=QUALITY, colorsubsampling="420")


@dataclass(frozen=True)
class Times:
    """Milliseconds of many rounds, sorted: of the processor, and on the wall."""

    processor: list[float]
    wall: list[float]

    @classmethod
    def of(cls, rounds: list[tuple[float, float]]) -> Times:
        return cls(*(sorted(each) for each in zip(*rounds, strict=True)))

    def p(self, part: float) -> float:
        return self.wall[min(len(self.wall) - 1, int(len(self.wall) * part))]


def timed(work: Callable[[bytes], object], data: bytes) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work(data)
    return (time.process_time() - processor) * 1000, (time.perf_counter() - wall) * 1000


def in_turns(data: bytes, rounds: int) -> list[Times]:
    """The floor, the core and a whole upload, one of each in every round."""
    works = (floor, mustache.mustachify, upload)
    for work in works:
        work(data)
    turns = [[timed(work, data) for work in works] for _ in range(rounds)]
    return [Times.of(list(each)) for each in zip(*turns, strict=True)]


def faces_in(data: bytes) -> int:
    return len(mustache.mustachify(data).faces)


def per_second(pool: Executor, data: bytes, count: int) -> float:
    list(pool.map(faces_in, [data] * 4))  # everyone has loaded the networks
    start = time.perf_counter()
    list(pool.map(faces_in, [data] * count))
    return count / (time.perf_counter() - start)


def peak(data: bytes) -> float:
    """MB of a fresh process that does this one picture."""
    path = Path(f"/tmp/benchmark-{os.getpid()}.jpg")  # noqa: S108
    path.write_bytes(data)
    try:
        run = subprocess.run(
            [sys.executable, "-c", PEAK, path],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
        )
    finally:
        path.unlink()
    return int(run.stdout) / 1024


def machine() -> str:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    load = f"load {os.getloadavg()[0]:.1f} before"
    return f"{model}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25, help="(default: %(default)s)")
    rounds = parser.parse_args().rounds
    print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}\n")
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(every)})
    print(
        "| picture | faces | floor ms | core ms | times floor | median | upload ms | times floor ",
        end="",
    )
    print("| median | core p50 ms | p95 ms | MB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    missed = []
    chosen = cases()
    for case in chosen:
        base, core, whole = in_turns(case.data, rounds)
        ratios = [each.processor[0] / base.processor[0] for each in (core, whole)]
        middle = statistics.median(base.processor)
        medians = [statistics.median(each.processor) / middle for each in (core, whole)]
        print(
            f"| {case.name} | {faces_in(case.data)} | {base.processor[0]:.1f} "
            f"| {core.processor[0]:.1f} | {ratios[0]:.2f} | {medians[0]:.2f} "
            f"| {whole.processor[0]:.1f} | {ratios[1]:.2f} | {medians[1]:.2f} "
            f"| {core.p(0.5):.1f} | {core.p(0.95):.1f} | {peak(case.data):.0f} |",
            flush=True,
        )
        targets = (case.target, case.upload_target)
        for what, ratio, target in zip(("core", "upload"), ratios, targets, strict=True):
            if target and ratio > target:
                missed.append(f"{case.name}: {what} {ratio:.2f} times the floor, target {target}")
    os.sched_setaffinity(0, every)
    print(f"\nPictures per second on {len(every)} cores:\n")
    print("| picture | processes | threads |")
    print("|---|---|---|")
    for case in chosen[::2][:2]:
        with ProcessPoolExecutor(len(every), mp_context=get_context("spawn")) as pool:
            processes = per_second(pool, case.data, rounds * 2)
        with ThreadPoolExecutor(len(every)) as pool:
            threads = per_second(pool, case.data, rounds * 2)
        print(f"| {case.name} | {processes:.1f} | {threads:.1f} |", flush=True)
    for line in missed:
        print(line, file=sys.stderr)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
