"""APIs, integrations, routes and stages: moto keeps the books, and serves nothing."""

import json
from datetime import datetime
from urllib.parse import unquote

from moto.apigatewayv2.models import Api, Stage
from moto.apigatewayv2.responses import ApiGatewayV2Response

from localcloud.hooks import addition, hook
from localcloud.services.apigateway import refusals
from localcloud.services.apigateway.gateway import Gateways
from localcloud.services.base import Service


class Apis(Service):
    """What changes here is served from the next request on: every stage deploys by itself."""

    @hook(ApiGatewayV2Response, "create_api", "self")
    def create_api(self, original, response):
        refusals.check("CreateApi", _asked(response))
        answer = original(response)
        made = json.loads(answer[2])["apiId"]
        try:
            self.cloud.service(Gateways).apply()
        except BaseException:
            response.apigatewayv2_backend.apis.pop(made, None)
            raise
        return 201, {"status": 201}, answer[2]

    @hook(ApiGatewayV2Response, "update_api", "self")
    def update_api(self, original, response):
        refusals.check("UpdateApi", _asked(response))
        return original(response)

    @hook(ApiGatewayV2Response, "delete_api", "self")
    def delete_api(self, original, response):
        backend = response.apigatewayv2_backend
        found = backend.get_api(response.path.split("/")[-1])
        for mapping in backend.api_mappings.values():
            if mapping.api_id == found.api_id:
                raise refusals.conflict(
                    f"API {found.api_id} is used by an API mapping of {mapping.domain_name}."
                )
        original(response)
        for arn in (found.arn, *(stage_arn(found, name) for name in found.stages)):
            backend.tagger.delete_all_tags_for_resource(arn)
        self.cloud.service(Gateways).apply()
        return 204, {"status": 204}, ""

    # integrations

    @hook(ApiGatewayV2Response, "create_integration", "self")
    @hook(ApiGatewayV2Response, "update_integration", "self")
    def integrate(self, original, response):
        verb = "Create" if original.__name__.startswith("create") else "Update"
        refusals.check(f"{verb}Integration", _asked(response))
        return original(response)

    @hook(ApiGatewayV2Response, "delete_integration", "self")
    def delete_integration(self, original, response):
        backend = response.apigatewayv2_backend
        api_id, identity = response.path.split("/")[-3], response.path.split("/")[-1]
        backend.get_integration(api_id, identity)
        for route in backend.get_api(api_id).get_routes():
            if route.target == f"integrations/{identity}":
                raise refusals.conflict(
                    f"Cannot delete Integration '{identity}' due to its use in the following "
                    f"routes: [{route.route_id}]"
                )
        original(response)
        return 204, {"status": 204}, ""

    # routes

    @hook(ApiGatewayV2Response, "create_route", "self")
    @hook(ApiGatewayV2Response, "update_route", "self")
    def route(self, original, response):
        asked = _asked(response)
        creates = original.__name__.startswith("create")
        refusals.check("CreateRoute" if creates else "UpdateRoute", asked)
        words = response.path.split("/")
        api = response.apigatewayv2_backend.get_api(words[-2] if creates else words[-3])
        own = None if creates else api.get_route(words[-1])
        for each in api.get_routes():
            if each is not own and each.route_key == asked.get("routeKey"):
                raise refusals.conflict(
                    f"Route with key {each.route_key} already exists for this API"
                )
        if asked.get("target"):
            kind, _, identity = asked["target"].partition("/")
            if kind != "integrations" or identity not in api.integrations:
                raise refusals.bad(f"Invalid target {asked['target']}: there is no such one.")
        return original(response)

    @hook(ApiGatewayV2Response, "delete_route", "self")
    def delete_route(self, original, response):
        words = response.path.split("/")
        response.apigatewayv2_backend.get_route(words[-3], words[-1])
        original(response)
        return 204, {"status": 204}, ""

    # stages

    @hook(ApiGatewayV2Response, "create_stage", "self")
    def create_stage(self, original, response):
        asked = _asked(response)
        refusals.check("CreateStage", asked)
        api = response.apigatewayv2_backend.get_api(response.path.split("/")[-2])
        if asked["stageName"] in api.stages:
            raise refusals.conflict("Stage already exists")
        answer = original(response)
        stage = api.stages[asked["stageName"]]
        stage.arn = stage_arn(api, stage.name)
        response.apigatewayv2_backend.tag_resource(stage.arn, asked.get("tags") or {})
        return 201, {"status": 201}, answer[2]

    @addition(ApiGatewayV2Response, "update_stage", "self")
    def update_stage(self, response):
        asked = _asked(response)
        refusals.check("UpdateStage", asked)
        stage = self._stage(response)
        if asked.get("defaultRouteSettings") is not None:
            stage.default_route_settings = {
                **stage.default_route_settings, **asked["defaultRouteSettings"]
            }  # fmt: skip
        if asked.get("stageVariables") is not None:
            # an empty value takes a variable away
            merged = {**stage.stage_variables, **asked["stageVariables"]}
            stage.stage_variables = {key: value for key, value in merged.items() if value}
        if asked.get("description") is not None:
            stage.description = asked["description"]
        stage.updated = datetime.now()
        return 200, {}, json.dumps(stage.to_json())

    @hook(ApiGatewayV2Response, "delete_stage", "self")
    def delete_stage(self, original, response):
        stage = self._stage(response)
        api_id = response.path.split("/")[-3]
        for mapping in response.apigatewayv2_backend.api_mappings.values():
            if (mapping.api_id, mapping.stage) == (api_id, stage.name):
                raise refusals.bad(
                    "Deleting stage failed: active API mappings point to it. Delete those of "
                    f"{mapping.domain_name} first."
                )
        original(response)
        response.apigatewayv2_backend.tagger.delete_all_tags_for_resource(stage.arn)
        return 204, {"status": 204}, ""

    @hook(Stage, "to_json", "self")
    def shown_stage(self, original, stage):
        shown = original(stage)
        if hasattr(stage, "arn"):
            shown["tags"] = self.cloud.backend("apigatewayv2").get_tags(stage.arn)
        return {**shown, "lastDeploymentStatusMessage": "Successfully deployed stage."}

    def _stage(self, response) -> Stage:
        words = response.path.split("/")
        return response.apigatewayv2_backend.get_stage(words[-3], unquote(words[-1]))


def stage_arn(api: Api, name: str) -> str:
    return f"{api.arn}/stages/{name}"


def _asked(response) -> dict:
    return json.loads(response.body or "{}")
