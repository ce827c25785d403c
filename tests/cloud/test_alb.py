"""An Application Load Balancer as its users meet it."""

import gzip
import http.client
import json
import socket
import ssl
import threading
import time

import pytest
from botocore.exceptions import ClientError
from cloud.conftest import SITE, allow, describe, opens, wait_until

pytestmark = pytest.mark.cloud

# A web server that can be told to be sick, and shows what it was asked.
SERVER = """#!/bin/sh
mkdir -p /srv/web && cd /srv/web
cat > server.py <<'END'
import http.server, json, os, socket, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        sick = self.path == "/readyz" and os.path.exists("/srv/web/sick")
        if self.path == "/slow":
            time.sleep(3)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"served by": socket.gethostname(), **headers}).encode()
        self.send_response(500 if sick else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
END
systemd-run --unit=web python3 /srv/web/server.py
"""


class Visitors:
    """Clients that ask without a pause, half of them over kept connections."""

    def __init__(self, addresses: list[str], path: str = "/"):
        self.answered: dict[str, int] = {}
        self.failed: list = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._visit, args=(address, path, keep))
            for address in addresses
            for keep in (True, False)
        ]
        for thread in self._threads:
            thread.start()

    def _visit(self, address: str, path: str, keep: bool) -> None:
        connection = None
        while not self._stop.is_set():
            try:
                connection = connection or http.client.HTTPConnection(address, 80, timeout=20)
                connection.request("GET", path)
                reply = connection.getresponse()
                body = reply.read()
                if reply.status == 200:
                    host = json.loads(body)["served by"]
                    self.answered[host] = self.answered.get(host, 0) + 1
                else:
                    self.failed.append(reply.status)
                if reply.will_close or not keep:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))
                connection = None
            time.sleep(0.005)
        if connection:
            connection.close()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def elb(cloud):
    return cloud.client("elbv2")


@pytest.fixture(scope="module")
def subnets(cloud, site):
    """Two public subnets, one in each zone."""
    ec2 = cloud.client("ec2")
    prefix = site.cidr.rsplit(".", 2)[0]
    second = ec2.create_subnet(
        VpcId=site.vpc, CidrBlock=f"{prefix}.3.0/24", AvailabilityZone="us-east-1b"
    )["Subnet"]["SubnetId"]
    tables = ec2.describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": [site.public]}]
    )["RouteTables"]
    ec2.associate_route_table(RouteTableId=tables[0]["RouteTableId"], SubnetId=second)
    return [site.public, second]


@pytest.fixture(scope="module")
def groups(cloud, site):
    ec2 = cloud.client("ec2")
    made = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=site.vpc)["GroupId"]
        for name in ("balancers", "targets")
    }
    allow(ec2, made["balancers"], 80)
    allow(ec2, made["balancers"], 443)
    allow(ec2, made["targets"], 8000, made["balancers"])
    return made


@pytest.fixture(scope="module")
def hosts(cloud, site, groups, subnets):
    """Two web hosts, one in each zone."""
    ec2 = cloud.client("ec2")
    made = [
        ec2.run_instances(
            ImageId=site.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName="test",
            NetworkInterfaces=[{
                "DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": True,
                "Groups": [site.group, groups["targets"]],
            }],
            UserData=SERVER,
        )["Instances"][0]["InstanceId"]
        for subnet in subnets
    ]  # fmt: skip
    yield [describe(ec2, each) for each in made]
    ec2.terminate_instances(InstanceIds=made)


@pytest.fixture(scope="module")
def group(elb, site, hosts):
    """The target group, with both hosts in it."""
    arn = elb.create_target_group(
        Name="web", Protocol="HTTP", Port=8000, VpcId=site.vpc, HealthCheckPath="/readyz",
        HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
        UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elb.modify_target_group_attributes(
        TargetGroupArn=arn,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "20"}],
    )
    elb.register_targets(TargetGroupArn=arn, Targets=ids(hosts))
    return arn


@pytest.fixture(scope="module")
def balancer(cloud, elb, subnets, groups, group):
    made = elb.create_load_balancer(
        Name="tests", Subnets=subnets, SecurityGroups=[groups["balancers"]]
    )["LoadBalancers"][0]
    assert made["State"]["Code"] == "active"
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )  # fmt: skip
    wait_until(lambda: states(elb, group) == {"healthy"}, 60)
    yield made
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])
    elb.delete_target_group(TargetGroupArn=group)


