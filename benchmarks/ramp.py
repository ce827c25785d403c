"""Users who come and go while an Auto Scaling group follows them, and what each moment was like.

`python -m benchmarks.load --shape ramp --group NAME` grows the users to `--most`, keeps them, and
lets them go again. Every few seconds it notes what they met and what the group was; the site should
be quick all the time but for the minutes in which hosts are on their way. Then it waits until the
group is as small as before.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # after the choice of a backend without a screen

# Parts of the whole time: growing, staying, going, and alone with the smallest group.
GROWS, STAYS, GOES = 0.4, 0.25, 0.15
LIMIT_MS = 1000


@dataclass(frozen=True)
class Moment:
    """What users met in the seconds up to ``second``, and what the group was then.

    Times in milliseconds, ``cpu`` in percent of the group's hosts (None: CloudWatch has none yet).
    """

    second: float
    users: int
    requests: int
    failed: int
    uploads: int
    p50: float
    p95: float
    hosts: int
    wanted: int
    cpu: float | None


def users_at(second: float, whole: float, most: int) -> int:
    """How many users there are; at least one."""
    part = second / whole
    if part < GROWS:
        share = part / GROWS
    elif part < GROWS + STAYS:
        share = 1.0
    else:
        share = max(0.0, 1 - (part - GROWS - STAYS) / GOES)
    return max(1, round(share * most))


def climb(
    whole: float,
    most: int,
    every: float,
    step: Callable[[int, float], dict],
    look: Callable[[], dict],
    after: float = 0.0,
) -> Iterator[Moment]:
    """One `Moment` for each ``every`` seconds of the ``whole``.

    ``step(users, seconds)`` brings the users to that number and returns what they met in that time,
    ``look()`` what the group is; both as fields of `Moment`. A group shrinks long after its users
    have gone: for at most ``after`` seconds more it is watched until it is as small as at first.
    """
    second, first, wanted = 0.0, look()["wanted"], 0
    while second < whole or (second < whole + after and wanted > first):
        users = users_at(second, whole, most)
        met = step(users, every)
        second += every
        found = look()
        wanted = found["wanted"]
        yield Moment(second=second, users=users, **met, **found)


class Group:
    """An Auto Scaling group as its API and CloudWatch show it."""

    def __init__(self, name: str, **client):
        import boto3  # only with a group

        self.name = name
        self.scaling = boto3.client("autoscaling", **client)
        self.metrics = boto3.client("cloudwatch", **client)

    def look(self) -> dict:
        found = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])
        [group] = found["AutoScalingGroups"]
        serving = [each for each in group["Instances"] if each["LifecycleState"] == "InService"]
        return {"hosts": len(serving), "wanted": group["DesiredCapacity"], "cpu": self._cpu()}

    def _cpu(self) -> float | None:
        now = datetime.now(UTC)
        found = self.metrics.get_metric_statistics(
            Namespace="AWS/EC2",
            MetricName="CPUUtilization",
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": self.name}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now,
            Period=60,
            Statistics=["Average"],
        )["Datapoints"]
        return max(found, key=lambda each: each["Timestamp"])["Average"] if found else None


def summary(moments: list[Moment]) -> dict:
    """What the ramp comes to: the largest group, and the moments that were not quick."""
    slow = [each for each in moments if each.p95 >= LIMIT_MS]
    return {
        "most_users": max(each.users for each in moments),
        "most_hosts": max(each.hosts for each in moments),
        "hosts_at_the_end": moments[-1].hosts,
        "requests": sum(each.requests for each in moments),
        "failed": sum(each.failed for each in moments),
        "uploads": sum(each.uploads for each in moments),
        "moments": len(moments),
        "slow_moments": len(slow),
        # Meanwhile hosts were on their way, so that it is the group's warm-up that was slow.
        "slow_while_growing": sum(each.hosts < each.wanted for each in slow),
    }


def plot(result: dict, path: Path) -> None:
    """Draw a ramp (as in its JSON file) over time, into one SVG or PNG."""
    pyplot.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "ramp", "font.size": 10}
    figure, (top, middle, bottom) = pyplot.subplots(
        3, 1, figsize=(9, 7), sharex=True, layout="constrained"
    )
    moments = result["moments"]
    minutes = [each["second"] / 60 for each in moments]

    def line(axes, name: str, *style, **options):
        values = [float("nan") if each[name] is None else each[name] for each in moments]
        axes.plot(minutes, values, *style, **options)

    line(top, "users", color="C0")
    top.set_ylabel("users", color="C0")
    hosts = top.twinx()
    line(hosts, "wanted", ":", color="C1", drawstyle="steps-post", label="wanted")
    line(hosts, "hosts", color="C1", drawstyle="steps-post", label="in service")
    hosts.set_ylabel("hosts", color="C1")
    hosts.set_ylim(0, 1 + max(each["wanted"] for each in moments))
    hosts.legend(frameon=False, loc="upper right")
    line(middle, "p95", color="C0", label="p95")
    line(middle, "p50", ":", color="C0", label="p50")
    middle.axhline(LIMIT_MS, color="0.4", linewidth=0.8)
    middle.set(ylabel="milliseconds", yscale="log")
    middle.legend(frameon=False)
    line(bottom, "cpu", color="C2")
    bottom.set(ylabel="CPU of the hosts, %", xlabel="minutes", ylim=(0, 105))
    for axes in (top, middle, bottom):
        axes.grid(visible=True, which="major", color="0.9")
        axes.spines[["top"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)
