"""Make the guide: python -m guide [FOLDER]

Writes its pages and has Sphinx make a site of them. A link that leads nowhere is an error.
"""

import argparse
import shutil
import sys
from pathlib import Path

from sphinx.cmd.build import build_main

from guide import ROOT, sources


def make(folder: Path, work: Path) -> int:
    """The site in ``folder``; ``work`` holds what it is made of."""
    sources.write(work / "pages")
    # What is no longer a page goes too: the folder is published as it is.
    shutil.rmtree(folder, ignore_errors=True)
    settings = ["-c", str(ROOT / "guide"), "-d", str(work / "doctrees")]
    command = ["-q", "-W", "--keep-going", "-b", "html", *settings]
    failed = build_main([*command, str(work / "pages"), str(folder)])
    # The theme has an empty script: s3_sync knows no checksum of what has no bytes,
    # and would bring it anew with every run.
    for path in folder.rglob("*"):
        if path.is_file() and not path.stat().st_size:
            path.write_text("\n")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m guide", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build/guide")
    folder = parser.parse_args().folder.resolve()
    failed = make(folder, folder.with_name(f"{folder.name}-work"))
    if not failed:
        print(f"{folder}/index.html")
        print(f"ansible-playbook playbooks/website.yml -e website_folder={folder}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
