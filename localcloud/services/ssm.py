"""SSM Parameter Store: parameters are moto's."""

import json
import threading
from datetime import datetime, timedelta

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ssm.exceptions import ValidationException
from moto.ssm.models import Parameter, SimpleSystemManagerBackend
from moto.ssm.responses import SimpleSystemManagerResponse

from localcloud.hooks import hook
from localcloud.services.base import Row, Service

_puts = threading.Lock()


class Ssm(Service):
    """Parameters are listed by name: their values may be secrets."""

    @hook(
        SimpleSystemManagerBackend,
        "put_parameter",
        "self, name, description, value, parameter_type, allowed_pattern, keyid, overwrite, tags, "
        "data_type, tier, policies",
    )
    def put(self, original, backend, name, *arguments, **options):
        """Without Overwrite one of several callers makes it: playbooks lock with that."""
        _check_policies(options.get("tier"), options.get("policies"))
        with _puts:
            return original(backend, name, *arguments, **options)

    @hook(Parameter, "describe_response_object", "self, decrypt, include_labels")
    def described(self, original, parameter, *arguments, **options):
        """DescribeParameters always has the policies, which moto does not take apart."""
        return {
            **original(parameter, *arguments, **options),
            "Policies": [
                {
                    "PolicyText": json.dumps(each),
                    "PolicyType": each["Type"],
                    "PolicyStatus": "Pending",
                }
                for each in _policies(parameter.policies)
            ],
        }

    @hook(SimpleSystemManagerResponse, "describe_parameters", "self")
    def describe(self, original, response):
        """All of them: moto's pages have ten, whatever is asked for."""
        found = response.ssm_backend.describe_parameters(
            response._get_param("Filters"), response._get_param("ParameterFilters")
        )
        return ActionResult({"Parameters": [each.describe_response_object() for each in found]})

    def reconcile(self) -> None:
        """Parameters whose time has come end."""
        backend = self.cloud.backend("ssm")
        for name, versions in list(dict.items(backend._parameters)):
            if versions and any(
                expiration(each) < utcnow() for each in _policies(versions[-1].policies)
            ):
                backend.delete_parameter(name)

    def rows(self) -> list[Row]:
        return [
            Row(
                id=name,
                kind="SSM parameter",
                name=versions[-1].parameter_type,
                state=f"version {versions[-1].version}",
                real="kept in api.pickle",
                health="ok",
            )
            for name, versions in sorted(dict.items(self.cloud.backend("ssm")._parameters))
            if versions and not name.startswith("/aws/")
        ]


def _policies(text: str | None) -> list[dict]:
    return json.loads(text) if text else []


def expiration(policy: dict) -> datetime:
    """When the parameter ends (UTC, as moto's clock)."""
    moment = datetime.fromisoformat(policy["Attributes"]["Timestamp"])
    return moment.replace(tzinfo=None) - (moment.utcoffset() or timedelta())


def _check_policies(tier: str | None, text: str | None) -> None:
    """Refuse what would not happen: only an end of a parameter does."""
    try:
        policies = _policies(text)
        for policy in policies:
            expiration(policy)
        kinds = {each["Type"] for each in policies}
    except (ValueError, KeyError, TypeError) as error:
        raise ValidationException(f"The policies are not valid: {error!r}") from error
    if kinds - {"Expiration"}:
        raise ValidationException("This local cloud has policies of type Expiration only.")
    if policies and tier not in ("Advanced", "Intelligent-Tiering"):
        raise ValidationException("Policies are for parameters of the advanced tier.")
