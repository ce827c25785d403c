"""Distributions and invalidations, as the API keeps them; the edge does what they say.

A change is answered with the status InProgress; it is Deployed when the edge has it, a moment
later. On AWS that takes minutes.
"""

import copy
import logging
import secrets
import string
import time
from dataclasses import dataclass, field
from datetime import datetime

from moto.cloudfront.exceptions import (
    CloudFrontException,
    DistributionAlreadyExists,
    NoSuchDistribution,
    NoSuchOriginAccessControl,
)
from moto.cloudfront.models import CloudFrontBackend
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.elbv2.exceptions import ELBClientError

from localcloud.appliance import Host
from localcloud.firewall import RESOLVER
from localcloud.hooks import hook
from localcloud.services.acm import Certificates
from localcloud.services.base import Row
from localcloud.services.cloudfront import haproxy, refusals, translate
from localcloud.services.cloudfront.edge import RECIPE, VOLUME, Edge
from localcloud.services.cloudfront.haproxy import Target
from localcloud.services.cloudfront.logs import AccessLogs
from localcloud.services.cloudfront.policies import Policies, check_match, invalid, new_id
from localcloud.services.cloudfront.traffic import Traffic
from localcloud.services.cloudfront.translate import items
from localcloud.services.edgehost import EdgeService
from localcloud.services.managed import FAILURES
from localcloud.services.route53 import Route53
from localcloud.services.s3.website import Websites
from localcloud.settings import ACCOUNT

log = logging.getLogger("localcloud.cloudfront")

DEPLOY_SECONDS = 1.0
# The API, as hosts reach it: S3 is there.
S3_PORT = 5000


@dataclass
class Distribution:
    """A distribution as it is kept on moto's backend, in place of moto's own."""

    config: dict
    id: str = field(default_factory=new_id)
    etag: str = field(default_factory=new_id)
    domain_name: str = field(default_factory=lambda: f"d{_letters(13)}.cloudfront.net")
    changed: datetime = field(default_factory=utcnow)
    deployed: float = 0.0
    """When the edge has the last change (time.time)."""

    @property
    def arn(self) -> str:
        return f"arn:aws:cloudfront::{ACCOUNT}:distribution/{self.id}"

    @property
    def location(self) -> str:
        return f"https://cloudfront.amazonaws.com/2020-05-31/distribution/{self.id}"

    @property
    def distribution_id(self) -> str:
        return self.id  # moto's tagging asks for it by this name

    @property
    def status(self) -> str:
        return "Deployed" if time.time() >= self.deployed else "InProgress"

    @property
    def aliases(self) -> list[str]:
        return [each.lower() for each in items(self.config.get("Aliases"))]

    def advance(self) -> None:
        """moto asks for it before it shows one; ours does not change by being looked at."""


@dataclass
class EdgeState:
    """The edge's host, kept on moto's backend. Half made until ``ready``."""

    host: Host
    secret: str = field(default_factory=lambda: secrets.token_hex(24))
    ready: bool = False


