"""The modules for HTTP APIs and their domain names: against moto's, and written answers."""

import boto3
import pytest
from moto import mock_aws

from tests.unit.ansible.aws import Failed, stubbed

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:shop-pages:live"
LOGS = "arn:aws:logs:us-east-1:123456789012:log-group:/shop"
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
OURS = {
    "name": "shop",
    "description": "The shop's pages",
    "function": FUNCTION,
    "own_name": False,
    "burst_limit": 200,
    "rate_limit": 100.0,
    "access_logs": {"destination": LOGS, "format": "$context.requestId"},
    "tags": {"Project": "shop"},
}


@pytest.fixture
def gateway(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("apigatewayv2", region_name="us-east-1")


def keep(run, client, check_mode=False, **more):
    return run("apigatewayv2_http_api", client, check_mode, **OURS | more)


def test_an_api_is_made_as_it_is_wanted_and_stays(run, gateway):
    assert keep(run, gateway, check_mode=True)["changed"]
    assert gateway.get_apis()["Items"] == []

    made = keep(run, gateway)

    assert made["changed"]
    of = {"ApiId": made["id"]}
    api = gateway.get_api(**of)
    assert (api["ProtocolType"], api["DisableExecuteApiEndpoint"]) == ("HTTP", True)
    (integration,) = gateway.get_integrations(**of)["Items"]
    assert integration["IntegrationUri"] == FUNCTION
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert integration["PayloadFormatVersion"] == "2.0"
    (route,) = gateway.get_routes(**of)["Items"]
    assert route["RouteKey"] == "$default"
    assert route["Target"] == f"integrations/{integration['IntegrationId']}"
    (stage,) = gateway.get_stages(**of)["Items"]
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    limits = stage["DefaultRouteSettings"]
    assert (limits["ThrottlingBurstLimit"], limits["ThrottlingRateLimit"]) == (200, 100.0)
    assert stage["AccessLogSettings"]["DestinationArn"] == LOGS
    assert api["Tags"] == {"Project": "shop"}
    again = keep(run, gateway)
    assert (again["changed"], again["id"]) == (False, made["id"])
    assert again["diff"]["before"] == again["diff"]["after"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"function": FUNCTION + "-2"}, ("integration", "IntegrationUri")),
        ({"timeout_ms": 29000}, ("integration", "TimeoutInMillis")),
        ({"own_name": True}, ("api", "DisableExecuteApiEndpoint")),
    ],
)
def test_what_changes_is_shown_and_done(run, gateway, change, where):
    keep(run, gateway)
    part, key = where

    announced = keep(run, gateway, check_mode=True, **change)
    done = keep(run, gateway, **change)

    assert announced["diff"] == done["diff"]
    assert done["diff"]["before"][part][key] != done["diff"]["after"][part][key]
    assert not keep(run, gateway, **change)["changed"]


def test_another_limit_is_told_to_the_stage_that_there_is(run):
    client, stubber = stubbed("apigatewayv2")
    of = {"ApiId": "a1"}
    api = {**of, "Name": "shop", "ProtocolType": "HTTP", "RouteSelectionExpression": ""}
    stage = {
        "StageName": "$default", "AutoDeploy": True,
        "DefaultRouteSettings": {"ThrottlingBurstLimit": 9, "DetailedMetricsEnabled": True},
        "AccessLogSettings": {"DestinationArn": LOGS, "Format": "x"},
    }  # fmt: skip
    stubber.add_response("get_apis", {"Items": [api]})
    stubber.add_response("get_stages", {"Items": [stage]}, of)
    leads = {
        "IntegrationId": "i1", "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION,
        "PayloadFormatVersion": "2.0", "TimeoutInMillis": 30000,
    }  # fmt: skip
    stubber.add_response("get_integrations", {"Items": [leads]}, of)
    route = {"RouteId": "r1", "RouteKey": "$default", "Target": "integrations/i1"}
    stubber.add_response("get_routes", {"Items": [route]}, of)
    limits = {
        "ThrottlingBurstLimit": 9, "ThrottlingRateLimit": 5.0, "DetailedMetricsEnabled": True
    }  # fmt: skip
    told = {**of, "StageName": "$default", "AutoDeploy": True, "DefaultRouteSettings": limits}
    stubber.add_response("update_stage", {}, told)
    stubber.add_response("delete_access_log_settings", {}, {**of, "StageName": "$default"})

    nothing = {"destination": "", "format": ""}
    run("apigatewayv2_http_api", client, name="shop", rate_limit=5.0, access_logs=nothing)

    stubber.assert_no_pending_responses()


def test_routes_are_those_that_are_listed(run, gateway):
    of = {"ApiId": keep(run, gateway)["id"]}

    keep(run, gateway, routes=["GET /", "POST /orders"])

    found = gateway.get_routes(**of)["Items"]
    assert sorted(each["RouteKey"] for each in found) == ["GET /", "POST /orders"]
    assert not keep(run, gateway, routes=["POST /orders", "GET /"])["changed"]


def test_a_route_that_somebody_led_elsewhere_is_led_back(run, gateway):
    of = {"ApiId": keep(run, gateway)["id"]}
    (route,) = gateway.get_routes(**of)["Items"]
    gateway.update_route(**of, RouteId=route["RouteId"], Target="integrations/other")

    assert keep(run, gateway)["changed"]
    (after,) = gateway.get_routes(**of)["Items"]
    assert after["Target"] == route["Target"]


