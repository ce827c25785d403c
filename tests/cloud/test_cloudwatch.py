"""CloudWatch with something to watch: a busy host, a load balancer, an alarm that writes a mail."""

import email
import http.client
import re
from datetime import UTC, datetime, timedelta

import pytest
from cloud.conftest import allow, wait_until

pytestmark = pytest.mark.cloud

# Answers 200, or 404 under /no, and keeps its processors busy, as far as this machine has any.
BUSY = """#!/bin/sh
mkdir -p /srv/web && cd /srv/web
cat > server.py <<'END'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404 if self.path == "/no" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
END
systemd-run --unit=web python3 /srv/web/server.py
systemd-run --unit=busy sh -c 'while :; do :; done'
systemd-run --unit=busier sh -c 'while :; do :; done'
"""
FINE, MISSING = 60, 7


@pytest.fixture(scope="module")
def watched(cloud):
    return cloud.client("cloudwatch")


@pytest.fixture(scope="module")
def host(cloud, site):
    ec2 = cloud.client("ec2")
    allow(ec2, site.group, 8000, site.cidr)
    made = ec2.run_instances(
        ImageId=site.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName="test",
        SubnetId=site.public, SecurityGroupIds=[site.group], UserData=BUSY,
        Monitoring={"Enabled": True},
    )["Instances"][0]["InstanceId"]  # fmt: skip
    yield made
    ec2.terminate_instances(InstanceIds=[made])


@pytest.fixture(scope="module")
def balancer(cloud, site, host):
    """Its address, and what CloudWatch calls it and its target group."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    second = ec2.create_subnet(
        VpcId=site.vpc, CidrBlock=f"{site.cidr.rsplit('.', 2)[0]}.8.0/24",
        AvailabilityZone="us-east-1b",
    )["Subnet"]["SubnetId"]  # fmt: skip
    tables = ec2.describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": [site.public]}]
    )["RouteTables"]
    ec2.associate_route_table(RouteTableId=tables[0]["RouteTableId"], SubnetId=second)
    front = ec2.create_security_group(GroupName="watched", Description="watched", VpcId=site.vpc)
    allow(ec2, front["GroupId"], 80)
    made = elb.create_load_balancer(
        Name="watched", Subnets=[site.public, second], SecurityGroups=[front["GroupId"]]
    )["LoadBalancers"][0]
    group = elb.create_target_group(
        Name="watched-hosts", Protocol="HTTP", Port=8000, VpcId=site.vpc, HealthCheckPath="/",
        HealthCheckIntervalSeconds=5, HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": host}])

    def healthy():
        health = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [each["TargetHealth"]["State"] for each in health] == ["healthy"]

    wait_until(healthy, 60)
    address = cloud.status()["watched"]["address"].split()[1]
    names = {
        "LoadBalancer": made["LoadBalancerArn"].partition("loadbalancer/")[2],
        "TargetGroup": group.rpartition(":")[2],
    }
    yield address, names
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    elb.delete_target_group(TargetGroupArn=group)


def dimensions(names: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in names.items()]


def read(cloudwatch, namespace, metric, names, statistic):
    """What there is of the last ten minutes."""
    now = datetime.now(UTC)
    found = cloudwatch.get_metric_statistics(
        Namespace=namespace, MetricName=metric, Dimensions=dimensions(names), Period=60,
        StartTime=now - timedelta(minutes=10), EndTime=now,
        **({"ExtendedStatistics": [statistic]} if statistic.startswith("p")
           else {"Statistics": [statistic]}),
    )["Datapoints"]  # fmt: skip
    return [
        each["ExtendedStatistics"][statistic] if statistic.startswith("p") else each[statistic]
        for each in found
    ]


def visit(address: str, path: str, times: int) -> None:
    for _ in range(times):
        connection = http.client.HTTPConnection(address, 80, timeout=20)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()


def mails(cloud, subject: str) -> list[str]:
    found = [
        email.message_from_bytes(path.read_bytes())
        for path in sorted((cloud.state / "mail").glob("*.eml"))
    ]
    return [
        each.get_payload(decode=True).decode()
        for each in found
        if each["Subject"].startswith(subject)
    ]


def test_what_happens_is_measured_and_told(cloud, watched, host, balancer):
    address, names = balancer
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="watchers")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    (asked,) = mails(cloud, "AWS Notification - Subscription")
    token = re.search(r"--token (\w+)", asked)[1]
    sns.confirm_subscription(TopicArn=topic, Token=token)
    watched.put_metric_alarm(
        AlarmName="busy", Namespace="AWS/EC2", MetricName="CPUUtilization",
        Dimensions=dimensions({"InstanceId": host}), Statistic="Average", Period=60,
        EvaluationPeriods=1, Threshold=20, ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )  # fmt: skip
    visit(address, "/", FINE)
    visit(address, "/no", MISSING)

    def counted():
        return sum(read(watched, "AWS/ApplicationELB", "RequestCount",
                        {"LoadBalancer": names["LoadBalancer"]}, "Sum"))  # fmt: skip

    # a minute has to end, and another when the requests were made in two
    wait_until(lambda: counted() == FINE + MISSING, 150)
    for metric, count in (("2XX", FINE), ("4XX", MISSING)):
        seen = read(watched, "AWS/ApplicationELB", f"HTTPCode_Target_{metric}_Count", names, "Sum")
        assert sum(seen) == count
    alone = {"TargetGroup": names["TargetGroup"]}
    seen = read(watched, "AWS/ApplicationELB", "RequestCountPerTarget", alone, "Sum")
    assert sum(seen) == FINE + MISSING
    assert all(0 <= each < 5 for each in read(
        watched, "AWS/ApplicationELB", "TargetResponseTime", names, "p95"))  # fmt: skip
    assert read(watched, "AWS/ApplicationELB", "HealthyHostCount", names, "Minimum")[-1] == 1
    assert read(watched, "AWS/EC2", "StatusCheckFailed", {"InstanceId": host}, "Maximum")[-1] == 0

    def alarm():
        return watched.describe_alarms(AlarmNames=["busy"])["MetricAlarms"][0]

    wait_until(lambda: alarm()["StateValue"] == "ALARM", 150)
    used = read(watched, "AWS/EC2", "CPUUtilization", {"InstanceId": host}, "Average")
    assert 20 < max(used) <= 100
    assert "was greater than the threshold (20.0)" in alarm()["StateReason"]
    (told,) = mails(cloud, 'ALARM: "busy"')
    assert '"NewStateValue": "ALARM"' in told
    assert cloud.status()["busy"]["state"] == "ALARM"


def test_an_alarm_of_high_resolution(cloud, watched):
    """Seconds after the metric breaches, and back."""
    watched.put_metric_alarm(
        AlarmName="queue", Namespace="Shop", MetricName="Queue", Statistic="Maximum", Period=10,
        EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip

    def state():
        return watched.describe_alarms(AlarmNames=["queue"])["MetricAlarms"][0]["StateValue"]

    for value, expected in ((9, "ALARM"), (1, "OK")):

        def arrives(value=value, expected=expected):
            watched.put_metric_data(
                Namespace="Shop",
                MetricData=[{"MetricName": "Queue", "Value": value, "StorageResolution": 1}],
            )
            return state() == expected

        wait_until(arrives, 45)


def test_metrics_outlive_the_process(cloud, watched, host):
    before = read(watched, "AWS/EC2", "StatusCheckFailed", {"InstanceId": host}, "Maximum")
    cloud.kill()
    cloud.run("up")
    after = read(watched, "AWS/EC2", "StatusCheckFailed", {"InstanceId": host}, "Maximum")
    assert len(after) >= len(before) > 0