class Distributions(EdgeService):
    """One edge serves all distributions."""

    recipe = RECIPE
    noun = "edge"
    ports = (80, 443)
    volume = VOLUME
    state = EdgeState

    def __init__(self, cloud):
        super().__init__(cloud)
        self._logs = AccessLogs(cloud)

    # the API's calls

    @hook(CloudFrontResponse, "create_distribution", "self")
    def create(self, original, response):
        return self._create(response, response._get_param("DistributionConfig"), [])

    @hook(CloudFrontResponse, "create_distribution_with_tags", "self")
    def create_with_tags(self, original, response):
        asked = response._get_param("DistributionConfigWithTags")
        return self._create(response, asked["DistributionConfig"], items(asked.get("Tags")))

    @hook(CloudFrontResponse, "get_distribution", "self")
    def get(self, original, response):
        found = self._find(response._get_param("Id"))
        return ActionResult({"Distribution": shown(found), "ETag": found.etag})

    @hook(CloudFrontResponse, "get_distribution_config", "self")
    def get_config(self, original, response):
        found = self._find(response._get_param("Id"))
        return ActionResult({"DistributionConfig": found.config, "ETag": found.etag})

    @hook(CloudFrontResponse, "list_distributions", "self")
    def list_all(self, original, response):
        rows = [summary(each) for each in self._kept().values()]
        listed = {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": len(rows)}
        return ActionResult({"DistributionList": {**listed, "Items": rows or None}})

    @hook(CloudFrontResponse, "update_distribution", "self")
    def update(self, original, response):
        found = self._find(response._get_param("Id"))
        check_match(response._get_param("IfMatch"), found.etag)
        config = response._get_param("DistributionConfig")
        if config["CallerReference"] != found.config["CallerReference"]:
            raise CloudFrontException("IllegalUpdate", "CallerReference cannot be changed.")
        config = self._checked(config, besides=found)
        before = (found.config, found.etag, found.changed)
        found.config, found.etag, found.changed = config, new_id(), utcnow()
        try:
            self.apply()
        except BaseException:
            found.config, found.etag, found.changed = before
            raise
        found.deployed = time.time() + DEPLOY_SECONDS
        return self._answer(found)

    @hook(CloudFrontResponse, "delete_distribution", "self")
    def delete(self, original, response):
        found = self._find(response._get_param("Id"))
        check_match(response._get_param("IfMatch"), found.etag)
        if found.config.get("Enabled") or found.status != "Deployed":
            raise CloudFrontException(
                "DistributionNotDisabled",
                "The distribution you are trying to delete has not been disabled.",
            )
        del self._kept()[found.id]
        backend = self.backend()
        backend.invalidations.pop(found.id, None)
        backend.tagger.delete_all_tags_for_resource(found.arn)
        self.apply()
        return EmptyResult()

    @hook(CloudFrontBackend, "create_invalidation", "self, dist_id, paths, caller_ref")
    def invalidate(self, original, backend, dist_id, paths, caller_ref):
        found = self._find(dist_id)
        for path in paths:
            known = refusals.PATTERN.fullmatch(path)
            if not known or not path.startswith("/") or "*" in path[:-1]:
                raise invalid(f"{path!r} is no path: it begins with a slash, and * comes last.")
        for state in self.all():
            try:
                for path in paths:
                    self.node(state).ban(found.id, path)
            except FAILURES as error:
                raise CloudFrontException("ServiceUnavailable", str(error)) from error
        made = original(backend, dist_id, paths, caller_ref)
        made.status = "Completed"
        return made

    @hook(CloudFrontBackend, "get_distribution", "self, distribution_id")
    def kept(self, original, backend, distribution_id):
        found = self._find(distribution_id)
        return found, found.etag

    @hook(CloudFrontBackend, "delete_origin_access_control", "self, control_id")
    def delete_control(self, original, backend, control_id):
        if self.uses(control_id):
            raise CloudFrontException(
                "OriginAccessControlInUse",
                "The origin access control is in use by one or more distributions.",
            )
        return original(backend, control_id)

    # what the edge asks

    def backend(self):
        return self.cloud.backend("cloudfront", "aws")

    def is_wanted(self) -> bool:
        return bool(self._kept())

    def served(self) -> list[str]:
        kept = list(self._kept().values())
        return [each.domain_name for each in kept if each.config.get("Enabled")]

    def node(self, state) -> Edge:
        return Edge(self.appliances, self.authority, state.host)

    def configuration(self, state):
        acm = self.cloud.service(Certificates)
        policy = self.cloud.service(Policies).config
        found, targets, certificates = [], {}, {}
        for each in list(self._kept().values()):
            if not each.config.get("Enabled"):
                continue
            arn = each.config["ViewerCertificate"].get("ACMCertificateArn")
            model = translate.distribution(each, policy, acm.file_name(arn) if arn else "")
            found.append(model)
            for origin in model.origins:
                for tls in {"match": (False, True), "https": (True,)}.get(
                    origin.protocol, (False,)
                ):
                    targets[model.id, origin.id, tls] = self._target(origin, tls)
            if arn and model.aliases:
                certificates[f"{model.id}-{model.certificate}"] = (acm.pem(arn), model.aliases)
        settings = self.cloud.settings
        doors = (settings.http_port, settings.https_port)
        return haproxy.render(found, targets, state.secret, doors), certificates

    # what the cloud asks

    def watch(self, state) -> None:
        super().watch(state)
        if state.ready:
            self._logs.collect(self.node(state), self._kept())

    def rows(self) -> list[Row]:
        containers = self.cloud.engine.containers()
        public = self.public_names()
        running = [h.id for h in self.hosts() if h.id in containers and containers[h.id].running]
        return [
            Row(
                id=each.id,
                kind="distribution",
                name=" ".join(each.aliases),
                state=each.status + ("" if each.config.get("Enabled") else " (disabled)"),
                address=" ".join([each.domain_name, *public.get(each.domain_name, [])]),
                real=", ".join(host.id for host in self.hosts()),
                health="ok" if running or not each.config.get("Enabled") else "edge down",
            )
            for each in self._kept().values()
        ]

    # what the rest of CloudFront asks

    @property
    def traffic(self) -> Traffic:
        """What the edge has served."""
        return self._logs.traffic

    def apply(self) -> None:
        try:
            self.match()
        except FAILURES as error:
            raise CloudFrontException("ServiceUnavailable", str(error)) from error
        self._tell_certificates()

    def uses(self, identity: str) -> bool:
        """Whether a distribution names this policy or origin access control."""
        return any(identity in str(each.config) for each in self._kept().values())

    def proves(self, secret: str) -> bool:
        """Whether a request to the API comes from the edge."""
        return any(secrets.compare_digest(each.secret, secret) for each in self.all())

    # how

    def _kept(self) -> dict[str, Distribution]:
        return self.backend().distributions

    def _find(self, identity: str) -> Distribution:
        if identity not in self._kept():
            raise NoSuchDistribution
        return self._kept()[identity]

    def _create(self, response, config: dict, tags: list):
        for each in self._kept().values():
            if each.config["CallerReference"] == config["CallerReference"]:
                raise DistributionAlreadyExists(each.id)
        made = Distribution(self._checked(config, besides=None))
        self._kept()[made.id] = made
        try:
            self.apply()
        except BaseException:
            self._kept().pop(made.id, None)
            raise
        made.deployed = time.time() + DEPLOY_SECONDS
        self.backend().tagger.tag_resource(made.arn, tags)
        return self._answer(made)

    def _answer(self, found: Distribution):
        return ActionResult(
            {"Distribution": shown(found), "ETag": found.etag, "Location": found.location}
        )

    def _checked(self, config: dict, besides: Distribution | None) -> dict:
        """The config with what CloudFront adds by itself; an API error if it cannot be."""
        config = completed(config)
        refusals.check(config, self.cloud.service(Policies).config)
        controls = self.backend().origin_access_controls
        for each in items(config["Origins"]):
            wanted = each.get("OriginAccessControlId")
            if wanted and wanted not in controls:
                raise NoSuchOriginAccessControl
        self._check_aliases(config, besides)
        logging_ = config["Logging"]
        if logging_.get("Enabled"):
            bucket = logging_["Bucket"].removesuffix(".s3.amazonaws.com")
            if bucket not in self.cloud.backend("s3", "aws").buckets:
                raise invalid(f"The bucket {bucket} of the access logs does not exist.")
        return config

    def _check_aliases(self, config: dict, besides: Distribution | None) -> None:
        aliases = [each.lower() for each in items(config["Aliases"])]
        for other in self._kept().values():
            taken = set(aliases) & set(other.aliases)
            if other is not besides and taken:
                raise CloudFrontException(
                    "CNAMEAlreadyExists",
                    f"{', '.join(sorted(taken))} is an alias of another distribution.",
                )
        arn = config["ViewerCertificate"].get("ACMCertificateArn")
        if not arn:
            if aliases:
                raise CloudFrontException(
                    "InvalidViewerCertificate",
                    "To add an alternate domain name (CNAME) you must attach a certificate that "
                    "covers it.",
                )
            return
        acm = self.cloud.service(Certificates)
        try:
            acm.check_usable(arn)
        except ELBClientError as error:
            raise CloudFrontException("InvalidViewerCertificate", str(error)) from error
        for alias in aliases:
            if not acm.covers(arn, alias):
                raise CloudFrontException(
                    "InvalidViewerCertificate",
                    f"The certificate that is attached does not cover the alternate domain name "
                    f"{alias}.",
                )

    def _target(self, origin, tls: bool) -> Target:
        """Where an origin's name leads in public: nothing else can be reached from the edge."""
        if origin.protocol == "s3":
            return Target((RESOLVER,), S3_PORT)
        public = {
            address: interface.address
            for service in self.cloud.services
            if service is not self
            for interface in service.interfaces()
            for address in interface.public
        }
        public[self.cloud.service(Websites).address] = RESOLVER
        led = self.cloud.service(Route53).visit(origin.domain) or []
        addresses = tuple(sorted(public[each] for each in led if each in public))
        return Target(addresses, origin.https_port if tls else origin.http_port, tls)

    def _tell_certificates(self) -> None:
        users: dict[str, list[str]] = {}
        for each in self._kept().values():
            arn = each.config["ViewerCertificate"].get("ACMCertificateArn")
            if arn:
                users.setdefault(arn, []).append(each.arn)
        self.cloud.service(Certificates).used_by("cloudfront", users)


def completed(config: dict) -> dict:
    """The config with CloudFront's own values where none are given, as GetDistribution shows it."""
    config = copy.deepcopy(config)
    empty = {"Quantity": 0}
    for key in ("Aliases", "OriginGroups", "CacheBehaviors", "CustomErrorResponses"):
        config[key] = config.get(key) or dict(empty)
    config.setdefault("Comment", "")
    config.setdefault("DefaultRootObject", "")
    config.setdefault("PriceClass", "PriceClass_All")
    config.setdefault("WebACLId", "")
    config.setdefault("HttpVersion", "http2")
    config.setdefault("IsIPV6Enabled", True)
    config.setdefault("Staging", False)
    config["Logging"] = {
        "Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": "",
        **(config.get("Logging") or {}),
    }  # fmt: skip
    config["Restrictions"] = config.get("Restrictions") or {
        "GeoRestriction": {"RestrictionType": "none", "Quantity": 0}
    }
    config["ViewerCertificate"] = _certificate(config.get("ViewerCertificate") or {})
    for each in items(config.get("Origins")):
        each.setdefault("OriginPath", "")
        each.setdefault("CustomHeaders", dict(empty))
        each.setdefault("ConnectionAttempts", 3)
        each.setdefault("ConnectionTimeout", 10)
        each.setdefault("OriginShield", {"Enabled": False})
        each.setdefault("OriginAccessControlId", "")
        if each.get("CustomOriginConfig"):
            each["CustomOriginConfig"].setdefault("OriginReadTimeout", 30)
            each["CustomOriginConfig"].setdefault("OriginKeepaliveTimeout", 5)
            each["CustomOriginConfig"].setdefault(
                "OriginSslProtocols", {"Quantity": 1, "Items": ["TLSv1.2"]}
            )
    for each in [*items(config["CacheBehaviors"]), config["DefaultCacheBehavior"]]:
        each.setdefault("Compress", False)
        each.setdefault("SmoothStreaming", False)
        each.setdefault("FieldLevelEncryptionId", "")
        each.setdefault("TrustedSigners", {"Enabled": False, "Quantity": 0})
        each.setdefault("TrustedKeyGroups", {"Enabled": False, "Quantity": 0})
        each.setdefault("LambdaFunctionAssociations", dict(empty))
        each.setdefault("FunctionAssociations", dict(empty))
        methods = each.setdefault("AllowedMethods", {"Quantity": 2, "Items": ["HEAD", "GET"]})
        methods.setdefault("CachedMethods", {"Quantity": 2, "Items": ["HEAD", "GET"]})
    for value in _dicts(config):
        if "Quantity" in value:
            value["Quantity"] = len(items(value))
    return config


def _certificate(config: dict) -> dict:
    if config.get("IAMCertificateId"):
        raise refusals.unsupported("IAM certificates: use ACM")
    arn = config.get("ACMCertificateArn")
    if not arn:
        return {
            "CloudFrontDefaultCertificate": True,
            "SSLSupportMethod": "vip",
            "MinimumProtocolVersion": "TLSv1",
            "CertificateSource": "cloudfront",
        }
    return {
        "CloudFrontDefaultCertificate": False,
        "ACMCertificateArn": arn,
        "SSLSupportMethod": config.get("SSLSupportMethod") or "sni-only",
        "MinimumProtocolVersion": config.get("MinimumProtocolVersion") or "TLSv1.2_2021",
        "Certificate": arn,
        "CertificateSource": "acm",
    }


def _dicts(value):
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _dicts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _dicts(each)


def shown(found: Distribution) -> dict:
    """A distribution as GetDistribution shows it."""
    return {
        "Id": found.id,
        "ARN": found.arn,
        "Status": found.status,
        "LastModifiedTime": found.changed,
        "InProgressInvalidationBatches": 0,
        "DomainName": found.domain_name,
        "ActiveTrustedSigners": {"Enabled": False, "Quantity": 0},
        "ActiveTrustedKeyGroups": {"Enabled": False, "Quantity": 0},
        "DistributionConfig": found.config,
    }


def summary(found: Distribution) -> dict:
    """A distribution as ListDistributions shows it: its config is spread out."""
    row = shown(found)
    return {**row.pop("DistributionConfig"), **row, "ETag": found.etag}


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(count))
