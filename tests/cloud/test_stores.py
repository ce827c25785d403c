"""S3 and DynamoDB as hosts use them, and websites from everywhere."""

import http.client
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cloud.conftest import wait_until

from tests import policies

pytestmark = pytest.mark.cloud

INSIDE = Path(__file__).with_name("inside.py")
ACCOUNT = "123456789012"


def policy(effect="Allow", **statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, **statement}]})


def test_a_host_stores_by_a_narrow_role_and_not_by_its_own(cloud, launch):
    iam, s3, tables = (cloud.client(name) for name in ("iam", "s3", "dynamodb"))
    iam.create_role(RoleName="stores", AssumeRolePolicyDocument=policies.HOSTS)
    trust = policies.trust(AWS=f"arn:aws:iam::{ACCOUNT}:role/stores")
    role = iam.create_role(RoleName="stores-app", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="stores-app", PolicyName="own",
        PolicyDocument=policy(
            Action=["s3:PutObject", "dynamodb:PutItem"],
            Resource=["arn:aws:s3:::stores/media/*", "arn:aws:dynamodb:*:*:table/stores"],
        ),
    )  # fmt: skip
    iam.create_instance_profile(InstanceProfileName="stores")
    iam.add_role_to_instance_profile(InstanceProfileName="stores", RoleName="stores")
    s3.create_bucket(Bucket="stores")
    tables.create_table(
        TableName="stores", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    host = launch(IamInstanceProfile={"Name": "stores"})
    identity = json.loads(cloud.run("status", "--json").stdout)["id"]
    interface = host["NetworkInterfaces"][0]["NetworkInterfaceId"]
    namespace = f"lc{identity}{interface[-9:]}"
    done = subprocess.run(
        [sys.executable, str(INSIDE), namespace, "store", role, "stores", "stores"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == {
        "host s3": "AccessDenied",
        "host dynamodb": "AccessDeniedException",
        "app s3": "done",
        "app dynamodb": "done",
    }
    assert s3.get_object(Bucket="stores", Key="media/a")["Body"].read() == b"x"


def test_a_website_is_reached_from_a_host_and_from_here(cloud, host):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="guide")
    s3.put_object(Bucket="guide", Key="index.html", Body=b"guide", ContentType="text/html")
    s3.put_bucket_website(
        Bucket="guide", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}
    )
    s3.delete_public_access_block(Bucket="guide")
    everybody = policy(Principal="*", Action="s3:GetObject", Resource="arn:aws:s3:::guide/*")
    s3.put_bucket_policy(Bucket="guide", Policy=everybody)
    name, address = cloud.status()["guide"]["address"].split()
    assert name == "guide.s3-website-us-east-1.amazonaws.com"
    assert cloud.ssh(host["PublicIpAddress"], f"curl -s -m 5 http://{name}/") == "guide"
    with closing(http.client.HTTPConnection(address, 80, timeout=5)) as connection:
        connection.request("GET", "/", headers={"Host": name})
        with closing(connection.getresponse()) as answer:
            assert (answer.status, answer.read()) == (200, b"guide")


def test_what_has_expired_is_swept(cloud):
    tables = cloud.client("dynamodb")
    tables.create_table(
        TableName="expiring", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    for name, expires in (("over", "1700000000"), ("not yet", "4000000000")):
        item = {"id": {"S": name}, "expires": {"N": expires}}
        tables.put_item(TableName="expiring", Item=item)
    tables.update_time_to_live(
        TableName="expiring",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"},
    )

    def there():
        items = tables.scan(TableName="expiring")["Items"]
        return [each["id"]["S"] for each in items]

    wait_until(lambda: there() == ["not yet"])
