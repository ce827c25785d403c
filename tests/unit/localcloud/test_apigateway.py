"""API Gateway over the API, with a gateway that only takes note of its configuration."""

import json
import threading
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from unit.localcloud.conftest import watch_during

from localcloud.errors import Refusal
from localcloud.services.acm import Certificates
from localcloud.services.apigateway import gateway as gateway_module
from localcloud.services.apigateway.gateway import Gateway, Gateways
from localcloud.services.apigateway.model import Request
from localcloud.services.apigateway.serving import Serving
from localcloud.services.cloudwatch.sources.gateways import GatewayMetrics
from localcloud.services.functions.functions import Functions
from localcloud.services.functions.invocations import Invocations

ARN = "arn:aws:lambda:us-east-1:123456789012:function:web"
SITE = "shop.example"
EVERY = "arn:aws:execute-api:us-east-1:123456789012:*"


class FakeFront:
    def __init__(self, path, serve):
        self.path = path

    def close(self):
        """Nothing listens."""


@pytest.fixture
def configured(cloud, monkeypatch):
    """Every configuration that the gateway got, the newest last."""
    seen = []

    def take(self, text, certificates):
        seen.append((text, certificates))
        if not self.appliances.cloud.storage.sizes.get(self.host.id):
            self.appliances.cloud.storage.create(self.host.id, self.host.size)

    monkeypatch.setattr(Gateway, "start", take)
    monkeypatch.setattr(Gateway, "configure", take)
    monkeypatch.setattr(gateway_module, "Front", FakeFront)
    return seen


@pytest.fixture
def apigateway(api, configured):
    return api.client("apigatewayv2")


@pytest.fixture
def shop(apigateway):
    """An API with a function behind it, served at once."""
    made = apigateway.create_api(Name="shop", ProtocolType="HTTP", Tags={"Project": "x"})["ApiId"]
    apigateway.integration = apigateway.create_integration(
        ApiId=made, IntegrationType="AWS_PROXY", IntegrationUri=ARN, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    apigateway.create_route(
        ApiId=made, RouteKey="$default", Target=f"integrations/{apigateway.integration}"
    )
    apigateway.create_stage(ApiId=made, StageName="$default", AutoDeploy=True)
    return made


def code(call, **parameters) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"]


@pytest.fixture
def run(cloud, monkeypatch):
    """What functions do; ``run.events`` are those that they got."""
    made = SimpleNamespace(events=[], answer={"statusCode": 200, "body": "hello"}, policy=None)

    def invoke(self, name, qualifier, payload):
        made.events.append(json.loads(payload))
        answer = made.answer() if callable(made.answer) else made.answer
        said = SimpleNamespace(payload=json.dumps(answer).encode(), failed=answer == "failed")
        return SimpleNamespace(outcome=SimpleNamespace(answer=said))

    monkeypatch.setattr(Invocations, "run", invoke)
    monkeypatch.setattr(Functions, "policy", lambda self, arn: made.policy)
    return made


def permission(source, resource=ARN):
    return json.dumps({"Statement": [{
        "Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"},
        "Action": "lambda:InvokeFunction", "Resource": resource,
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }]})  # fmt: skip


def ask(cloud, host, target="/", method="GET", headers=(), body=b""):
    fields = (("host", host), *headers)
    answer = cloud.service(Serving).serve(Request(method, target, fields, "203.0.113.9", body))
    return answer.status, answer.body.decode()


def name(api):
    return f"{api}.execute-api.us-east-1.amazonaws.com"


# what is kept and refused


def test_the_first_api_makes_the_gateway_and_the_last_one_takes_it(cloud, apigateway, configured):
    made = apigateway.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    [state] = cloud.service(Gateways).all()
    assert state.ready
    assert cloud.service(Gateways).public_names() == {name(made): [state.host.public_address]}
    apigateway.delete_api(ApiId=made)
    assert cloud.service(Gateways).all() == []
    assert cloud.service(Gateways).public_names() == {}


