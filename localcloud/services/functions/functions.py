"""The calls that make and change functions. moto keeps the books; it never runs anything."""

import base64
import contextlib
import hashlib
import ipaddress
import json
import logging
import threading
import uuid
from collections import Counter
from collections.abc import Iterable

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.core.utils import iso_8601_datetime_with_nanoseconds
from moto.s3.exceptions import MissingBucket, MissingKey

from localcloud import registry
from localcloud.errors import Refusal
from localcloud.faults import FaultError
from localcloud.firewall import RESOLVER, Interface, Rule
from localcloud.hooks import hook
from localcloud.identity import policy
from localcloud.services.base import Row, Service
from localcloud.services.functions import destinations, mishaps, refusals, runtime, runtime_api
from localcloud.services.functions.code import PackageError, Packages
from localcloud.services.functions.environment import KIND, Environment, variables_of
from localcloud.services.functions.fleet import Fleet
from localcloud.services.functions.model import CONCURRENCY, LATEST, SERVICE, UNRESERVED, Plan
from localcloud.services.functions.scratch import Scratch
from localcloud.settings import REGION

log = logging.getLogger("localcloud.functions")

ROLE_SESSION = 6 * 3600
SPARE = 3  # addresses of the block that are no environment's: its name, this machine, broadcast
CREATING = ("The function is being created.", "Creating")


