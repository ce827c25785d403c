"""The project's figures drawn for the guide's pages, in the colours of the page."""

import io
import re
from collections.abc import Iterable

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot

from benchmarks.capacity import P95_SECONDS
from benchmarks.load_plot import spread
from guide.promises import Span

# What matplotlib writes, and the variable of guide/static/guide.css that stands for it.
COLORS = {
    "#000000": "var(--drawn-text)",
    "#666666": "var(--drawn-muted)",
    "#e6e6e6": "var(--drawn-grid)",
    "#ffffff": "none",
    "#1f77b4": "var(--series-1)",
    "#ff7f0e": "var(--series-2)",
    "#2ca02c": "var(--series-3)",
    "#d62728": "var(--series-4)",
    "#9467bd": "var(--series-5)",
    "#8c564b": "var(--series-6)",
}
# Inches of 72 pixels: a phone shows it in its own size.
PHONE = 5.2
# In points: what is wider can be moved on a phone, or its letters were too small.
WIDE = 450


def themed(svg: str, name: str) -> str:
    """An SVG of matplotlib's as it can stand in a page, several of them beside each other."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Those of the file, of which a page has others.
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(url\(#|href="#)', rf"\1{name}-", svg)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(
        r'<svg ([^>]*?)width="([\d.]+)pt" height="[^"]*"',
        lambda found: (
            f'<svg class="chart{" wide" if float(found[2]) > WIDE else ""}" role="img" {found[1]}'
        ),
        svg,
    )
    # A paragraph of Markdown would end at an empty line.
    svg = re.sub(r"\n\s*\n", "\n", svg)
    return re.sub("|".join(COLORS), lambda found: COLORS[found[0]], svg)


def saved(figure, name: str, title: str) -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Title": title})
    pyplot.close(figure)
    return themed(written.getvalue(), name).replace(">", f"><title>{title}</title>", 1)


def prepared(height: float, name: str):
    """A figure with one pair of axes."""
    # Text stays text, and the same numbers give the same picture.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 10.5}
    figure, axes = pyplot.subplots(figsize=(PHONE, height), layout="constrained")
    axes.spines[["top", "right"]].set_visible(False)
    axes.minorticks_off()
    return figure, axes


def load(results: list[dict], name: str, title: str) -> str:
    """The response times of results of benchmarks.load, over users."""
    figure, axes = prepared(4.2, name)
    for number, result in enumerate(results):
        users = [step["users"] for step in result["steps"]]
        axes.plot(
            users, [step["p95"] for step in result["steps"]], "o-", color=f"C{number}",
            label=f"{result['label']} carries {result['carried']}",
        )  # fmt: skip
        axes.axvline(result["carried"], color=f"C{number}", linewidth=0.8, linestyle="--")
    axes.axhline(1000 * P95_SECONDS, color="0.4", linewidth=0.8)
    axes.set(xlabel="users", ylabel="p95, milliseconds", xscale="log", yscale="log")
    axes.grid(visible=True, which="major", color="0.9")
    marks = spread(sorted({step["users"] for result in results for step in result["steps"]}))
    axes.set_xticks(marks, [str(mark) for mark in marks])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.minorticks_off()
    axes.legend(frameon=False)
    return saved(figure, name, title)


def unserved(spans: Iterable[tuple[str, Span]], name: str, title: str) -> str:
    """The seconds in which readers and writers were not all served, a pair of bars for each."""
    spans = list(spans)
    figure, axes = prepared(0.9 + 0.5 * len(spans), name)
    longest = max(max(span.reads.error_seconds, span.writes.error_seconds) for _, span in spans)
    for number, (_, span) in enumerate(spans):
        for kind, offset, color in (("reads", -0.19, "C0"), ("writes", 0.19, "C1")):
            seconds = getattr(span, kind).error_seconds
            label = kind if number == 0 else None
            axes.barh(number + offset, seconds, height=0.34, color=color, label=label)
            axes.text(seconds + longest / 60, number + offset, f"{seconds:g}", va="center", size=9)
    axes.set_yticks(range(len(spans)), [label for label, _ in spans])
    axes.invert_yaxis()
    axes.set(xlabel="seconds")
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    axes.margins(x=0.1)
    axes.legend(frameon=False, loc="lower right")
    return saved(figure, name, title)