@pytest.fixture(scope="module")
def addresses(cloud, balancer):
    """The nodes' addresses on this machine, one in each zone."""
    found = cloud.status()["tests"]["address"].split()[1:]
    assert len(found) == 2
    return found


@pytest.fixture
def listener(elb, balancer):
    found = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    return next(each["ListenerArn"] for each in found if each["Port"] == 80)


def ids(hosts) -> list[dict]:
    return [{"Id": each["InstanceId"]} for each in hosts]


def health(elb, group, **options) -> dict[str, dict]:
    found = elb.describe_target_health(TargetGroupArn=group, **options)
    return {
        each["Target"]["Id"]: each["TargetHealth"] for each in found["TargetHealthDescriptions"]
    }


def states(elb, group) -> set[str]:
    return {each["State"] for each in health(elb, group).values()}


def get(address: str, path: str = "/", port: int = 80, **headers):
    """Status, headers and body; redirects are not followed."""
    connection = http.client.HTTPConnection(address, port, timeout=20)
    connection.request("GET", path, headers=headers)
    reply = connection.getresponse()
    body = reply.read().decode()
    connection.close()
    return reply.status, {name.lower(): value for name, value in reply.getheaders()}, body


def test_requests_reach_all_healthy_targets_and_say_who_asked(addresses, hosts):
    seen = {}
    for address in addresses:
        for _ in range(4):
            status, _, body = get(address, Host="shop.example", **{"X-Forwarded-For": "192.0.2.1"})
            assert status == 200
            answer = json.loads(body)
            seen[answer["served by"]] = answer
    assert set(seen) == {each["PrivateDnsName"].split(".")[0] for each in hosts}
    for answer in seen.values():
        assert answer["x-forwarded-for"] == "192.0.2.1, 198.51.100.1"
        assert answer["x-forwarded-proto"] == "http"
        assert answer["x-forwarded-port"] == "80"
        assert answer["x-amzn-trace-id"].startswith("Root=1-")


def test_the_site_follows_the_alias_to_the_balancer(cloud, balancer, zone):
    route53 = cloud.client("route53")
    record = {
        "Name": SITE,
        "Type": "A",
        "AliasTarget": {
            "HostedZoneId": balancer["CanonicalHostedZoneId"],
            "DNSName": balancer["DNSName"],
            "EvaluateTargetHealth": True,
        },
    }
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
    )
    port = int(cloud.environment["LOCALCLOUD_HTTP_PORT"])
    status, _, body = get("127.0.0.1", port=port, Host=SITE)
    assert status == 200
    assert json.loads(body)["host"] == SITE


def test_a_closed_port_is_closed(elb, addresses, balancer, hosts, group):
    extra = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=8080,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )["Listeners"][0]["ListenerArn"]  # fmt: skip
    try:
        assert opens(addresses[0], 80)
        assert not opens(addresses[0], 8080)  # listened to, but no security group lets it in
        assert not opens(hosts[0]["PublicIpAddress"], 8000)  # for the balancer only
    finally:
        elb.delete_listener(ListenerArn=extra)


def test_drain_register_and_reload_fail_no_request(elb, group, hosts, addresses, listener):
    visitors = Visitors(addresses)
    slow = Visitors(addresses[:1], "/slow")
    rules = []
    try:
        time.sleep(1)
        elb.deregister_targets(TargetGroupArn=group, Targets=ids(hosts[:1]))
        name = hosts[0]["InstanceId"]
        assert health(elb, group)[name]["State"] == "draining"
        assert health(elb, group)[name]["Reason"] == "Target.DeregistrationInProgress"
        asked = dict(visitors.answered)
        time.sleep(1)
        drained = hosts[0]["PrivateDnsName"].split(".")[0]
        assert visitors.answered.get(drained, 0) <= asked.get(drained, 0) + len(addresses) * 2
        wait_until(lambda: name not in health(elb, group))
        [gone] = health(elb, group, Targets=ids(hosts[:1])).values()
        assert gone["State"] == "unused"
        elb.register_targets(TargetGroupArn=group, Targets=ids(hosts[:1]))
        assert health(elb, group)[name]["State"] == "initial"
        wait_until(lambda: states(elb, group) == {"healthy"})
        for priority in range(1, 6):
            action = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "it's gone"}
            rules += elb.create_rule(
                ListenerArn=listener, Priority=priority,
                Conditions=[{"Field": "path-pattern", "Values": [f"/gone-{priority}/*"]}],
                Actions=[{"Type": "fixed-response", "FixedResponseConfig": action}],
            )["Rules"]  # fmt: skip
        status, _, body = get(addresses[1], "/gone-3/for-good")
        assert (status, body) == (404, "it's gone")
    finally:
        visitors.end()
        slow.end()
        for rule in rules:
            elb.delete_rule(RuleArn=rule["RuleArn"])
    assert visitors.failed == []
    assert slow.failed == []
    assert sum(visitors.answered.values()) > 100
    assert slow.answered