def test_the_watch_starts_no_gateway_that_is_being_removed(
    cloud, apigateway, configured, monkeypatch
):
    made = apigateway.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    before = len(configured)
    watched = watch_during(cloud.service(Gateways), cloud.storage, monkeypatch)
    apigateway.delete_api(ApiId=made)
    assert watched == ["gateway-1"]
    assert len(configured) == before


@pytest.mark.parametrize(
    "options",
    [
        {"ProtocolType": "WEBSOCKET"},
        {"Target": ARN},
        {"CorsConfiguration": {"AllowOrigins": ["*"]}},
        {"IpAddressType": "dualstack"},
        {"RouteSelectionExpression": "$request.body.action"},
    ],
)
def test_an_api_that_is_not_here_is_refused(cloud, apigateway, options):
    found = code(apigateway.create_api, **{"Name": "a", "ProtocolType": "HTTP", **options})
    assert found == "UnknownOperationException"
    assert cloud.service(Gateways).all() == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"PayloadFormatVersion": "1.0"}, "UnknownOperationException"),
        ({"IntegrationType": "HTTP_PROXY"}, "UnknownOperationException"),
        ({"TlsConfig": {"ServerNameToVerify": "x"}}, "UnknownOperationException"),
        ({"RequestParameters": {"a": "b"}}, "UnknownOperationException"),
        ({"IntegrationUri": "https://example.org"}, "BadRequestException"),
        ({"TimeoutInMillis": 30_001}, "BadRequestException"),
    ],
)
def test_an_integration_that_is_not_here_is_refused(apigateway, shop, options, found):
    good = {"IntegrationType": "AWS_PROXY", "IntegrationUri": ARN, "PayloadFormatVersion": "2.0"}
    assert code(apigateway.create_integration, **{"ApiId": shop, **good, **options}) == found


def test_routes_are_checked(apigateway, shop):
    create = apigateway.create_route
    assert code(create, ApiId=shop, RouteKey="$default") == "ConflictException"
    assert code(create, ApiId=shop, RouteKey="FETCH /") == "BadRequestException"
    assert code(create, ApiId=shop, RouteKey="GET /", Target="integrations/x") == (
        "BadRequestException"
    )
    assert code(create, ApiId=shop, RouteKey="GET /", AuthorizationType="AWS_IAM") == (
        "UnknownOperationException"
    )
    assert code(
        apigateway.delete_integration, ApiId=shop, IntegrationId=apigateway.integration
    ) == "ConflictException"  # fmt: skip


def test_stages_deploy_by_themselves(apigateway, shop):
    create = apigateway.create_stage
    assert code(create, ApiId=shop, StageName="$default", AutoDeploy=True) == "ConflictException"
    assert code(create, ApiId=shop, StageName="dev") == "BadRequestException"
    assert code(create, ApiId=shop, StageName="dev", AutoDeploy=False) == (
        "UnknownOperationException"
    )
    assert code(create, ApiId=shop, StageName="a b", AutoDeploy=True) == "BadRequestException"
    assert code(
        create, ApiId=shop, StageName="dev", AutoDeploy=True,
        AccessLogSettings={"DestinationArn": "arn:aws:logs:us-east-1:123456789012:log-group:x",
                           "Format": "$context.requestId"},
    ) == "UnknownOperationException"  # fmt: skip


