"""HTTP APIs: a real listener before real functions, by their own name, by a custom domain's and
through CloudFront."""

import http.client
import io
import json
import secrets
import socket
import ssl
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from cloud.conftest import wait_until

from tests import policies

HANDLER = """
import base64, json, time

def handler(event, context):
    return globals()[event["rawPath"].strip("/") or "tell"](event)

def tell(event):
    return {"statusCode": 200, "headers": {"content-type": "application/json"},
            "body": json.dumps(event)}

def echo(event):
    body = event.get("body", "")
    content = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    return {"statusCode": 201, "headers": {"content-type": "application/octet-stream"},
            "cookies": ["a=1; Path=/", "b=2"], "isBase64Encoded": True,
            "body": base64.b64encode(content).decode()}

def plain(event):
    return {"hello": "world"}

def fail(event):
    raise ValueError("as it was told")

def linger(event):
    time.sleep(float(event["queryStringParameters"]["seconds"]))
    return "slept"
"""
SITE = "shop.gateway.test"
SOURCE = "arn:aws:execute-api:us-east-1:123456789012"


@pytest.fixture(scope="module")
def function(cloud):
    """The ARN of a function that does what the path says."""
    iam, functions = cloud.client("iam"), cloud.client("lambda")
    role = iam.create_role(RoleName="api-fn", AssumeRolePolicyDocument=policies.FUNCTIONS)["Role"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as file:
        file.writestr("app.py", HANDLER)
    made = functions.create_function(
        FunctionName="api", Runtime="python3.13", Handler="app.handler", Role=role["Arn"],
        Code={"ZipFile": package.getvalue()}, MemorySize=256, Timeout=20,
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="api")
    yield made["FunctionArn"]
    functions.delete_function(FunctionName="api")
    iam.delete_role(RoleName="api-fn")


@pytest.fixture(scope="module")
def gateway(cloud):
    return cloud.client("apigatewayv2")


@pytest.fixture(scope="module")
def api(cloud, gateway, function):
    """An API all of whose requests go to the function, which lets it."""
    made = gateway.create_api(Name="shop", ProtocolType="HTTP", Tags={"Project": "gateway"})
    integration = gateway.create_integration(
        ApiId=made["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=function,
        PayloadFormatVersion="2.0", TimeoutInMillis=6000,
    )["IntegrationId"]  # fmt: skip
    for key in ("$default", "GET /tell"):
        gateway.create_route(
            ApiId=made["ApiId"], RouteKey=key, Target=f"integrations/{integration}"
        )
    gateway.create_stage(ApiId=made["ApiId"], StageName="$default", AutoDeploy=True)
    cloud.client("lambda").add_permission(
        FunctionName="api", StatementId="default", Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com", SourceArn=f"{SOURCE}:{made['ApiId']}/*/$default",
    )  # fmt: skip
    yield made
    gateway.delete_api(ApiId=made["ApiId"])


@pytest.fixture(scope="module")
def domain(cloud, gateway, api):
    """The API under a name of the site's, with a certificate of ACM's; its name in this cloud."""
    acm, route53 = cloud.client("acm"), cloud.client("route53")
    zone = route53.create_hosted_zone(Name="gateway.test", CallerReference=secrets.token_hex(4))
    certificate = acm.request_certificate(DomainName=SITE, ValidationMethod="DNS")
    arn = certificate["CertificateArn"]
    [option] = acm.describe_certificate(CertificateArn=arn)["Certificate"][
        "DomainValidationOptions"
    ]
    record = option["ResourceRecord"]
    add(route53, zone, {"Name": record["Name"], "Type": "CNAME", "TTL": 1,
                        "ResourceRecords": [{"Value": record["Value"]}]})  # fmt: skip
    made = gateway.create_domain_name(
        DomainName=SITE, Tags={"Project": "gateway"},
        DomainNameConfigurations=[
            {"CertificateArn": arn, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
        ],
    )  # fmt: skip
    gateway.create_api_mapping(DomainName=SITE, ApiId=api["ApiId"], Stage="$default")
    shown = made["DomainNameConfigurations"][0]
    add(route53, zone, {
        "Name": SITE, "Type": "A",
        "AliasTarget": {"DNSName": shown["ApiGatewayDomainName"], "EvaluateTargetHealth": False,
                        "HostedZoneId": shown["HostedZoneId"]},
    })  # fmt: skip
    yield shown["ApiGatewayDomainName"]
    gateway.delete_domain_name(DomainName=SITE)
    acm.delete_certificate(CertificateArn=arn)


def add(route53, zone, record):
    route53.change_resource_record_sets(
        HostedZoneId=zone["HostedZone"]["Id"],
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )


@pytest.fixture(scope="module")
def address(cloud, api):
    """Where the gateway is, seen from here."""
    return cloud.status()[api["ApiId"]]["address"].split()[-1]


@pytest.fixture
def ask(cloud, address):
    """Ask the gateway for a name."""
    return lambda name, path, **options: ask_at(cloud, address, name, path, **options)


def ask_at(cloud, address, name, path, method="GET", headers=None, body=None, host=None):
    """The response of who is at an address to who asks for a name over TLS."""
    context = ssl.create_default_context(cafile=cloud.state / "authority/ca.pem")
    connection = http.client.HTTPSConnection(name, 443, timeout=40)
    plain = socket.create_connection((address, 443), timeout=40)
    connection.sock = context.wrap_socket(plain, server_hostname=name)
    with closing(connection):
        connection.request(method, path, body, {"Host": host or name, **(headers or {})})
        answer = connection.getresponse()
        answer.data = answer.read()
    return answer


@pytest.fixture
def name(api):
    return f"{api['ApiId']}.execute-api.us-east-1.amazonaws.com"


def test_a_request_comes_to_the_function_whole(ask, name, api):
    answer = ask(name, "/?a=1&a=2", headers={"Cookie": "s=1; t=2", "X-Own": "y"})
    said = json.loads(answer.data)
    assert (answer.status, said["version"], said["routeKey"]) == (200, "2.0", "$default")
    assert (said["rawQueryString"], said["cookies"]) == ("a=1&a=2", ["s=1", "t=2"])
    assert (said["headers"]["x-own"], said["headers"]["x-forwarded-proto"]) == ("y", "https")
    context = said["requestContext"]
    assert (context["apiId"], context["stage"]) == (api["ApiId"], "$default")
    assert context["http"]["sourceIp"] == said["headers"]["x-forwarded-for"] == "198.51.100.1"
    assert answer.headers["apigw-requestid"] == context["requestId"]


def test_bytes_pass_unchanged_both_ways(ask, name):
    content = secrets.token_bytes(3_000_000)
    answer = ask(name, "/echo", method="POST", headers={"Content-Type": "image/png"}, body=content)
    assert (answer.status, answer.data == content) == (201, True)
    assert answer.headers.get_all("set-cookie") == ["a=1; Path=/", "b=2"]


@pytest.mark.parametrize(
    ("path", "options", "status", "message"),
    [
        ("/fail", {}, 500, "Internal Server Error"),
        ("/linger?seconds=15", {}, 503, "Service Unavailable"),
        ("/tell", {}, 500, "Internal Server Error"),  # the permission is for $default
        ("/", {"host": "other.example"}, 403, "Forbidden"),
        ("/", {"headers": {"X-Long": "x" * 10_300}}, 431, "Request Header Fields Too Large"),
        ("/echo", {"method": "POST", "body": b"x" * (10 * 2**20 + 1)}, 413,
         "Request Entity Too Large"),
        ("/echo", {"method": "POST", "body": iter([b"x" * (10 * 2**20 + 1)])}, 413,
         "Request Entity Too Large"),
        ("/echo", {"method": "POST", "body": b"x" * (7 * 2**20)}, 413,  # Lambda's own limit
         "Request Entity Too Large"),
    ],
)  # fmt: skip
def test_what_aws_refuses_is_refused_in_its_words(ask, name, path, options, status, message):
    answer = ask(name, path, **options)
    assert (answer.status, json.loads(answer.data)) == (status, {"message": message})


def test_many_are_served_at_once(ask, name):
    def visit(_):
        return ask(name, "/linger?seconds=1").status

    def together():
        """Whether eight took less than they would one after the other."""
        began = time.monotonic()
        statuses = Counter(visitors.map(visit, range(8)))
        return statuses == {200: 8} and time.monotonic() - began < 5

    with ThreadPoolExecutor(8) as visitors:
        wait_until(together, 60)  # at first environments start


def test_more_than_the_stage_lets_through_are_too_many(ask, name, api, gateway):
    settings = {"ThrottlingBurstLimit": 2, "ThrottlingRateLimit": 0.001}
    gateway.update_stage(
        ApiId=api["ApiId"], StageName="$default", DefaultRouteSettings=settings
    )  # fmt: skip
    try:
        answers = [ask(name, "/plain") for _ in range(4)]
    finally:
        gateway.update_stage(
            ApiId=api["ApiId"], StageName="$default",
            DefaultRouteSettings={"ThrottlingBurstLimit": 500, "ThrottlingRateLimit": 1000},
        )  # fmt: skip
    assert [each.status for each in answers] == [200, 200, 429, 429]
    assert json.loads(answers[0].data) == {"hello": "world"}
    assert json.loads(answers[3].data) == {"message": "Too Many Requests"}


def test_a_custom_domain_has_its_own_certificate_and_leads_there(ask, gateway, api, domain, name):
    answer = ask(SITE, "/")
    said = json.loads(answer.data)
    assert (answer.status, said["requestContext"]["domainName"]) == (200, SITE)
    # who asks for a name that is not the API's learns nothing
    assert ask(domain, "/").status == 403
    gateway.update_api(ApiId=api["ApiId"], DisableExecuteApiEndpoint=True)
    try:
        assert ask(name, "/").status == 404
        assert ask(SITE, "/").status == 200
    finally:
        gateway.update_api(ApiId=api["ApiId"], DisableExecuteApiEndpoint=False)


def test_cloudfront_comes_through(cloud, domain):
    cloudfront = cloud.client("cloudfront")
    origin = {
        "Id": "api", "DomainName": SITE,
        "CustomOriginConfig": {
            "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only",
        },
    }  # fmt: skip
    made = cloudfront.create_distribution(DistributionConfig={
        "CallerReference": "api", "Comment": "", "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "api", "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        },
    })["Distribution"]  # fmt: skip
    address = cloud.status()[made["Id"]]["address"].split()[-1]

    def visit():
        answer = ask_at(cloud, address, made["DomainName"], "/")
        return answer if answer.status == 200 else None

    said = json.loads(wait_until(visit).data)
    assert said["requestContext"]["domainName"] == SITE
    assert said["requestContext"]["http"]["sourceIp"].startswith("198.18.")
    forwarded = said["headers"]["x-forwarded-for"].split(", ")
    assert (forwarded[0], forwarded[-1]) == (
        "198.51.100.1",
        said["requestContext"]["http"]["sourceIp"],
    )
    answer = cloudfront.get_distribution_config(Id=made["Id"])
    answer["DistributionConfig"]["Enabled"] = False
    etag = cloudfront.update_distribution(
        Id=made["Id"], IfMatch=answer["ETag"], DistributionConfig=answer["DistributionConfig"]
    )["ETag"]
    cloudfront.get_waiter("distribution_deployed").wait(
        Id=made["Id"], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    cloudfront.delete_distribution(Id=made["Id"], IfMatch=etag)


def test_tags_and_the_status_tell_of_it(cloud, api, domain):
    tagged = cloud.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "Project", "Values": ["gateway"]}]
    )["ResourceTagMappingList"]
    assert {each["ResourceARN"] for each in tagged} == {
        f"arn:aws:apigateway:us-east-1::/apis/{api['ApiId']}",
        f"arn:aws:apigateway:us-east-1::/domainnames/{SITE}",
    }
    rows = cloud.status()
    assert (rows[api["ApiId"]]["kind"], rows[api["ApiId"]]["health"]) == ("http api", "ok")
    assert rows[SITE]["name"] == f"/ to {api['ApiId']}"


def test_it_goes_on_after_a_crash(cloud, ask, name, domain):
    cloud.kill()
    cloud.run("up")
    assert ask(name, "/plain").status == 200
    assert ask(SITE, "/plain").status == 200
