"""What Sphinx makes the guide of: the project's pages in their places, and what they link to."""

import re
import shutil
from pathlib import Path

from guide import ROOT, charts, pages
from guide.links import Link, local_links

PICTURES = {".svg", ".webp", ".png", ".jpg"}
# These are pages without anybody having to link to them.
STARTS = ("docs/*.md", "roles/*/README.md")
FILE = """\
---
orphan: true
---
# {name}

```{{literalinclude}} {path}
```
"""
PICTURE = re.compile(r"^!\[([^\]]*)\]\(([^)]+\.svg)\)$", re.MULTILINE)


def page_of(path: Path) -> Path:
    """The page that shows a file of the project, both from its root."""
    if (ROOT / path).is_dir():
        return path / "README.md"
    return (
        path
        if path.suffix == ".md" or path.suffix in PICTURES
        else path.with_name(path.name + ".md")
    )


def rewritten(page: Path, text: str, links: list[Link]) -> str:
    """A page whose links lead to pages of the guide."""
    for link in links:
        target = page_of(link.path.relative_to(ROOT))
        if target != link.path.relative_to(ROOT):
            way = target.relative_to(page.parent, walk_up=True).as_posix()
            anchored = f"{way}#{link.anchor}" if link.anchor else way
            text = text.replace(f"]({link.written})", f"]({anchored})")
    return text


def drawn_in(page: Path, text: str) -> str:
    """A page whose charts stand in it, so that they take its colours."""

    def chart(found: re.Match) -> str:
        path = (ROOT / page.parent / found[2]).resolve()
        return pages.raw(charts.themed(path.read_text(), path.stem), "figure", found[1])

    return PICTURE.sub(chart, text)


def gathered() -> tuple[dict[Path, str], set[Path]]:
    """The pages with their texts, and the files that they show, all from the project's root."""
    made = {Path(name): text for name, text in pages.made().items()}
    found: dict[Path, str] = {}
    shown: set[Path] = set()
    ways = [*made, *(path.relative_to(ROOT) for each in STARTS for path in ROOT.glob(each))]
    while ways:
        page = ways.pop()
        if page in found:
            continue
        text = made.get(page) or (ROOT / page).read_text()
        links = [link for link in local_links(ROOT / page, text) if link.path != ROOT / page]
        found[page] = drawn_in(page, rewritten(page, text, links))
        for link in links:
            path = link.path.relative_to(ROOT)
            target = page_of(path)
            if path in made or (target == path and path.suffix == ".md"):
                ways.append(path)
            elif path.suffix in PICTURES:
                shown.add(path)
            elif link.path.is_dir():
                ways.append(target)
            else:
                found[target] = FILE.format(name=path.name, path=path.name)
                shown.add(path)
    return found, shown


def write(folder: Path) -> None:
    """The folder, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    texts, files = gathered()
    texts[Path("index.md")] += pages.contents(texts)
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
