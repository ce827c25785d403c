"""Custom domain names and their API mappings."""

import json
import secrets
import string

from moto.apigatewayv2.models import DomainName
from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.elbv2.exceptions import ELBClientError

from localcloud.hooks import addition, hook
from localcloud.services.acm import Certificates
from localcloud.services.apigateway import refusals
from localcloud.services.apigateway.gateway import Gateways
from localcloud.services.apigateway.model import HOSTED_ZONE
from localcloud.services.base import Service
from localcloud.settings import REGION


class Domains(Service):
    """A custom domain has a regional name, which records lead to, and a certificate of ACM's."""

    @hook(ApiGatewayV2Response, "create_domain_name", "self")
    def create(self, original, response):
        asked = _asked(response)
        refusals.check("CreateDomainName", asked)
        name = asked["domainName"]
        if name != name.lower():
            raise refusals.bad("A domain name is in small letters.")
        self._check_certificate(name, asked["domainNameConfigurations"][0]["certificateArn"])
        original(response)
        backend = response.apigatewayv2_backend
        domain = backend.domain_names[name]
        domain.domain_name_configurations = [
            _configuration(asked["domainNameConfigurations"][0], _regional_name())
        ]
        backend.tag_resource(domain.domain_name_arn, asked.get("tags") or {})
        try:
            self.cloud.service(Gateways).apply()
        except BaseException:
            backend.domain_names.pop(name, None)
            raise
        return 201, {"status": 201}, json.dumps(domain.to_json())

    @addition(ApiGatewayV2Response, "update_domain_name", "self")
    def update(self, response):
        asked = _asked(response)
        refusals.check("UpdateDomainName", asked)
        domain = response.apigatewayv2_backend.get_domain_name(response.path.split("/")[-1])
        if asked.get("domainNameConfigurations"):
            wanted = asked["domainNameConfigurations"][0]
            self._check_certificate(domain.domain_name, wanted["certificateArn"])
            before = domain.domain_name_configurations
            domain.domain_name_configurations = [_configuration(wanted, regional_name(domain))]
            try:
                self.cloud.service(Gateways).apply()
            except BaseException:
                domain.domain_name_configurations = before
                raise
        return 200, {}, json.dumps(domain.to_json())

    @hook(ApiGatewayV2Response, "delete_domain_name", "self")
    def delete(self, original, response):
        """Its mappings go with it."""
        backend = response.apigatewayv2_backend
        domain = backend.get_domain_name(response.path.split("/")[-1])
        for identity, each in list(backend.api_mappings.items()):
            if each.domain_name == domain.domain_name:
                del backend.api_mappings[identity]
        answer = original(response)
        backend.tagger.delete_all_tags_for_resource(domain.domain_name_arn)
        self.cloud.service(Gateways).apply()
        return answer

    @hook(DomainName, "to_json", "self")
    def shown(self, original, domain):
        tags = self.cloud.backend("apigatewayv2").get_tags(domain.domain_name_arn)
        return {**original(domain), "tags": tags, "mutualTlsAuthentication": None,
                "routingMode": "API_MAPPING_ONLY"}  # fmt: skip

    # mappings

    @hook(ApiGatewayV2Response, "create_api_mapping", "self")
    def map(self, original, response):
        asked = _asked(response)
        refusals.check("CreateApiMapping", asked)
        self._check_mapping(response.path.split("/")[-2], asked, None)
        return original(response)

    @addition(ApiGatewayV2Response, "update_api_mapping", "self")
    def update_mapping(self, response):
        asked = _asked(response)
        refusals.check("UpdateApiMapping", asked)
        words = response.path.split("/")
        mapping = response.apigatewayv2_backend.get_api_mapping(words[-1], words[-3])
        wanted = {"apiId": mapping.api_id, "stage": mapping.stage,
                  "apiMappingKey": mapping.api_mapping_key, **asked}  # fmt: skip
        self._check_mapping(words[-3], wanted, mapping)
        mapping.api_id, mapping.stage = wanted["apiId"], wanted["stage"]
        mapping.api_mapping_key = wanted["apiMappingKey"]
        return 200, {}, json.dumps(mapping.to_json())

    def _check_mapping(self, domain: str, wanted: dict, own) -> None:
        backend = self.cloud.backend("apigatewayv2")
        backend.get_domain_name(domain)
        backend.get_stage(wanted["apiId"], wanted["stage"])
        for each in backend.get_api_mappings(domain):
            if each is not own and each.api_mapping_key == (wanted.get("apiMappingKey") or ""):
                raise refusals.conflict("ApiMapping key already exists for this domain name")

    def _check_certificate(self, name: str, arn: str) -> None:
        acm = self.cloud.service(Certificates)
        try:
            acm.check_usable(arn)
        except ELBClientError as error:
            raise refusals.bad(f"Invalid certificate ARN: {arn}. {error}") from error
        if not acm.covers(arn, name):
            raise refusals.bad(f"The domain name {name} is not covered by the certificate {arn}.")


def regional_name(domain: DomainName) -> str:
    """What records of the domain lead to."""
    return domain.domain_name_configurations[0]["apiGatewayDomainName"]


def _regional_name() -> str:
    letters = string.ascii_lowercase + string.digits
    made = "".join(secrets.choice(letters) for _ in range(10))
    return f"d-{made}.execute-api.{REGION}.amazonaws.com"


def _configuration(asked: dict, name: str) -> dict:
    return {
        "apiGatewayDomainName": name,
        "certificateArn": asked["certificateArn"],
        "certificateName": asked.get("certificateName"),
        "domainNameStatus": "AVAILABLE",
        "endpointType": "REGIONAL",
        "hostedZoneId": HOSTED_ZONE,
        "ipAddressType": "ipv4",
        "securityPolicy": "TLS_1_2",
    }


def _asked(response) -> dict:
    return json.loads(response.body or "{}")