def test_a_stage_is_updated_part_by_part(apigateway, shop):
    update = apigateway.update_stage
    limits = {"ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 2.5}
    update(ApiId=shop, StageName="$default", StageVariables={"a": "1", "b": "2"},
           DefaultRouteSettings=limits)  # fmt: skip
    update(ApiId=shop, StageName="$default", StageVariables={"a": ""}, Description="d",
           DefaultRouteSettings={"DetailedMetricsEnabled": True})  # fmt: skip
    found = apigateway.get_stage(ApiId=shop, StageName="$default")
    assert found["DefaultRouteSettings"] == {
        "ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 2.5, "DetailedMetricsEnabled": True,
    }  # fmt: skip
    assert (found["StageVariables"], found["Description"]) == ({"b": "2"}, "d")


def test_tags_are_shown_where_all_are(api, apigateway, shop):
    arn = f"arn:aws:apigateway:us-east-1::/apis/{shop}"
    apigateway.tag_resource(ResourceArn=f"{arn}/stages/$default", Tags={"Project": "x"})
    tagging = api.client("resourcegroupstaggingapi")
    wanted = [{"Key": "Project", "Values": ["x"]}]
    found = tagging.get_resources(TagFilters=wanted)["ResourceTagMappingList"]
    assert [each["ResourceARN"] for each in found] == [arn, f"{arn}/stages/$default"]
    tagging.untag_resources(ResourceARNList=[arn], TagKeys=["Project"])
    assert (
        "Tags" not in apigateway.get_api(ApiId=shop) or not apigateway.get_api(ApiId=shop)["Tags"]
    )
    apigateway.untag_resource(ResourceArn=f"{arn}/stages/$default", TagKeys=["Project"])
    assert tagging.get_resources(TagFilters=wanted)["ResourceTagMappingList"] == []
    assert code(apigateway.get_tags, ResourceArn=f"{arn}x") == "NotFoundException"


def test_rights_are_methods_on_paths(api, apigateway, shop):
    iam = api.client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    own = api.client("apigatewayv2", key["AccessKeyId"], key["SecretAccessKey"])

    def allow(action, path):
        statement = {"Effect": "Allow", "Action": action,
                     "Resource": f"arn:aws:apigateway:us-east-1::{path}"}  # fmt: skip
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)

    assert code(own.get_api, ApiId=shop) == "AccessDeniedException"
    allow("apigateway:GET", f"/apis/{shop}")
    assert own.get_api(ApiId=shop)["Name"] == "shop"
    assert code(own.get_routes, ApiId=shop) == "AccessDeniedException"
    allow("apigateway:GET", "/apis/*")
    assert own.get_routes(ApiId=shop)["Items"]
    assert code(own.update_api, ApiId=shop, Name="b") == "AccessDeniedException"
    allow("apigateway:PATCH", f"/apis/{shop}")
    own.update_api(ApiId=shop, Name="b")
    allow("apigateway:POST", "/tags/*")
    own.tag_resource(ResourceArn=f"arn:aws:apigateway:us-east-1::/apis/{shop}", Tags={"a": "b"})


# custom domains


@pytest.fixture
def issued(cloud, monkeypatch):
    """ACM has a certificate for the site, and none for other names."""
    monkeypatch.setattr(Certificates, "check_usable", lambda self, arn: None)
    monkeypatch.setattr(Certificates, "covers", lambda self, arn, name: name == SITE)
    monkeypatch.setattr(Certificates, "pem", lambda self, arn: b"pem")
    return "arn:aws:acm:us-east-1:123456789012:certificate/1"


def domain(apigateway, arn, site=SITE, **options):
    configuration = {"CertificateArn": arn, "EndpointType": "REGIONAL", **options}
    return apigateway.create_domain_name(
        DomainName=site, DomainNameConfigurations=[configuration]
    )  # fmt: skip


def test_a_custom_domain_has_a_regional_name_and_its_certificate(
    cloud, apigateway, shop, issued, configured
):
    made = domain(apigateway, issued)["DomainNameConfigurations"][0]
    assert made["HostedZoneId"] == "Z1UJRXOUMOOFQ8"
    assert made["DomainNameStatus"] == "AVAILABLE"
    assert configured[-1][1] == {f"{SITE}.pem": (b"pem", (SITE,))}
    assert set(cloud.service(Gateways).names()) == {name(shop), made["ApiGatewayDomainName"]}
    apigateway.create_api_mapping(DomainName=SITE, ApiId=shop, Stage="$default")
    assert code(apigateway.delete_api, ApiId=shop) == "ConflictException"
    assert code(apigateway.delete_stage, ApiId=shop, StageName="$default") == (
        "BadRequestException"
    )
    apigateway.delete_domain_name(DomainName=SITE)
    apigateway.delete_api(ApiId=shop)