def test_a_connection_from_before_a_reload_reaches_no_target_that_has_gone(
    elb, group, hosts, addresses, listener
):
    kept = [http.client.HTTPConnection(each, 80, timeout=20) for each in addresses * 4]

    def served_by():
        found = set()
        for connection in kept:
            connection.request("GET", "/")
            found.add(json.loads(connection.getresponse().read())["served by"])
        return found

    assert served_by() == {each["PrivateDnsName"].split(".")[0] for each in hosts}
    action = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "it's gone"}
    [rule] = elb.create_rule(
        ListenerArn=listener, Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/gone/*"]}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": action}],
    )["Rules"]  # fmt: skip
    name = hosts[0]["InstanceId"]
    try:
        elb.deregister_targets(TargetGroupArn=group, Targets=ids(hosts[:1]))
        time.sleep(2)
        assert health(elb, group)[name]["State"] == "draining"
        served_by()  # the last time that these connections reach it, if they do
        wait_until(lambda: name not in health(elb, group))
        assert served_by() == {each["PrivateDnsName"].split(".")[0] for each in hosts[1:]}
    finally:
        for connection in kept:
            connection.close()
        elb.delete_rule(RuleArn=rule["RuleArn"])
        elb.register_targets(TargetGroupArn=group, Targets=ids(hosts[:1]))
        wait_until(lambda: states(elb, group) == {"healthy"})


def test_health_says_why(cloud, elb, group, hosts, addresses):
    name, address = hosts[0]["InstanceId"], hosts[0]["PublicIpAddress"]
    cloud.ssh(address, "sudo touch /srv/web/sick")
    wait_until(lambda: health(elb, group)[name]["State"] == "unhealthy", 30)
    assert health(elb, group)[name]["Reason"] == "Target.ResponseCodeMismatch"
    assert "[500]" in health(elb, group)[name]["Description"]
    visited = {json.loads(get(addresses[0])[2])["served by"] for _ in range(6)}
    assert visited == {hosts[1]["PrivateDnsName"].split(".")[0]}
    cloud.ssh(address, "sudo rm /srv/web/sick; sudo systemctl stop web")
    wait_until(lambda: health(elb, group)[name].get("Reason") == "Target.FailedHealthChecks", 30)
    cloud.ssh(address, "sudo systemd-run --quiet --unit=web python3 /srv/web/server.py")
    wait_until(lambda: states(elb, group) == {"healthy"}, 30)


def test_redirects_and_groups_without_targets(elb, site, addresses, listener):
    empty = elb.create_target_group(
        Name="empty", Protocol="HTTP", Port=8000, VpcId=site.vpc
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    redirect = {
        "Protocol": "HTTPS", "Port": "443", "Host": "www.#{host}", "Path": "/new/#{path}",
        "Query": "#{query}", "StatusCode": "HTTP_301",
    }  # fmt: skip
    rules = [
        elb.create_rule(
            ListenerArn=listener, Priority=priority, Actions=[action],
            Conditions=[{"Field": "path-pattern", "Values": [pattern]}],
        )["Rules"][0]
        for priority, pattern, action in (
            (20, "/old*", {"Type": "redirect", "RedirectConfig": redirect}),
            (21, "/empty", {"Type": "forward", "TargetGroupArn": empty}),
        )
    ]  # fmt: skip
    try:
        status, headers, _ = get(addresses[0], "/old/page?a=1", Host="example.com")
        assert status == 301
        assert headers["location"] == "https://www.example.com/new/old/page?a=1"
        assert get(addresses[0], "/empty")[0] == 503
        with pytest.raises(ClientError, match="in use"):
            elb.delete_target_group(TargetGroupArn=empty)
    finally:
        for rule in rules:
            elb.delete_rule(RuleArn=rule["RuleArn"])
        elb.delete_target_group(TargetGroupArn=empty)


def test_https_with_a_certificate_that_dns_proves(cloud, elb, balancer, group, addresses):
    acm, route53 = cloud.client("acm"), cloud.client("route53")
    domain = f"shop.{SITE}"
    arn = acm.request_certificate(DomainName=domain, ValidationMethod="DNS")["CertificateArn"]
    wanted = {
        "LoadBalancerArn": balancer["LoadBalancerArn"], "Protocol": "HTTPS", "Port": 443,
        "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "Certificates": [{"CertificateArn": arn}],
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
    }  # fmt: skip
    with pytest.raises(ClientError, match="PENDING_VALIDATION"):
        elb.create_listener(**wanted)
    [option] = acm.describe_certificate(CertificateArn=arn)["Certificate"][
        "DomainValidationOptions"
    ]
    proof = option["ResourceRecord"]
    zone = route53.create_hosted_zone(Name=domain, CallerReference="acm")["HostedZone"]["Id"]
    record = {
        "Name": proof["Name"],
        "Type": "CNAME",
        "TTL": 60,
        "ResourceRecords": [{"Value": proof["Value"]}],
    }
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
    )
    assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED"
    listener = elb.create_listener(**wanted)["Listeners"][0]["ListenerArn"]
    context = ssl.create_default_context(cafile=cloud.state / "authority/ca.pem")
    connection = http.client.HTTPSConnection(addresses[0], 443, timeout=10, context=context)
    connection.sock = context.wrap_socket(
        socket.create_connection((addresses[0], 443), 10), server_hostname=domain
    )
    connection.request("GET", "/", headers={"Host": domain})
    reply = connection.getresponse()
    answer = json.load(reply)
    connection.close()
    assert (reply.status, answer["x-forwarded-proto"], answer["x-forwarded-port"]) == (
        200, "https", "443",
    )  # fmt: skip
    with pytest.raises(ClientError, match="in use"):
        acm.delete_certificate(CertificateArn=arn)
    elb.delete_listener(ListenerArn=listener)
    acm.delete_certificate(CertificateArn=arn)


def test_access_logs_are_in_the_bucket(cloud, elb, balancer, addresses):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="balancer-logs")
    resource = "arn:aws:s3:::balancer-logs/web/AWSLogs/123456789012/*"
    service = "logdelivery.elasticloadbalancing.amazonaws.com"
    allow_logs = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "s3:PutObject"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow_logs, "Resource": resource}]}

    def switch(value: str) -> None:
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Attributes=[
                {"Key": "access_logs.s3.enabled", "Value": value},
                {"Key": "access_logs.s3.bucket", "Value": "balancer-logs"},
                {"Key": "access_logs.s3.prefix", "Value": "web"},
            ],
        )

    def logged() -> list[str]:
        """Lines in the bucket after a request; switching the logs off writes what has come."""
        switch("true")
        assert get(addresses[0], "/logged?a=1", **{"User-Agent": 'te"st'})[0] == 200
        switch("false")
        keys = [
            each["Key"] for each in s3.list_objects_v2(Bucket="balancer-logs").get("Contents", [])
        ]
        assert all(key.startswith("web/AWSLogs/") for key in keys)
        return [
            line
            for key in keys
            for line in gzip.decompress(
                s3.get_object(Bucket="balancer-logs", Key=key)["Body"].read()
            ).decode().splitlines()
            if "/logged" in line
        ]  # fmt: skip

    with pytest.raises(ClientError, match="S3bucket permission"):
        switch("true")
    s3.put_bucket_policy(Bucket="balancer-logs", Policy=json.dumps(policy))
    # HAProxy logs a request once it has answered it: a line may come too late for its own round.
    line = wait_until(logged)[0]
    fields = line.split(" ")
    assert fields[0] == "http"
    assert fields[2].startswith("app/tests/")
    assert fields[3].startswith("198.51.100.1:")
    assert fields[8:10] == ["200", "200"]
    assert f'"GET http://{addresses[0]}:80/logged?a=1 HTTP/1.1" "te\\"st"' in line


def test_the_balancer_outlives_the_local_clouds_process(cloud, elb, group, addresses):
    visitors = Visitors(addresses)
    try:
        time.sleep(0.5)
        cloud.kill()
        time.sleep(0.5)
        cloud.run("up")
        wait_until(lambda: states(elb, group) == {"healthy"})
    finally:
        visitors.end()
    assert visitors.failed == []
    assert visitors.answered


def test_what_cannot_be_made_is_refused(elb, site, balancer, group):
    with pytest.raises(ClientError, match="two subnets"):
        elb.create_load_balancer(Name="one", Subnets=[site.public])
    with pytest.raises(ClientError, match="Listener"):
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )  # fmt: skip
