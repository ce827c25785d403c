"""Results of benchmarks.load, drawn: response times and throughput over users.

python -m benchmarks.load_plot docs/load/stage1.json docs/load/stage2.json -o docs/load/stages.svg
"""

import argparse
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # after the choice of a backend without a screen

LIMIT_MS = 1000


def plot(results: list[dict], path: Path) -> None:
    """Draw the results (as in the JSON files) into one SVG or PNG."""
    # Text stays text, and the same numbers give the same file.
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "load", "font.size": 10}
    figure, (times, rates) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for result in results:
        steps = result["steps"]
        users = [step["users"] for step in steps]
        label = f"{result['label']}: {result['carried']} users"
        [line] = times.plot(users, [step["p95"] for step in steps], "o-", label=label)
        color = line.get_color()
        times.plot(users, [step["p50"] for step in steps], ":", color=color)
        rates.plot(users, [step["requests_per_second"] for step in steps], "o-", color=color)
        if result["carried"]:
            times.axvline(result["carried"], color=color, linewidth=0.6, linestyle="--")
    times.axhline(LIMIT_MS, color="0.4", linewidth=0.8)
    times.annotate(
        "1 s", (1, LIMIT_MS), xycoords=("axes fraction", "data"), ha="right", va="bottom"
    )
    times.set(
        title="Response time: p95, and p50 dotted",
        xlabel="users",
        ylabel="milliseconds",
        xscale="log",
        yscale="log",
    )
    rates.set(title="Throughput", xlabel="users", ylabel="requests per second", xscale="log")
    for axes in (times, rates):
        axes.grid(visible=True, which="major", color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
        marks = sorted({step["users"] for result in results for step in result["steps"]})
        axes.set_xticks(spread(marks), [str(mark) for mark in spread(marks)])
        axes.minorticks_off()
    times.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def spread(marks: list[int], ratio: float = 1.5) -> list[int]:
    """The marks that are far enough apart on a logarithmic axis to be read."""
    chosen: list[int] = []
    for mark in marks:
        if not chosen or mark >= ratio * chosen[-1]:
            chosen.append(mark)
    return chosen


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load_plot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULT.json")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/load/stages.svg"))
    options = parser.parse_args(argv)
    try:
        results = [json.loads(path.read_text()) for path in options.results]
        plot(results, options.output)
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