def test_a_domain_that_its_certificate_does_not_cover_is_refused(apigateway, issued):
    create = apigateway.create_domain_name
    for site, options, found in (
        ("other.example", {}, "BadRequestException"),
        ("Shop.example", {}, "BadRequestException"),
        (SITE, {"EndpointType": "EDGE"}, "UnknownOperationException"),
        (SITE, {"SecurityPolicy": "TLS_1_0"}, "UnknownOperationException"),
    ):
        configuration = {"CertificateArn": issued, **options}
        assert code(create, DomainName=site, DomainNameConfigurations=[configuration]) == found


def test_mappings_lead_to_stages(cloud, apigateway, shop, issued, run):
    domain(apigateway, issued)
    create = apigateway.create_api_mapping
    assert code(create, DomainName=SITE, ApiId=shop, Stage="no") == "NotFoundException"
    first = create(DomainName=SITE, ApiId=shop, Stage="$default")["ApiMappingId"]
    assert code(create, DomainName=SITE, ApiId=shop, Stage="$default") == "ConflictException"
    run.policy = permission(EVERY)
    assert ask(cloud, SITE, "/x")[0] == 200
    apigateway.update_api_mapping(
        DomainName=SITE, ApiMappingId=first, ApiId=shop, ApiMappingKey="v1"
    )
    assert ask(cloud, SITE, "/x") == (403, '{"message":"Forbidden"}')
    assert ask(cloud, SITE, "/v1/x")[0] == 200
    assert run.events[-1]["rawPath"] == "/x"
    assert run.events[-1]["requestContext"]["domainName"] == SITE


# what is served


def test_a_function_must_allow_the_route(cloud, apigateway, shop, run):
    source = f"arn:aws:execute-api:us-east-1:123456789012:{shop}"
    failed = (500, '{"message":"Internal Server Error"}')
    assert ask(cloud, name(shop)) == failed
    for policy, found in (
        (permission(f"{source}/*/$default"), (200, "hello")),
        (permission(f"{source}/dev/*"), failed),
        (permission("arn:aws:execute-api:us-east-1:123456789012:other/*"), failed),
        (permission(f"{source}/*", f"{ARN}:live"), failed),
        (permission(f"{source}/*").replace("apigateway.", "events."), failed),
    ):
        run.policy = policy
        assert ask(cloud, name(shop)) == found


def test_an_alias_is_invoked_as_one(cloud, apigateway, shop, run, monkeypatch):
    seen = []
    monkeypatch.setattr(Functions, "policy", lambda self, arn: seen.append(arn) or run.policy)
    run.policy = permission(EVERY, f"{ARN}:live")
    apigateway.update_integration(
        ApiId=shop, IntegrationId=apigateway.integration,
        IntegrationUri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
                       f"{ARN}:live/invocations",
    )  # fmt: skip
    assert ask(cloud, name(shop)) == (200, "hello")
    assert seen == [f"{ARN}:live"]


def test_foreign_names_and_unknown_routes(cloud, apigateway, shop, run):
    run.policy = permission(EVERY)
    assert ask(cloud, "other.example") == (403, '{"message":"Forbidden"}')
    assert ask(cloud, f"nothing{name('')}") == (403, '{"message":"Forbidden"}')
    [route] = apigateway.get_routes(ApiId=shop)["Items"]
    apigateway.update_route(ApiId=shop, RouteId=route["RouteId"], RouteKey="GET /pets/{id}")
    assert ask(cloud, name(shop), "/x") == (404, '{"message":"Not Found"}')
    assert ask(cloud, name(shop), "/pets/a%20b%3Fc")[0] == 200
    assert run.events[-1]["pathParameters"] == {"id": "a b"}  # as AWS has it
    apigateway.update_api(ApiId=shop, DisableExecuteApiEndpoint=True)
    assert ask(cloud, name(shop), "/pets/1") == (404, '{"message":"Not Found"}')


