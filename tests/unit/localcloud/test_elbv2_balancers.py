"""Load balancers over the API, with nodes that only say they run."""

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import client

from localcloud.services.elbv2 import node
from localcloud.services.elbv2.balancers import LoadBalancers
from localcloud.services.elbv2.logs import AccessLogs
from localcloud.services.elbv2.runtime import Seen


class Quiet:
    """An HAProxy that does what it is told."""

    def __init__(self, directory):
        self.directory = directory

    def ready(self):
        return True

    def servers(self):
        return []

    def save_state(self):
        """There is none."""

    def reload(self):
        """Nothing runs."""


@pytest.fixture
def started(monkeypatch):
    """Names of nodes in the order in which they were started."""
    names = []

    def start(self, balancer, certificates):
        names.append(self.host.id)
        self.appliances.cloud.storage.create(self.host.id, 2)
        self.appliances.cloud.engine.remove(self.host.id)
        self.appliances.start(self.host, 1.0, 512, {})

    monkeypatch.setattr(node, "Haproxy", Quiet)
    monkeypatch.setattr(node.Node, "start", start)
    monkeypatch.setattr(node.Node, "_write", lambda self, *_: None)
    monkeypatch.setattr(AccessLogs, "listen", lambda self, node: None)
    return names


@pytest.fixture
def elb(cloud, started):
    return client("elbv2")


@pytest.fixture
def subnets(ec2, site):
    second = ec2.create_subnet(
        VpcId=site["vpc"], CidrBlock="10.9.2.0/24", AvailabilityZone="us-east-1b"
    )["Subnet"]["SubnetId"]  # fmt: skip
    return [site["subnet"], second]


@pytest.fixture
def balancer(elb, subnets):
    return elb.create_load_balancer(Name="shop", Subnets=subnets)["LoadBalancers"][0]


@pytest.fixture
def listener(elb, balancer):
    return elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=FIXED
    )["Listeners"][0]


FIXED = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
OIDC = {
    "Type": "authenticate-oidc",
    "Order": 1,
    "AuthenticateOidcConfig": {
        "Issuer": "https://a.example",
        "AuthorizationEndpoint": "https://a.example/a",
        "TokenEndpoint": "https://a.example/t",
        "UserInfoEndpoint": "https://a.example/u",
        "ClientId": "c",
        "ClientSecret": "s",
    },
}
COGNITO = {
    "Type": "authenticate-cognito",
    "Order": 1,
    "AuthenticateCognitoConfig": {
        "UserPoolArn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/p",
        "UserPoolClientId": "c",
        "UserPoolDomain": "d",
    },
}


@pytest.mark.parametrize(
    "actions",
    [
        [OIDC, {**FIXED[0], "Order": 2}],
        [{**FIXED[0], "Order": 2}, OIDC],
        [COGNITO, {**FIXED[0], "Order": 2}],
        [OIDC],
        [{**FIXED[0], "Order": 2}, {**FIXED[0], "Order": 1}],
    ],
)
def test_a_rule_that_would_let_everybody_in_is_refused(elb, cloud, balancer, listener, actions):
    arn = listener["ListenerArn"]
    with pytest.raises(ClientError, match="InvalidLoadBalancerAction"):
        elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=81,
            DefaultActions=actions,
        )
    with pytest.raises(ClientError, match="InvalidLoadBalancerAction"):
        elb.modify_listener(ListenerArn=arn, DefaultActions=actions)
    with pytest.raises(ClientError, match="InvalidLoadBalancerAction"):
        elb.create_rule(
            ListenerArn=arn,
            Priority=1,
            Conditions=[{"Field": "path-pattern", "Values": ["/a"]}],
            Actions=actions,
        )
    found = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert [each["DefaultActions"] for each in found] == [listener["DefaultActions"]]
    assert len(elb.describe_rules(ListenerArn=arn)["Rules"]) == 1


def test_mutual_authentication_is_refused(elb, balancer, listener):
    with pytest.raises(ClientError, match="no mutual authentication"):
        elb.modify_listener(
            ListenerArn=listener["ListenerArn"],
            DefaultActions=FIXED,
            MutualAuthentication={"Mode": "verify", "TrustStoreArn": "arn:aws:x"},
        )


