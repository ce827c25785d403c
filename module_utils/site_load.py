"""What CloudWatch is asked about a site, and what its answers say of the busiest while."""

from datetime import UTC, datetime, timedelta

# Seconds of a while: instances without detailed monitoring tell of five minutes at once.
PERIOD = 300
GIB = 2**30
# A while with this share of the most requests is a busy one.
SHARE = 0.8
# What is asked of each kind: our name, the metric, the statistic.
OF_HOSTS = [("host_cpu", "CPUUtilization", "Average"), ("host_out", "NetworkOut", "Sum")]
OF_BALANCER = [
    ("requests", "RequestCount", "Sum"),
    ("app_errors", "HTTPCode_Target_5XX_Count", "Sum"),
    ("balancer_errors", "HTTPCode_ELB_5XX_Count", "Sum"),
    ("p95", "TargetResponseTime", "p95"),
]
OF_API = [("requests", "Count", "Sum"), ("app_errors", "5xx", "Sum"), ("p95", "Latency", "p95")]
# A function has runs at once for moments only: the most of them is what its concurrency holds.
OF_FUNCTION = [
    ("runs", "Invocations", "Sum"),
    ("run_time", "Duration", "Average"),
    ("concurrent", "ConcurrentExecutions", "Maximum"),
    ("throttles", "Throttles", "Sum"),
]
OF_TABLE = [
    ("table_reads", "ConsumedReadCapacityUnits", "Sum"),
    ("table_writes", "ConsumedWriteCapacityUnits", "Sum"),
]
OF_DATABASE = [
    ("database_cpu", "CPUUtilization", "Average"),
    ("connections", "DatabaseConnections", "Maximum"),
    ("free", "FreeStorageSpace", "Minimum"),
]
OF_CACHE = [("cache_cpu", "EngineCPUUtilization", "Average")]


def window(minutes, now=None):
    """The whiles that have ended, as many as ``minutes`` hold."""
    now = now or datetime.now(UTC)
    end = datetime.fromtimestamp(now.timestamp() // PERIOD * PERIOD, UTC)
    return end - timedelta(seconds=max(minutes * 60 // PERIOD, 1) * PERIOD), end


def queries(hosts=(), group="", balancer="", database="", nodes=(), api="", function="", tables=()):
    """Everything in one question, as GetMetricData takes it."""
    of_hosts = [("AutoScalingGroupName", group)] if group else [("InstanceId", id) for id in hosts]
    asked = [("AWS/EC2", each, OF_HOSTS) for each in of_hosts]
    asked += [("AWS/ApplicationELB", ("LoadBalancer", balancer), OF_BALANCER)] if balancer else []
    asked += [("AWS/ApiGateway", ("ApiId", api), OF_API)] if api else []
    asked += [("AWS/Lambda", ("FunctionName", function), OF_FUNCTION)] if function else []
    asked += [("AWS/RDS", ("DBInstanceIdentifier", database), OF_DATABASE)] if database else []
    asked += [("AWS/ElastiCache", ("CacheClusterId", node), OF_CACHE) for node in nodes]
    asked += [("AWS/DynamoDB", ("TableName", table), OF_TABLE) for table in tables]
    return [
        {
            "Id": f"{name}_{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": metric,
                    "Dimensions": [{"Name": key, "Value": value}],
                },
                "Period": PERIOD,
                "Stat": statistic,
            },
        }
        for number, (namespace, (key, value), metrics) in enumerate(asked)
        for name, metric, statistic in metrics
    ]


def lines(pages):
    """``{name: [{time: value}, ...]}``, one for each thing that has the metric."""
    found = {}
    for page in pages:
        for each in page["MetricDataResults"]:
            points = zip(each["Timestamps"], each["Values"], strict=True)
            found.setdefault(each["Id"], {}).update(points)
    named = {}
    for id, points in found.items():
        named.setdefault(id.rpartition("_")[0], []).append(points)
    return named


def busy_whiles(named):
    """Those with about as many requests as the busiest one; the last one when nobody has come.

    A deploy or a dump in a quiet night is not what visitors do, and in a while with few requests
    one slow one would be the p95.
    """
    if requests := first_of(named, "requests"):
        most = SHARE * max(requests.values())
        return {time for time, count in requests.items() if count >= most}
    times = [time for points in named.get("host_cpu", []) for time in points]
    return {max(times)} if times else set()


def together(several):
    """By time, the values of those that have one."""
    times = {time for points in several for time in points}
    return {time: [points[time] for points in several if time in points] for time in times}


def mean(several):
    """By time: a host that was not there in a while does not count in it."""
    return {time: sum(values) / len(values) for time, values in together(several).items()}


def worst(several, whiles, of=max):
    """Of some whiles, or of all."""
    values = (
        value
        for points in several
        for time, value in points.items()
        if whiles is None or time in whiles
    )
    return of(values, default=None)


def first_of(named, name):
    """Of what there is one of only."""
    return (named.get(name) or [{}])[0]


def host_load(named, sharing, whiles):
    """The mean host: percent of its processors, and Gbit/s that it sends.

    ``sharing`` is how many hosts have one value together.
    """
    cpu, sent = (worst([mean(named.get(name, []))], whiles) for name in ("host_cpu", "host_out"))
    gbit = None if sent is None else sent / sharing * 8 / PERIOD / 1e9
    return {"cpu": cpu, "gbit": gbit}


def balancer_load(named, whiles):
    first = {name: first_of(named, name) for name, *_ in OF_BALANCER}
    requests = first["requests"]
    if not requests:
        return {"requests": 0, "failed": 0, "p95": None}
    # Those that no host has answered are not among the requests.
    failed = sum(
        first[name].get(at, 0) for name in ("app_errors", "balancer_errors") for at in whiles
    )
    asked = sum(requests[at] + first["balancer_errors"].get(at, 0) for at in whiles)
    return {
        "requests": max(requests.values()) / PERIOD,
        "failed": failed / asked,
        "p95": worst([first["p95"]], whiles),
    }


def api_load(named, whiles):
    """The same of an API, which tells of milliseconds; its own errors are among the requests."""
    found = balancer_load(named, whiles)
    return found | {"p95": None if found["p95"] is None else found["p95"] / 1000}


def function_load(named, whiles):
    """How many runs there were at once, and the share of them that was one too many."""
    ran, turned = (
        sum(first_of(named, name).get(at, 0) for at in whiles) for name in ("runs", "throttles")
    )
    run_time = worst([first_of(named, "run_time")], whiles)
    return {
        "concurrent": worst([first_of(named, "concurrent")], whiles),
        "seconds": None if run_time is None else run_time / 1000,
        "throttled": turned / (turned + ran) if turned else 0,
    }


def table_load(named, whiles):
    """Units that all tables took in a second; what nobody asks for is not told."""
    found = {}
    for key in ("reads", "writes"):
        units = together(named.get(f"table_{key}", []))
        total = {time: sum(values) for time, values in units.items()}
        found[key] = (worst([total], whiles) or 0) / PERIOD
    return found


def database_load(named, whiles):
    free = worst(named.get("free", []), None, min)
    return {
        "cpu": worst(named.get("database_cpu", []), whiles),
        "connections": worst(named.get("connections", []), None),
        "free_gib": None if free is None else free / GIB,
    }


def cache_load(named, whiles):
    return {"cpu": worst(named.get("cache_cpu", []), whiles)}
