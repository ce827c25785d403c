"""Tags of APIs, stages and domain names; destroy finds by them what is to go."""

from urllib.parse import unquote

from moto.apigatewayv2 import urls
from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.core.resource_tagging import TaggedResource, make_tag_matcher, match_resource_type
from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend

from localcloud.hooks import hook
from localcloud.services.apigateway import refusals
from localcloud.services.apigateway.apis import stage_arn
from localcloud.services.base import Service

# moto's paths are of APIs and VPC links only
_TAGS = "{0}/v2/tags/(?P<resource_arn_pt1>[^/]+)"
for _end in (
    "/domainnames/(?P<resource_arn_pt2>[^/]+)$",
    "/apis/(?P<resource_arn_pt2>[^/]+)/stages/(?P<resource_arn_pt3>[^/]+)$",
):
    urls.url_paths[_TAGS + _end] = ApiGatewayV2Response.dispatch


class Tagging(Service):
    """moto's own tags, shown where all resources' are."""

    @hook(ApiGatewayV2Response, "tag_resource", "self")
    @hook(ApiGatewayV2Response, "untag_resource", "self")
    @hook(ApiGatewayV2Response, "get_tags", "self")
    def known(self, original, response):
        """Only what is there has tags."""
        arn = unquote(response.path.split("/tags/")[1])
        if arn not in {each for each, _ in self._all()}:
            raise refusals.missing("Invalid resource identifier specified")
        return original(response)

    @hook(ResourceGroupsTaggingAPIBackend, "_get_resources_generator",
          "self, tag_filters, resource_type_filters, resource_arn_list")  # fmt: skip
    def resources(self, original, backend, tag_filters=None, resource_type_filters=None,
                  resource_arn_list=None):  # fmt: skip
        yield from original(backend, tag_filters, resource_type_filters, resource_arn_list)
        matches = make_tag_matcher(tag_filters)
        tags_of = self.cloud.backend("apigatewayv2").get_tags
        for arn, kind in self._all():
            tags = tags_of(arn)
            if (
                tags
                and matches(tags)
                and match_resource_type(f"apigateway:{kind}", resource_type_filters)
                and (not resource_arn_list or arn in resource_arn_list)
            ):
                yield TaggedResource(arn, tags, f"apigateway:{kind}")

    @hook(ResourceGroupsTaggingAPIBackend, "_get_backend_for_resource", "self, resource_arn")
    def backend_of(self, original, backend, resource_arn):
        if ":apigateway:" in resource_arn:
            return self.cloud.backend("apigatewayv2")
        return original(backend, resource_arn)

    def _all(self) -> list[tuple[str, str]]:
        """ARNs and kinds."""
        backend = self.cloud.backend("apigatewayv2")
        found = [(each.domain_name_arn, "domainnames") for each in backend.domain_names.values()]
        for api in backend.apis.values():
            found.append((api.arn, "apis"))
            found += [(stage_arn(api, name), "stages") for name in api.stages]
        return found
