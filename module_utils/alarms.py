"""Alarms as CloudWatch takes and describes them: what is wanted, whether what is there differs."""

COMPARISONS = {"above": "GreaterThanThreshold", "below": "LessThanThreshold"}


def wanted(prefix, item, topic):
    """One of the module's ``alarms`` as arguments of PutMetricAlarm."""
    return {
        "AlarmName": prefix + item["name"],
        "AlarmDescription": item["description"],
        "Namespace": item["namespace"],
        "MetricName": item["metric"],
        "Dimensions": [
            {"Name": name, "Value": str(value)}
            for name, value in sorted(item["dimensions"].items())
        ],
        "Statistic": item["statistic"],
        "ComparisonOperator": COMPARISONS[item["comparison"]],
        "Threshold": item["threshold"],
        "Period": item["period"],
        "EvaluationPeriods": item["periods"],
        "TreatMissingData": item["missing"],
        "ActionsEnabled": True,
        "AlarmActions": [topic],
        "OKActions": [topic],
    }


def comparable(alarm):
    """What can be compared of an alarm, wanted or described."""
    found = {key: alarm.get(key) for key in wanted_keys()}
    found["Dimensions"] = {each["Name"]: each["Value"] for each in alarm.get("Dimensions") or []}
    return found


def wanted_keys():
    item = dict.fromkeys(
        ["description", "namespace", "metric", "statistic", "threshold", "period", "periods",
         "missing"]
    )  # fmt: skip
    return wanted("", {"name": "", "dimensions": {}, "comparison": "above", **item}, "")


def differs(current, put):
    return comparable(current) != comparable(put)


def shown(found):
    """A line for each alarm, by its name."""
    return {name: line(comparable(each)) for name, each in sorted(found.items())}


def line(alarm):
    return (
        f"{alarm['Statistic']} {alarm['MetricName']} of {alarm['Dimensions']} "
        f"{alarm['ComparisonOperator']} {alarm['Threshold']:g}, "
        f"{alarm['EvaluationPeriods']} x {alarm['Period']} s, "
        f"missing: {alarm['TreatMissingData']}; {alarm['AlarmDescription']}"
    )
