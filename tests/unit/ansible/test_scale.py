"""docs/scale.md: what its script makes, and figures reckoned by hand."""

import importlib.util
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def scale():
    loader = SourceFileLoader("scale", str(ROOT / "tools/scale"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ladder(scale):
    return scale.prices().Ladder()


def test_the_page_is_what_the_script_makes():
    done = subprocess.run(
        [sys.executable, ROOT / "tools/scale", "--check"],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_ten_thousand_users_at_once(scale, ladder):
    # A page every 4 s.
    need = scale.needs(ladder, 2500)

    # 135 of a core that may be busy to 60 %, two in a host: 15.4.
    assert (need["hosts"], need["vcpus"], need["connections"]) == (16, 32, 256)
    # 150 pages of a core, of which a fifth asks it.
    assert need["cores"] == pytest.approx(2500 * 0.2 / 150 / 0.6, rel=1e-5)
    assert need["database"] is None
    # 9.8 requests a page, of which 8.8 are files; every tenth of these is fetched.
    assert need["cdn_requests"] == pytest.approx(24_500)
    assert need["hits"] == pytest.approx(0.9 * 8.8 / 9.8)
    # 566.1 kB a page.
    assert need["cdn_gbit"] == pytest.approx(2500 * 566.1e3 * 8 / 1e9)


def test_a_quota_that_is_not_enough_is_marked(scale, ladder):
    rows = scale.quota_rows(ladder, [scale.needs(ladder, pages) for pages in (250, 2500)])
    vcpus = next(rows)

    assert "L-1216C47A" in vcpus[0]
    assert vcpus[1:] == ["5", "0.8", "**6.4**"]