def test_a_named_stage_is_a_part_of_the_path(cloud, apigateway, shop, run):
    run.policy = permission(EVERY)
    apigateway.create_stage(ApiId=shop, StageName="dev", AutoDeploy=True)
    assert ask(cloud, name(shop), "/dev/x")[0] == 200
    assert run.events[-1]["requestContext"]["stage"] == "dev"
    assert run.events[-1]["rawPath"] == "/dev/x"


def test_what_goes_wrong_behind_is_said_in_aws_words(cloud, apigateway, shop, run):
    run.policy = permission(EVERY)
    waiting = threading.Event()

    def refuse(status):
        def answer():
            raise Refusal((status, "X"), "x")

        return answer

    for answer, found in (
        ("failed", 500),
        ({"statusCode": "x"}, 500),
        (refuse(429), 503),
        (refuse(409), 500),
        (lambda: waiting.wait(5), 503),
    ):
        run.answer = answer
        apigateway.update_integration(
            ApiId=shop, IntegrationId=apigateway.integration, TimeoutInMillis=200
        )
        began = time.monotonic()
        assert ask(cloud, name(shop))[0] == found
        assert time.monotonic() - began < 4
    waiting.set()


def test_limits(cloud, apigateway, shop, run):
    run.policy = permission(EVERY)
    assert ask(cloud, name(shop), headers=(("x", "y" * 10_240),))[0] == 431
    assert ask(cloud, name(shop), headers=(("x", "y" * 10_000),))[0] == 200
    # in base64 it is more than Lambda takes
    assert ask(cloud, name(shop), method="POST", body=b"x" * (5 << 20)) == (
        413, '{"message":"Request Entity Too Large"}'
    )  # fmt: skip
    apigateway.update_stage(
        ApiId=shop, StageName="$default",
        DefaultRouteSettings={"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.001},
    )  # fmt: skip
    assert [ask(cloud, name(shop))[0] for _ in range(3)] == [200, 429, 429]


def test_metrics_are_of_the_api_the_stage_and_routes_with_details(cloud, apigateway, shop, run):
    run.policy = permission(EVERY)
    ask(cloud, name(shop))
    run.answer = "failed"
    ask(cloud, name(shop))
    apigateway.update_stage(
        ApiId=shop, StageName="$default", DefaultRouteSettings={"DetailedMetricsEnabled": True}
    )
    ask(cloud, name(shop))
    points = list(GatewayMetrics(cloud).measure(int(time.time())))
    found = {}
    for each in points:
        names = tuple(sorted(dict(each.metric.dimensions)))
        found[each.metric.name, names] = (each.values.count, each.values.sum)
    assert found["Count", ("ApiId",)] == (3, 3)
    assert found["5xx", ("ApiId", "Stage")] == (3, 2)
    assert found["4xx", ("ApiId",)] == (3, 0)
    assert found["Count", ("ApiId", "Method", "Resource", "Stage")] == (1, 1)
    assert found["IntegrationLatency", ("ApiId",)][0] == 3
    assert not list(GatewayMetrics(cloud).measure(int(time.time())))


def test_it_is_known_after_a_restart(cloud, apigateway, shop, configured, make_cloud):
    cloud.save()
    again = make_cloud(engine=cloud.engine, network=cloud.network, storage=cloud.storage)
    assert list(again.service(Gateways).public_names()) == [name(shop)]
    assert any("gateway-1" in line for line in again.adopted)
