"""The command line: `python -m mustache PICTURE... -o OUT`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import mustache
from mustache.errors import PictureError, TooManyBytes, UnknownStyle

FAILED = 1
USAGE = 2
SUFFIXES = {
    *(".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"),
    *(".heic", ".heif"),
}


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mustache",
        description="Draw a mustache on every face.",
        epilog="Exit code: 0, 1 when some picture failed, 2 for wrong usage.",
    )
    parser.add_argument(
        "pictures", nargs="+", type=Path, metavar="PICTURE", help="picture, or folder of pictures"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="OUT",
        help="file for one picture, folder (no suffix) for several",
    )
    parser.add_argument(
        "--style",
        default="handlebar",
        metavar="NAME",
        help=f"one of {', '.join(mustache.STYLES)}, or random (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON lines")
    parser.add_argument("--debug", action="store_true", help="draw boxes and points too")
    parser.add_argument("--version", action="version", version=mustache.__version__)
    return parser


def pictures(paths: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Each picture with its place relative to what was named."""
    for path in paths:
        if path.is_dir():
            for inside in sorted(path.rglob("*")):
                if inside.suffix.lower() in SUFFIXES and inside.is_file():
                    yield inside, inside.relative_to(path)
        else:
            yield path, Path(path.name)


def targets(arguments: argparse.Namespace) -> list[tuple[Path, Path, bool]]:
    """(source, target, whether the target's suffix follows the result's kind)."""
    output: Path = arguments.output
    found = list(pictures(arguments.pictures))
    folder = (
        len(found) != 1 or arguments.pictures[0].is_dir() or output.is_dir() or not output.suffix
    )
    if not folder:
        return [(found[0][0], output, False)]
    return [(source, output / inside, True) for source, inside in found]


def convert(source: Path, target: Path, follow: bool, arguments: argparse.Namespace) -> dict:
    """Write one picture; what was found, for people and for `--json`."""
    size, most = source.stat().st_size, mustache.Limits().bytes
    if size > most:  # before it is read: it may be larger than this machine's memory
        raise TooManyBytes(size, most)
    result = mustache.mustachify(source.read_bytes(), arguments.style, debug=arguments.debug)
    if follow and not same_kind(target, result.extension):
        target = target.with_name(f"{target.name}.{result.extension}")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed, so that no half picture is ever seen under the name.
    draft = target.with_name(f".{target.name}.part")
    try:
        draft.write_bytes(result.data)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return {
        "picture": str(source),
        "output": str(target),
        "extension": result.extension,
        "style": result.style,
        "width": result.width,
        "height": result.height,
        "faces": [face.as_dict() for face in result.faces],
    }


def same_kind(target: Path, extension: str) -> bool:
    suffix = target.suffix.lower().lstrip(".")
    return {"jpeg": "jpg", "tiff": "tif"}.get(suffix, suffix) == extension


def sentence(found: dict) -> str:
    count = len(found["faces"])
    faces = {0: "no face", 1: "1 face"}.get(count, f"{count} faces")
    return f"{found['picture']} -> {found['output']}: {faces}, {found['style']}"


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        mustache.STYLES.choose(options.style)
    except UnknownStyle as error:
        parser().error(str(error))
    work = targets(options)
    if not work:
        parser().error("no picture in " + ", ".join(map(str, options.pictures)))
    if any(source.resolve() == target.resolve() for source, target, _ in work):
        parser().error("the output would replace the picture itself; name another file or folder")
    if len({target for _, target, _ in work}) < len(work):
        parser().error("two pictures would be written to the same file; convert them one by one")
    failed = 0
    for number, (source, target, follow) in enumerate(work, 1):
        progress = f"[{number}/{len(work)}] " if len(work) > 1 else ""
        try:
            found = convert(source, target, follow, options)
        except (PictureError, OSError) as error:
            failed += 1
            reason = error.strerror if isinstance(error, OSError) else error
            print(f"{progress}{source}: {reason}", file=sys.stderr)
            continue
        extension = found.pop("extension")
        if options.json:
            print(json.dumps(found), flush=True)
        print(progress + sentence(found), file=sys.stderr if options.json else sys.stdout)
        if not same_kind(Path(found["output"]), extension):
            print(f"note: {found['output']} holds a .{extension} picture", file=sys.stderr)
    if failed and len(work) > 1:
        print(f"{failed} of {len(work)} pictures failed.", file=sys.stderr)
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