class Functions(Service):
    """Functions, their versions and aliases, and the environments that run them."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.directory = cloud.settings.state / "functions"
        self.packages = Packages(self.directory / "code")
        self.block = registry.functions_block(cloud.settings.id)
        self.fleet = Fleet(lambda *how: self.start_environment(*how),
                           self.block.num_addresses - SPARE)  # fmt: skip
        self.cold_starts: Counter[str] = Counter()
        self._plugged: set[int] = set()
        self._plugging = threading.Lock()

    # making

    @hook(LambdaResponse, "create_function", "self")
    def create(self, original, response):
        asked = response.json_body
        refusals.check_size("CreateFunction", len(response.body))
        refusals.check("CreateFunction", asked)
        self._check_role(asked["Role"])
        destinations.check_dead_letter(self.cloud, asked.get("DeadLetterConfig") or {},
                                       asked["Role"])  # fmt: skip
        answer = original(response)
        self._prepare(response.backend.get_function(asked["FunctionName"]))
        return answer

    @hook(LambdaFunction, "__init__", "self, account_id, spec, region, version")
    def new(self, original, function, *args, **kwargs):
        function.plan = None  # what runs, as soon as it can
        function.published = 0
        function.event_configs = {}  # by qualifier, as what is provisioned
        function.provisioned = {}
        function.update_status = "Successful"
        function.revision = str(uuid.uuid4())
        original(function, *args, **kwargs)
        asked = args[1] if len(args) > 1 else kwargs["spec"]
        function.dead_letter = (asked.get("DeadLetterConfig") or {}).get("TargetArn")
        function.state = "Pending"

    @hook(LambdaFunction, "_set_function_code", "self, updated_spec")
    def set_code(self, original, function, updated_spec):
        """Keep the zip as a file: moto would hold it in memory, and in the state file."""
        content = self._content(updated_spec)
        try:
            function.code_digest = self.packages.take(content)
        except PackageError as error:
            raise refusals.invalid(str(error)) from error
        function.code, function.code_bytes = {}, b""
        function.code_size = len(content)
        digest = hashlib.sha256(content).digest()
        function.code_sha_256 = base64.b64encode(digest).decode()

    def _content(self, asked: dict) -> bytes:
        if asked.get("ZipFile"):
            if asked.get("S3Bucket") or asked.get("S3Key"):
                raise refusals.invalid("Please do not provide other FunctionCode parameters when "
                                       "providing a ZipFile.")  # fmt: skip
            return base64.b64decode(asked["ZipFile"])
        if not (asked.get("S3Bucket") and asked.get("S3Key")):
            raise refusals.invalid("Please provide a source for function code.")
        try:
            key = self.cloud.backend("s3", "aws").get_object(
                asked["S3Bucket"], asked["S3Key"], version_id=asked.get("S3ObjectVersion")
            )
        except (MissingBucket, MissingKey) as error:
            raise _missing(type(error).__name__.replace("Missing", "NoSuch"), str(error)) from error
        if key is None:
            raise _missing("NoSuchKey", "The specified key does not exist.")
        return key.value

    def _check_role(self, arn: str) -> None:
        roles = list(self.cloud.backend("iam", "aws").roles.values())
        role = next((each for each in roles if each.arn == arn), None)
        wanted = policy.Request("sts:AssumeRole", arn, principals=(SERVICE,))
        if role is not None and not policy.says(
            (role.assume_role_policy_document,), wanted, "Allow"
        ):
            raise refusals.invalid(
                "The role defined for the function cannot be assumed by Lambda."
            )  # fmt: skip

    # changing

    @hook(LambdaBackend, "update_function_code", "self, function_name, qualifier, body")
    def update_code(self, original, backend, function_name, qualifier, body):
        refusals.check("UpdateFunctionCode", body)
        function = self._to_change(backend, function_name, body)
        if body.get("DryRun"):
            return function.get_configuration()
        function._set_function_code(body)
        self._touch(function)
        function.update_status = "InProgress"
        if body.get("Publish"):
            self._unpack(function)
            return backend.publish_version(function_name).get_configuration()
        self._prepare(function)
        return function.get_configuration()

    @hook(LambdaResponse, "update_function_code", "self")
    def update_code_size(self, original, response):
        refusals.check_size("UpdateFunctionCode", len(response.body))
        return original(response)

    @hook(LambdaBackend, "update_function_configuration", "self, function_name, qualifier, body")
    def update_configuration(self, original, backend, function_name, qualifier, body):
        refusals.check("UpdateFunctionConfiguration", body)
        function = self._to_change(backend, function_name, body)
        if body.get("Role"):
            self._check_role(body["Role"])
            self._check_known(body["Role"])
        if "DeadLetterConfig" in body:
            dead = body["DeadLetterConfig"] or {}
            destinations.check_dead_letter(self.cloud, dead, body.get("Role") or function.role)
            function.dead_letter = dead.get("TargetArn")
        if "Environment" in body:
            body = {**body, "Environment": {"Variables": {}, **body["Environment"]}}
        function.update_configuration(body)
        if body.get("EphemeralStorage"):
            function.ephemeral_storage = body["EphemeralStorage"]["Size"]
        self._touch(function)
        self._install(function)
        return function.get_configuration()

    def _check_known(self, arn: str) -> None:
        if all(each.arn != arn for each in list(self.cloud.backend("iam", "aws").roles.values())):
            raise refusals.invalid(
                "The role defined for the function cannot be assumed by Lambda."
            )  # fmt: skip

    def _to_change(self, backend, name: str, asked: dict) -> LambdaFunction:
        """The function, if it may be changed now."""
        function = backend.get_function(name)
        busy = function.state == "Pending" or function.update_status == "InProgress"
        if busy:
            raise refusals.conflict(
                "The operation cannot be performed at this time. An update is in progress for "
                f"resource: {function.function_arn}"
            )
        if asked.get("RevisionId") and asked["RevisionId"] != function.revision:
            raise refusals.precondition()
        return function

    def _touch(self, function) -> None:
        function.code_or_config_updated = True
        function.last_modified = iso_8601_datetime_with_nanoseconds()
        function.revision = str(uuid.uuid4())

    def _prepare(self, function) -> None:
        """Unzip its package beside the call; until then an older one goes on."""
        threading.Thread(target=self._unpack, args=(function,),
                         name=f"unpack {function.function_name}", daemon=True).start()  # fmt: skip

    def _unpack(self, function) -> None:
        try:
            self.packages.unpack(function.code_digest)
        except Exception as error:  # a full disk, or a zip that lies about itself
            log.exception("unpacking %s", function.function_name)
            self._fail(function, f"{type(error).__name__}: {error}")
            return
        self._install(function)
        self.cloud.save()

    def _fail(self, function, reason: str) -> None:
        with self.cloud.lock:
            if function.state == "Pending":
                function.state, function.state_reason = "Failed", reason
            else:
                function.update_status, function.update_reason = "Failed", reason

    def _install(self, function) -> None:
        """From now on new invocations meet what the function says."""
        old = []
        with self.cloud.lock:
            group = self._group(function.function_name)
            if group is None:
                return  # it was deleted meanwhile
            for each in [group["latest"], *group["versions"]]:
                if each is function or (
                    each.state == "Pending" and each.code_digest == function.code_digest
                ):
                    plan = plan_of(each)
                    if each.plan not in (None, plan):
                        old.append(each.plan)
                    each.plan, each.state, each.update_status = plan, "Active", "Successful"
        self._retire(old)

    def _retire(self, plans: Iterable[Plan]) -> None:
        plans = list(plans)
        if not plans:
            return

        def retire():
            for plan in plans:
                self.fleet.retire(plan)
            self.packages.keep_only(self._digests())

        threading.Thread(target=retire, name="retire", daemon=True).start()

    # versions and aliases

    @hook(LambdaBackend, "publish_version", "self, function_name, description")
    def publish(self, original, backend, function_name, description=""):
        function = backend.get_function(function_name)
        group = self._group(function.function_name)
        if group["versions"] and not function.code_or_config_updated:
            return group["versions"][-1]  # nothing has changed
        function.published += 1
        # moto counts the versions that are left, and gives numbers a second time
        version = LambdaFunction.__new__(LambdaFunction)
        vars(version).update(vars(function))
        version.set_version(function.published)
        version.revision = str(uuid.uuid4())
        if description:
            version.description = description
        if function.plan is not None:
            version.plan = plan_of(version)
        function.code_or_config_updated = False
        group["versions"].append(version)
        backend._lambdas._arns[version.function_arn] = version
        return version

    @hook(LambdaResponse, "publish_version", "self")
    def publish_checked(self, original, response):
        asked = json.loads(response.body or "{}")
        name = response.path.split("/")[-2]
        function = self._to_change(response.backend, name, asked)
        if asked.get("CodeSha256") not in (None, "", function.code_sha_256):
            raise refusals.invalid(
                f"CodeSHA256 ({asked['CodeSha256']}) is different from current CodeSHA256 in "
                f"$LATEST ({function.code_sha_256}). Please try again with the CodeSHA256 in "
                "$LATEST."
            )
        return original(response)

    @hook(LambdaBackend, "create_alias",
          "self, name, function_name, function_version, description, routing_config")  # fmt: skip
    def create_alias(self, original, backend, name, function_name, function_version, description,
                     routing_config):  # fmt: skip
        self._check_route(backend, function_name, function_version, routing_config)
        return original(backend, name, function_name, function_version, description,
                        routing_config)  # fmt: skip

    @hook(LambdaBackend, "update_alias",
          "self, name, function_name, function_version, description, routing_config")  # fmt: skip
    def update_alias(self, original, backend, name, function_name, function_version, description,
                     routing_config):  # fmt: skip
        alias = backend.get_alias(name, function_name)
        version = function_version or alias.function_version
        self._check_route(backend, function_name, version, routing_config)
        alias = original(backend, name, function_name, function_version, description,
                         routing_config)  # fmt: skip
        alias.revision_id = str(uuid.uuid4())
        return alias

    @hook(LambdaResponse, "update_alias", "self")
    def update_alias_checked(self, original, response):
        asked = json.loads(response.body).get("RevisionId")
        words = response.path.split("/")
        if asked and response.backend.get_alias(words[-1], words[-3]).revision_id != asked:
            raise refusals.precondition()
        return original(response)

    def _check_route(self, backend, name: str, version: str, routing) -> None:
        backend.get_function(name, version)
        weights = (routing or {}).get("AdditionalVersionWeights") or {}
        if not weights:
            return
        if version == LATEST or LATEST in weights:
            raise refusals.invalid("$LATEST is not supported for an alias pointing to more than "
                                   "1 version")  # fmt: skip
        if len(weights) > 1:
            raise refusals.invalid("Number of items in AdditionalVersionWeights cannot be greater "
                                   "than 1")  # fmt: skip
        for other, weight in weights.items():
            if not 0 <= weight <= 1:
                raise refusals.invalid("AdditionalVersionWeights must be between 0 and 1")
            if other == version:
                raise refusals.invalid("Invalid function version in AdditionalVersionWeights: "
                                       "Function version is already included")  # fmt: skip
            backend.get_function(name, other)

    # permissions and concurrency

    @hook(LambdaBackend, "add_permission", "self, function_name, qualifier, raw")
    def add_permission(self, original, backend, function_name, qualifier, raw):
        asked = json.loads(raw)
        function = backend.get_function(function_name, qualifier)
        if any(each["Sid"] == asked["StatementId"] for each in function.policy.statements):
            raise refusals.conflict(
                f"The statement id ({asked['StatementId']}) provided already exists. Please "
                "provide a new statement id, or remove the existing statement."
            )
        statement = original(backend, function_name, qualifier, raw)
        principal = statement["Principal"]
        if isinstance(principal, str) and principal != "*":
            # moto leaves what is neither a service nor an account's root as it is
            statement["Principal"] = {
                "AWS": f"arn:aws:iam::{principal}:root" if principal.isdigit() else principal
            }
        return statement

    @hook(LambdaBackend, "get_policy", "self, function_name, qualifier")
    def get_policy(self, original, backend, function_name, qualifier=None):
        """Of the function, or of one qualifier: moto tells all that there are."""
        function = backend.get_function(function_name, qualifier)
        base = ":".join(function.function_arn.split(":")[:7])
        named = f"{base}:{qualifier}" if qualifier else base
        found = [each for each in function.policy.statements if each["Resource"] == named]
        if not found:
            raise Refusal(
                (404, "ResourceNotFoundException"), "The resource you requested does not exist."
            )
        document = {"Version": "2012-10-17", "Id": "default", "Statement": found}
        return json.dumps(
            {"Policy": json.dumps(document), "RevisionId": function.policy.revision}
        )  # fmt: skip

    def policy(self, arn: str) -> str | None:
        """What lets others invoke a function, by its ARN."""
        group = self._group(":".join(arn.split(":")[6:7]))
        if group is None or not group["latest"].policy.statements:
            return None
        return json.dumps({"Statement": group["latest"].policy.statements})

    @hook(LambdaBackend, "put_function_concurrency",
          "self, function_name, reserved_concurrency")  # fmt: skip
    def reserve(self, original, backend, function_name, reserved_concurrency):
        function = backend.get_function(function_name)
        own = provided(function)
        if int(reserved_concurrency) < own:
            raise refusals.invalid(
                "Specified ReservedConcurrentExecutions for function is lower than its provisioned "
                f"concurrency of [{own}]."
            )
        if self.claimed(function) + int(reserved_concurrency) > CONCURRENCY - UNRESERVED:
            raise refusals.invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
            )
        function.reserved_concurrency = int(reserved_concurrency)
        return function.reserved_concurrency

    def claimed(self, but: LambdaFunction) -> int:
        """What is taken from the account's concurrency for other functions."""
        return sum(
            int(each.reserved_concurrency or 0) or provided(each)
            for each in self.cloud.backend("lambda")._lambdas.latest()
            if each is not but
        )

    # the end

    @hook(LambdaBackend, "delete_function", "self, function_name, qualifier")
    def delete(self, original, backend, function_name, qualifier=None):
        function = backend.get_function(function_name, qualifier)
        group = self._group(function.function_name)
        version = str(function.version)
        if qualifier:
            aliases = list(backend.list_aliases(function.function_name))
            if any(qualifier == each.name for each in aliases) or version == LATEST:
                raise refusals.invalid("$LATEST version cannot be deleted without deleting the "
                                       "function.")  # fmt: skip
            using = [each.arn for each in aliases if version in _versions(each)]
            if using:
                raise refusals.conflict(f"Version {function.function_arn} is used by the "
                                        f"following aliases: {', '.join(using)}")  # fmt: skip
        gone = [function] if qualifier else [group["latest"], *group["versions"]]
        original(backend, function_name, qualifier)
        plans = [each.plan for each in gone if each.plan]
        self._retire(plans) if plans else self.packages.keep_only(self._digests())

    @hook(LambdaFunction, "get_configuration", "self, on_create")
    def configuration(self, original, function, on_create=False):
        shown = original(function, on_create)
        shown["RevisionId"] = function.revision
        if function.dead_letter:
            shown["DeadLetterConfig"] = {"TargetArn": function.dead_letter}
        shown["LoggingConfig"] = {
            "LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}",
        }  # fmt: skip
        if function.state == "Pending":
            shown["StateReason"], shown["StateReasonCode"] = CREATING
            shown.pop("LastUpdateStatus", None)
        elif function.state == "Failed":
            shown["StateReason"], shown["StateReasonCode"] = function.state_reason, "InternalError"
        elif not on_create:
            shown["LastUpdateStatus"] = function.update_status
            if function.update_status == "Failed":
                shown["LastUpdateStatusReason"] = function.update_reason
                shown["LastUpdateStatusReasonCode"] = "InternalError"
        return {key: value for key, value in shown.items() if value is not None}

    @hook(LambdaFunction, "get_code", "self")
    def described(self, original, function):
        """Without an address of the zip: it is not kept."""
        shown = {**original(function), "Code": {"RepositoryType": "S3"}}
        if function.reserved_concurrency is not None:
            shown["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        return shown

    @hook(LambdaFunction, "invoke", "self, body, request_headers, response_headers")
    def never(self, original, function, *args):
        """moto would run it by itself."""
        raise Refusal("not supported", "The local cloud has no such event source of Lambda's.")

    # environments

    def start_environment(self, plan: Plan, slot: int, provisioned: bool) -> Environment:
        """A new environment, whose runtime initialises."""
        cloud = self.cloud
        if not provisioned:
            self.cold_starts[plan.function] += 1
        made = Environment(plan, slot, cloud.engine, self.directory / "environments")
        namespace = self._plug(slot)
        cloud.settle()  # it may reach what it may from its first moment on
        session = cloud.backend("sts", "aws").assume_role(
            REGION, plan.function, plan.role, "", ROLE_SESSION, ""
        )
        made.access_key = session.access_key_id
        variables = variables_of(plan, session, made.stream, f"http://{RESOLVER}:5000",
                                 provisioned)  # fmt: skip
        try:
            made.start(
                namespace,
                runtime_api.listen(cloud.network.namespace_path(namespace)),
                variables,
                self.packages.place(plan.digest),
                [runtime.layer(cloud.settings.cache), cloud.base_image],
                cloud.lxcfs.mounts(),
            )
        except BaseException:
            made.remove()
            raise
        return made

    def befall(self, kind: str, target: str) -> bool:
        """A mishap in the middle of one of its requests, the next one if there is none."""
        name = target.removeprefix("lambda:")
        if self._group(name) is None:
            return False
        try:
            found = mishaps.befall(
                kind, lambda: [e for e in self.fleet.all() if e.plan.function == name]
            )
        except mishaps.NobodyAsksError as error:
            raise FaultError(
                f"Nobody asked {name} anything for {mishaps.PATIENCE_SECONDS} s: this fault is one "
                "in the middle of a request"
            ) from error
        log.warning("%s of %s: %s", found.id, name, kind)
        return True

    def _plug(self, slot: int) -> str:
        address = self._address(slot)
        with self._plugging:
            if slot not in self._plugged:
                number = int(ipaddress.ip_address(address))
                mac = "02:fa:" + ":".join(f"{number >> n & 0xFF:02x}" for n in (24, 16, 8, 0))
                self.cloud.network.plug(_interface(address), address, str(self.block), mac)
                self._plugged.add(slot)
        return self.cloud.network.namespace(_interface(address))

    def _address(self, slot: int) -> str:
        return str(self.block[slot + SPARE - 1])

    def interfaces(self) -> list[Interface]:
        """Outside every VPC: what is public can be reached, and nobody reaches them."""
        addresses = [self._address(slot) for slot in sorted(self.fleet.slots())]
        return [
            Interface(
                id=_interface(address),
                address=address,
                vpc="functions",
                egress=(Rule("-1", None, ("0.0.0.0/0",)),),
                internet=True,
                isolated=address in self.cloud.isolated,
                edge=True,
            )
            for address in addresses
        ]

    def adopt(self) -> list[str]:
        """Environments end with the process that gave them work: the next ones start cold."""
        engine, said = self.cloud.engine, []
        for name, container in engine.containers().items():
            if container.labels.get("kind") == KIND:
                engine.thaw(name)
                engine.remove(name)
                said.append(f"removed environment {name} of {container.labels['function']}")
        for path in (self.directory / "environments").glob("*"):
            Scratch(path).remove()
        self.packages.clean()
        self.packages.keep_only(self._digests())
        if (self.cloud.base_image / "etc/debian_version").exists():
            threading.Thread(target=self._warm, name="image", daemon=True).start()
        for function in self.all():
            if function.state == "Pending" or function.update_status == "InProgress":
                self._prepare(function)
        return said

    def _warm(self) -> None:
        """Build the image in the background, so that the first call does not wait for it."""
        with contextlib.suppress(Exception):  # the first call says why
            runtime.layer(self.cloud.settings.cache)

    def reconcile(self) -> None:
        self.fleet.trim()

    def close(self) -> None:
        for each in self.fleet.all():
            each.remove()

    # books

    def all(self) -> list[LambdaFunction]:
        """Every version of every function."""
        groups = list(self.cloud.backend("lambda")._lambdas._functions.values())
        return [
            each for group in groups for each in (group["latest"], *group["versions"]) if each
        ]  # fmt: skip

    def _group(self, name: str) -> dict | None:
        return self.cloud.backend("lambda")._lambdas._functions.get(name)

    def _digests(self) -> set[str]:
        found = {each.code_digest for each in self.all()}
        return found | {each.plan.digest for each in self.all() if each.plan}

    def rows(self) -> list[Row]:
        environments = self.fleet.all()
        rows = []
        for function in self.all():
            if function.version != LATEST:
                continue
            name = function.function_name
            own = [each for each in environments if each.plan.function == name]
            rows.append(
                Row(
                    id=name,
                    kind="function",
                    name=f"{function.published} versions",
                    state=function.state.lower(),
                    real=f"{len(own)} environments, {self.fleet.busy(name)} at work; "
                    f"{self.cold_starts[name]} cold starts",
                    health="ok" if function.state == "Active" else "",
                )
            )
        return rows


def plan_of(function: LambdaFunction) -> Plan:
    return Plan(
        function=function.function_name,
        version=str(function.version),
        arn=function.function_arn,
        digest=function.code_digest,
        handler=function.handler,
        role=function.role,
        memory=function.memory_size,
        timeout=function.timeout,
        storage=function.ephemeral_storage,
        variables=tuple(sorted(function.environment_vars.items())),
    )


def provided(function: LambdaFunction) -> int:
    """How many environments are to be kept for its versions and aliases."""
    return sum(each.requested for each in function.provisioned.values())


def _versions(alias) -> set[str]:
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    return {alias.function_version, *weights}


def _interface(address: str) -> str:
    return f"function-{int(ipaddress.ip_address(address)):09x}"


def _missing(code: str, message: str) -> Exception:
    return refusals.invalid(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    )