def test_what_is_not_said_stays(run, gateway):
    keep(run, gateway)
    assert not run("apigatewayv2_http_api", gateway, name="shop")["changed"]


def test_tags_of_others_stay_and_missing_ones_come(run, gateway):
    api = keep(run, gateway)["id"]
    arn = f"arn:aws:apigateway:us-east-1::/apis/{api}"
    gateway.tag_resource(ResourceArn=arn, Tags={"Theirs": "x"})
    gateway.untag_resource(ResourceArn=arn, TagKeys=["Project"])

    assert keep(run, gateway)["changed"]
    assert gateway.get_api(ApiId=api)["Tags"] == {"Theirs": "x", "Project": "shop"}


def test_two_of_a_name_are_refused(run, gateway):
    for _ in range(2):
        gateway.create_api(Name="shop", ProtocolType="HTTP")
    with pytest.raises(Failed, match="several APIs called shop"):
        keep(run, gateway)


def test_a_new_one_needs_a_function(run, gateway):
    with pytest.raises(Failed, match="needs a function"):
        run("apigatewayv2_http_api", gateway, name="shop")


def test_it_goes_with_all_that_is_its_own(run, gateway):
    keep(run, gateway)
    absent = {"name": "shop", "state": "absent"}
    assert run("apigatewayv2_http_api", gateway, True, **absent)["changed"]
    assert run("apigatewayv2_http_api", gateway, **absent)["changed"]
    assert gateway.get_apis()["Items"] == []
    assert not run("apigatewayv2_http_api", gateway, **absent)["changed"]


# --- domain names ------------------------------------------------------------------------------

NAME = "shop.example.com"


def named(run, client, api, check_mode=False, **more):
    options = {
        "name": NAME, "certificate_arn": CERTIFICATE, "api_id": api, "tags": {"Project": "shop"}
    }  # fmt: skip
    return run("apigatewayv2_domain", client, check_mode, **options | more)


def test_a_name_leads_to_an_api_and_stays(run, gateway):
    api = keep(run, gateway)["id"]
    assert named(run, gateway, api, check_mode=True)["changed"]
    assert gateway.get_domain_names()["Items"] == []

    made = named(run, gateway, api)

    assert made["changed"]
    (mapping,) = gateway.get_api_mappings(DomainName=NAME)["Items"]
    assert (mapping["ApiId"], mapping["Stage"]) == (api, "$default")
    (of,) = gateway.get_domain_name(DomainName=NAME)["DomainNameConfigurations"]
    assert of["CertificateArn"] == CERTIFICATE
    assert (of["EndpointType"], of["SecurityPolicy"]) == ("REGIONAL", "TLS_1_2")
    again = named(run, gateway, api)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]


def test_a_name_goes_with_its_mapping(run, gateway):
    named(run, gateway, keep(run, gateway)["id"])
    absent = {"name": NAME, "state": "absent"}

    assert run("apigatewayv2_domain", gateway, **absent)["changed"]
    assert gateway.get_domain_names()["Items"] == []
    assert not run("apigatewayv2_domain", gateway, **absent)["changed"]


def described(stubber, status, **more):
    of = {"CertificateArn": CERTIFICATE, "SecurityPolicy": "TLS_1_2", "DomainNameStatus": status}
    stubber.add_response(
        "get_domain_name",
        {"DomainName": NAME, "DomainNameConfigurations": [of | more], "Tags": {"Project": "shop"}},
        {"DomainName": NAME},
    )


def test_another_certificate_and_another_api_are_waited_for(run):
    client, stubber = stubbed("apigatewayv2")
    described(stubber, "AVAILABLE")
    old = {"ApiMappingId": "m1", "ApiId": "old", "Stage": "$default"}
    stubber.add_response("get_api_mappings", {"Items": [old]})
    stubber.add_response("update_domain_name", {})
    described(stubber, "UPDATING")
    target = {"ApiGatewayDomainName": "d-1.example", "HostedZoneId": "Z1"}
    described(stubber, "AVAILABLE", **target)
    stubber.add_response(
        "update_api_mapping",
        {},
        {"DomainName": NAME, "ApiId": "new", "Stage": "$default", "ApiMappingId": "m1"},
    )

    result = named(run, client, "new", certificate_arn=CERTIFICATE + "2")

    assert (result["target"], result["zone_id"]) == ("d-1.example", "Z1")
    stubber.assert_no_pending_responses()


def test_a_wait_that_is_too_long_says_what_for(run):
    client, stubber = stubbed("apigatewayv2")
    stubber.add_client_error("get_domain_name", "NotFoundException")
    stubber.add_response("create_domain_name", {})
    described(stubber, "PENDING_CERTIFICATE_REIMPORT", DomainNameStatusMessage="bring it again")

    with pytest.raises(Failed, match=r"it is PENDING_CERTIFICATE_REIMPORT\. bring it again"):
        named(run, client, "api", wait_timeout=-1)


def test_what_aws_refuses_is_said(run):
    client, stubber = stubbed("apigatewayv2")
    stubber.add_client_error("get_domain_name", "AccessDeniedException", "not you")
    with pytest.raises(Failed, match=r"Cannot keep the domain name.*not you"):
        named(run, client, "api")
