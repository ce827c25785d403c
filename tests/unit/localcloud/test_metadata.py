"""The metadata service: tokens, listings, and what a request without a token may see."""

import json

import pytest
from werkzeug.test import Client

from localcloud.metadata import Metadata, PublicKeys
from localcloud.services.instance_metadata import InstanceMetadata

TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}


def tree(http_tokens="optional"):
    return {
        "http_tokens": http_tokens,
        "latest": {
            "user-data": b"#!/bin/sh",
            "meta-data": {
                "instance-id": "i-1",
                "nothing": None,
                "public-keys": PublicKeys(mine="ssh-ed25519 AAAA"),
                "iam": {"security-credentials": {"web": lambda: "secret"}},
            },
        },
    }


@pytest.fixture
def imds():
    class Imds:
        answer = tree()

        def __init__(self):
            self.client = Client(Metadata(lambda address: self.answer))

        def get(self, path, token=None, **headers):
            if token:
                headers["X-aws-ec2-metadata-token"] = token
            reply = self.client.get(
                f"/latest/{path}", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.4"}
            )
            return reply.status_code, reply.text

        def token(self, headers=TTL, address="10.0.0.4", method="PUT"):
            return self.client.open(
                "/latest/api/token",
                method=method,
                headers=headers,
                environ_base={"REMOTE_ADDR": address},
            )

    return Imds()


def test_listings_are_ec2s(imds):
    assert imds.get("meta-data/") == (200, "instance-id\npublic-keys/\niam/")
    assert imds.get("meta-data/public-keys/") == (200, "0=mine")
    assert imds.get("meta-data/public-keys/0/") == (200, "openssh-key")
    assert imds.get("meta-data/public-keys/0/openssh-key") == (200, "ssh-ed25519 AAAA")
    assert imds.get("user-data") == (200, "#!/bin/sh")
    assert imds.get("meta-data/nothing")[0] == 404
    assert imds.get("meta-data/spot/instance-action")[0] == 404


def test_an_instance_that_requires_tokens_answers_only_to_its_own(imds):
    imds.answer = tree("required")
    own, other = imds.token().text, imds.token(address="10.0.0.5").text
    assert imds.get("meta-data/instance-id")[0] == 401
    assert imds.get("meta-data/instance-id", token=other)[0] == 401
    assert imds.get("meta-data/instance-id", token="guess")[0] == 401
    assert imds.get("meta-data/instance-id", token=own) == (200, "i-1")


def test_cloud_init_boots_without_a_token_and_gets_no_credentials(imds):
    imds.answer = tree("required")
    agent = {"User-Agent": "Cloud-Init/25.1.4"}
    assert imds.get("meta-data/instance-id", **agent) == (200, "i-1")
    imds.answer = tree("required")
    assert imds.get("meta-data/iam/security-credentials/web", **agent)[0] == 404


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({}, "PUT", 400),
        ({"X-aws-ec2-metadata-token-ttl-seconds": "0"}, "PUT", 400),
        ({"X-aws-ec2-metadata-token-ttl-seconds": "21601"}, "PUT", 400),
        ({**TTL, "X-Forwarded-For": "1.2.3.4"}, "PUT", 403),
        (TTL, "GET", 405),
    ],
)
def test_a_token_is_not_given_for_the_asking(imds, headers, method, status):
    assert imds.token(headers, method=method).status_code == status


def test_an_unknown_client_learns_nothing(imds):
    imds.answer = None
    assert imds.get("meta-data/instance-id")[0] == 404


def test_an_instance_sees_itself(cloud, launch):
    instance = launch(UserData="#!/bin/sh\ntrue\n")
    seen = cloud.service(InstanceMetadata).tree(instance["PrivateIpAddress"])["latest"]
    assert seen["user-data"] == b"#!/bin/sh\ntrue\n"
    data = seen["meta-data"]
    assert data["instance-id"] == instance["InstanceId"]
    assert data["public-ipv4"] == instance["PublicIpAddress"]
    assert data["placement"]["availability-zone"] == "us-east-1a"
    assert data["iam"] is None
    assert data["spot"] is None
    document = json.loads(seen["dynamic"]["instance-identity"]["document"])
    assert document["instanceType"] == "t3.micro"


def test_role_credentials_are_known_to_sts(cloud, launch):
    iam = cloud.backend("iam", "aws")
    role = iam.create_role("web", "{}", "/", None, None, [], 3600)
    profile = iam.create_instance_profile("web", "/", [])
    profile.roles = [role]
    instance = launch(IamInstanceProfile={"Name": "web"})
    metadata = cloud.service(InstanceMetadata)
    tree = metadata.tree(instance["PrivateIpAddress"])["latest"]["meta-data"]["iam"]
    credentials = json.loads(tree["security-credentials"]["web"]())
    again = json.loads(tree["security-credentials"]["web"]())
    assert credentials == again
    session = cloud.backend("sts", "aws").get_assumed_role_from_access_key(
        credentials["AccessKeyId"]
    )
    assert session.role_arn == role.arn

    profile.roles = [iam.create_role("worker", "{}", "/", None, None, [], 3600)]
    tree = metadata.tree(instance["PrivateIpAddress"])["latest"]["meta-data"]["iam"]
    changed = json.loads(tree["security-credentials"]["worker"]())
    assert changed["AccessKeyId"] != credentials["AccessKeyId"]