@pytest.mark.parametrize(
    "options",
    [
        {"TargetType": "lambda"},
        {"TargetType": "alb", "Protocol": "TCP", "Port": 80},
        {"Protocol": "TCP", "Port": 80},
        {"Protocol": "HTTP", "Port": 80, "ProtocolVersion": "GRPC"},
    ],
)
def test_targets_that_nothing_reaches_are_refused(elb, site, options):
    vpc = {} if options.get("TargetType") == "lambda" else {"VpcId": site["vpc"]}
    with pytest.raises(ClientError, match="InvalidConfigurationRequest"):
        elb.create_target_group(Name="web", **vpc, **options)
    assert elb.describe_target_groups()["TargetGroups"] == []


def test_without_groups_it_has_the_default_one_of_its_vpc(elb, ec2, site, balancer):
    groups = ec2.describe_security_groups(
        Filters=[
            {"Name": "vpc-id", "Values": [site["vpc"]]},
            {"Name": "group-name", "Values": ["default"]},
        ]
    )["SecurityGroups"]
    assert balancer["SecurityGroups"] == [groups[0]["GroupId"]]


def test_its_interfaces_are_the_load_balancer_s(ec2, balancer):
    found = ec2.describe_network_interfaces(
        Filters=[{"Name": "requester-id", "Values": ["amazon-elb"]}]
    )["NetworkInterfaces"]
    assert len(found) == 2
    assert {each["Description"].split("/")[1] for each in found} == {"shop"}


def test_a_node_whose_container_ended_is_started_again(cloud, started, balancer):
    assert started == ["alb-shop-1", "alb-shop-2"]
    cloud.engine.die("alb-shop-2", 137)
    cloud.reconcile()
    assert started[2:] == ["alb-shop-2"]


def test_a_target_that_has_gone_does_not_drain_because_another_has_its_address(
    cloud, elb, site, launch, ec2, listener, monkeypatch
):
    arn = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=site["vpc"])[
        "TargetGroups"
    ][0]["TargetGroupArn"]
    elb.modify_listener(
        ListenerArn=listener["ListenerArn"],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    old, new = (launch()["InstanceId"] for _ in range(2))
    instance = cloud.backend("ec2").get_instance_by_id(old)
    server = Seen("web", f"{instance.private_ip}:80", "UP", "L7OK", "200", 0)
    monkeypatch.setattr(Quiet, "servers", lambda self: [server])
    monkeypatch.setattr(node.Node, "sync", lambda self, *_: None)

    def targets():
        found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {each["Target"]["Id"]: each["TargetHealth"]["State"] for each in found}

    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": old}])
    assert targets() == {old: "healthy"}
    elb.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": old}])
    assert targets() == {old: "draining"}

    ec2.terminate_instances(InstanceIds=[old])
    cloud.backend("ec2").get_instance_by_id(new).nics[0].private_ip_address = instance.private_ip
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": new}])
    assert targets() == {new: "healthy"}


def test_one_broken_balancer_does_not_keep_the_others_from_being_served(
    cloud, elb, started, subnets, balancer, monkeypatch
):
    other = elb.create_load_balancer(Name="another", Subnets=subnets)["LoadBalancers"][0]
    broken = cloud.backend("elbv2").load_balancers[balancer["LoadBalancerArn"]]
    broken.listeners["x"] = object()
    cloud.engine.die("alb-another-1", 137)
    cloud.service(LoadBalancers).reconcile()
    assert started[-1] == "alb-another-1"
    broken.listeners.clear()
    elb.delete_load_balancer(LoadBalancerArn=other["LoadBalancerArn"])


def test_a_balancer_that_was_half_made_is_gone_after_a_crash(make_cloud, cloud, started, balancer):
    made = cloud.backend("elbv2").load_balancers[balancer["LoadBalancerArn"]]
    made.state = "provisioning"
    cloud.save()
    again = make_cloud(storage=cloud.storage)
    assert "removed load balancer shop: it was half made" in again.adopted
    assert client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    assert again.storage.sizes == {}


def test_what_no_balancer_has_is_swept_away_with_its_volume(make_cloud, cloud):
    cloud.storage.create("alb-lost-1", 2)
    cloud.storage.image("alb-lost-1").parent.mkdir(parents=True, exist_ok=True)
    cloud.storage.image("alb-lost-1").touch()
    again = make_cloud(storage=cloud.storage)
    assert "removed load balancer host alb-lost-1: the API does not know it" in again.adopted
    assert "alb-lost-1" not in again.storage.sizes
