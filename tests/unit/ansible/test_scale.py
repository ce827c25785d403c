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
    need = scale.needs(ladder, 5, 2500)

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


def test_as_many_on_functions(scale, ladder):
    need = scale.needs(ladder, 6, 2500)

    # A page in fifty is an upload, which is a request more. A page runs for 0.04 s, an upload for
    # 0.5 s; 60 % may run on average.
    assert need["api_requests"] == pytest.approx(2550)
    assert need["concurrency"] == pytest.approx((2500 * 0.04 + 50 * 0.5) / 0.6)
    assert need["table_reads"] == pytest.approx(15_000)
    assert not {"hosts", "vcpus", "targets", "connections", "database"} & set(need)
    # The front does not know what is behind it.
    hosts = scale.needs(ladder, 5, 2500)
    for name in ("cdn_requests", "cdn_gbit", "file_gets", "hits"):
        assert need[name] == hosts[name]


def test_a_quota_that_is_not_enough_is_marked(scale, ladder):
    needed = {
        stage: [scale.needs(ladder, stage, pages) for pages in (250, 25_000)] for stage in (5, 6)
    }
    rows = {(row[0], row[1]): row[2:] for row in scale.quota_rows(ladder, needed)}

    def of(part, stage):
        [found] = [row for (name, stages), row in rows.items() if part in name and stages == stage]
        return found

    # 155 hosts of two.
    assert of("L-1216C47A", "5") == ["5", "0.8", "**62**"]
    # 21 and 2,083 runs, 255 and 25,500 requests.
    assert of("L-B99A9384", "6") == ["1,000", "0.021", "**2.1**"]
    assert of("L-8A5B8E43", "6") == ["10,000", "0.025", "**2.5**"]
    # One table of sessions, and one of rows that is asked for six of them.
    assert of("DynamoDB", "5") == ["40,000", "under 0.01", "0.62"]
    assert of("DynamoDB", "6") == ["40,000", "0.037", "**3.8**"]
    assert of("GET requests", "5, 6")


def test_the_tops_are_those_of_the_ladder(scale, ladder):
    assert scale.tops(ladder) == [5, 6]
