"""Application Load Balancers: HAProxy on a node in each of their zones."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from moto.elbv2.exceptions import (
    DuplicateListenerError,
    ELBClientError,
    InvalidConfigurationRequest,
    TargetGroupNotFoundError,
)
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from localcloud.appliance import Appliances, Host
from localcloud.engine import EngineError
from localcloud.firewall import Interface
from localcloud.hooks import hook
from localcloud.network import NetworkError
from localcloud.services.acm import Certificates
from localcloud.services.base import Row, Service
from localcloud.services.elbv2 import accesslog, health, translate
from localcloud.services.elbv2.health import Health
from localcloud.services.elbv2.node import RECIPE, VOLUME, Node
from localcloud.services.elbv2.runtime import HaproxyError
from localcloud.shell import CommandError

log = logging.getLogger("localcloud.elbv2")

# The hosted zone of ALB names in us-east-1, which alias records name.
HOSTED_ZONE = "Z35SXDOTRQ7X7K"
ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
# Looks at a node without an answer until its address leaves the DNS name.
LOOKS = 2
FAILURES = (HaproxyError, EngineError, NetworkError, CommandError, OSError)


class LoadBalancers(Service):
    """Load balancers of type application, their listeners, rules and target groups."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.appliances = Appliances(cloud, RECIPE)
        self._locks: dict[str, threading.RLock] = {}
        self._since: dict[str, dict[tuple, float]] = {}
        self._silent: dict[str, int] = {}
        self._logs: dict[str, object] = {}
        self._lines: dict[str, list[str]] = {}
        self._flushed: dict[str, float] = {}

    # load balancers

    @hook(ELBv2Backend, "create_load_balancer",
          "self, name, security_groups, subnet_ids, subnet_mappings, scheme, loadbalancer_type, "
          "ip_address_type, tags")  # fmt: skip
    def create(self, original, backend, name, security_groups, subnet_ids, subnet_mappings=None,
               scheme="internet-facing", loadbalancer_type=None, *args, **kwargs):  # fmt: skip
        if loadbalancer_type not in (None, "application"):
            raise InvalidConfigurationRequest(
                f"This local cloud has load balancers of type application, not {loadbalancer_type}"
            )
        same = next((each for each in backend.load_balancers.values() if each.name == name), None)
        if same:
            return same  # as AWS does for the same name
        made = original(
            backend, name, security_groups, subnet_ids, subnet_mappings, scheme or
            "internet-facing", loadbalancer_type, *args, **kwargs
        )  # fmt: skip
        zones = {subnet.availability_zone for subnet in made.subnets}
        if len(zones) < 2 or len(zones) != len(made.subnets):
            backend.load_balancers.pop(made.arn)
            raise InvalidConfigurationRequest(
                "At least two subnets in two different Availability Zones must be specified"
            )
        made.attrs = {**ATTRIBUTES, **made.attrs, "load_balancing.cross_zone.enabled": "true"}
        made.canonical_hosted_zone_id = HOSTED_ZONE
        made.nodes, made.made = [], 0
        try:
            with self._lock(made):
                self._match_subnets(made)
        except FAILURES as error:
            log.exception("create %s", name)
            self._remove(made)
            backend.load_balancers.pop(made.arn)
            raise _failure(error) from error
        made.state = "active"
        return made

    @hook(ELBv2Backend, "delete_load_balancer", "self, arn")
    def delete(self, original, backend, arn):
        balancer = backend.load_balancers.get(arn)
        if balancer and balancer.attrs.get("deletion_protection.enabled") == "true":
            raise ELBClientError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        original(backend, arn)
        if balancer:
            with self._lock(balancer):
                self._collect(balancer)
                self._flush(balancer)
                self._remove(balancer)
        self._uses(backend)

    @hook(ELBv2Backend, "set_subnets", "self, arn, subnets, subnet_mappings")
    def set_subnets(self, original, backend, arn, *args, **kwargs):
        zones = original(backend, arn, *args, **kwargs)
        balancer = backend.load_balancers[arn]
        try:
            with self._lock(balancer):
                self._match_subnets(balancer)
        except FAILURES as error:
            raise _failure(error) from error
        return zones

    @hook(ELBv2Backend, "set_security_groups", "self, arn, sec_groups")
    def set_groups(self, original, backend, arn, sec_groups):
        original(backend, arn, sec_groups)
        for host in backend.load_balancers[arn].nodes:
            self.appliances.set_groups(host, sec_groups)

    @hook(ELBv2Backend, "modify_load_balancer_attributes", "self, arn, attrs")
    def set_attributes(self, original, backend, arn, attrs):
        if attrs.get("access_logs.s3.enabled") == "true":
            bucket, prefix = (
                attrs.get(f"access_logs.s3.{key}", "") for key in ("bucket", "prefix")
            )
            found = self._s3().buckets.get(bucket)
            if found is None or not accesslog.may_deliver(found.policy, bucket, prefix):
                raise InvalidConfigurationRequest(
                    f"Access Denied for bucket: {bucket}. Please check S3bucket permission"
                )
        balancer = backend.load_balancers.get(arn)
        if balancer and attrs.get("access_logs.s3.enabled") == "false":
            with self._lock(balancer):
                self._collect(balancer)
                self._flush(balancer)
        result = original(backend, arn, attrs)
        self.apply()
        return result

    # what changes a configuration

    @hook(ELBv2Backend, "create_listener",
          "self, load_balancer_arn, protocol, port, ssl_policy, certificate, actions, "
          "alpn_policy, tags")  # fmt: skip
    def create_listener(self, original, backend, load_balancer_arn, protocol, port, ssl_policy,
                        certificate, actions, alpn_policy=None, tags=None):  # fmt: skip
        balancer = backend.load_balancers.get(load_balancer_arn)
        if balancer and any(int(each.port) == int(port) for each in balancer.listeners.values()):
            raise DuplicateListenerError()
        self._check_certificate(protocol, certificate)
        listener = original(
            backend, load_balancer_arn, protocol, port, ssl_policy, certificate, actions,
            alpn_policy, tags,
        )  # fmt: skip
        try:
            self.apply()
        except ELBClientError:
            balancer.listeners.pop(listener.arn)
            self._uses(backend)
            raise
        return listener

    @hook(ELBv2Backend, "modify_listener",
          "self, arn, port, protocol, ssl_policy, certificates, actions")  # fmt: skip
    @hook(ELBv2Backend, "delete_listener", "self, listener_arn")
    @hook(ELBv2Backend, "create_rule",
          "self, listener_arn, conditions, priority, actions, tags")  # fmt: skip
    @hook(ELBv2Backend, "modify_rule", "self, rule_arn, conditions, actions")
    @hook(ELBv2Backend, "delete_rule", "self, arn")
    @hook(ELBv2Backend, "set_rule_priorities", "self, rule_priorities")
    @hook(ELBv2Backend, "add_listener_certificates", "self, arn, certificates")
    @hook(ELBv2Backend, "remove_listener_certificates", "self, arn, certificates")
    @hook(ELBv2Backend, "modify_target_group",
          "self, arn, health_check_proto, health_check_port, health_check_path, "
          "health_check_interval, health_check_timeout, healthy_threshold_count, "
          "unhealthy_threshold_count, http_codes, health_check_enabled")  # fmt: skip
    @hook(ELBv2Backend, "modify_target_group_attributes", "self, target_group_arn, attributes")
    @hook(ELBv2Backend, "register_targets", "self, target_group_arn, instances")
    @hook(ELBv2Backend, "deregister_targets", "self, target_group_arn, instances")
    def change(self, original, backend, *args, **kwargs):
        result = original(backend, *args, **kwargs)
        self.apply()
        return result

    def apply(self) -> None:
        """Make every load balancer as the API says; an API error if one does not take it."""
        backend = self.cloud.backend("elbv2")
        self._uses(backend)
        try:
            for balancer in self.all():
                with self._lock(balancer):
                    self._configure(balancer)
        except FAILURES as error:
            raise _failure(error) from error

    # health

    @hook(FakeTargetGroup, "health_for", "self, target, ec2_backend")
    def health_for(self, original, group, target, ec2_backend):
        port = target.get("Port") or group.port
        seen = self.health(group, target["Id"])
        check_port = group.health_check_port
        return FakeHealthStatus(
            target["Id"],
            port,
            str(port) if check_port == "traffic-port" else check_port,
            seen.state,
            seen.reason,
            seen.description,
        )

    @hook(ELBv2Backend, "describe_target_health", "self, target_group_arn, targets")
    def describe_health(self, original, backend, target_group_arn, targets):
        group = backend.target_groups.get(target_group_arn)
        if group is None:
            raise TargetGroupNotFoundError()
        if not targets:
            left = {**group.deregistered_targets, **group.terminated_targets}
            targets = list(group.targets.values())
            targets += [
                each for name, each in left.items()
                if name not in group.targets and self.health(group, name) == health.DRAINING
            ]  # fmt: skip
        return original(backend, target_group_arn, targets)

    def health(self, group, target_id: str) -> Health:
        """What the nodes say of a target of moto's group."""
        nodes = [
            node
            for balancer in self.all()
            if balancer.arn in group.load_balancer_arns
            for node in self._nodes(balancer)
            if self._in_service(node.host)
        ]
        wanted = translate.group(group)
        if target_id not in group.targets:
            left = {**group.deregistered_targets, **group.terminated_targets}.get(target_id)
            draining = left is not None and any(
                (wanted.name, name) in node.servers()
                for node in nodes
                for name in self._names(target_id, left, group)
            )
            return health.DRAINING if draining else health.NOT_REGISTERED
        if not group.load_balancer_arns:
            return health.NOT_IN_USE
        target = next((each for each in self._targets(group) if each.id == target_id), None)
        if target is None:
            return health.STOPPED
        views = []
        for node in nodes:
            try:
                views.append(node.health(wanted, target, node.servers()))
            except FAILURES:
                continue  # the reconciler starts it again
        return health.combine(views)

    # what the cloud asks

    def adopt(self) -> list[str]:
        self.appliances.warm()
        said = []
        for balancer in self.all():
            # Attributes that it did not have when it was made.
            balancer.attrs = {**ATTRIBUTES, **balancer.attrs}
        known = {host.id for balancer in self.all() for host in balancer.nodes}
        said += [f"adopted load balancer {balancer.name}" for balancer in self.all()]
        for name, container in self.cloud.engine.containers().items():
            if container.labels.get("kind") == RECIPE.name and name not in known:
                self.cloud.engine.remove(name)
                self.cloud.storage.unmount_root(name, name)
                self.cloud.storage.delete(name)
                said.append(f"removed load balancer node {name}: the API does not know it")
        return said

    def reconcile(self) -> None:
        for balancer in self.all():
            lock = self._lock(balancer)
            if not lock.acquire(blocking=False):
                continue
            try:
                self._watch(balancer)
            except FAILURES as error:
                log.warning("%s: %s", balancer.name, error)
            finally:
                lock.release()

    def interfaces(self) -> list[Interface]:
        return [seen for host in self.hosts() if (seen := self.appliances.interface(host))]

    def hosts(self) -> list[Host]:
        return [host for balancer in self.all() for host in balancer.nodes]

    def names(self) -> dict[str, list[str]]:
        return {
            balancer.dns_name.lower(): [host.address for host in self._answering(balancer)]
            for balancer in self.all()
        }

    def public_names(self) -> dict[str, list[str]]:
        return {
            balancer.dns_name.lower(): [
                host.public_address for host in self._answering(balancer) if host.public_address
            ]
            for balancer in self.all()
        }

    def rows(self) -> list[Row]:
        return [self._row(each) for each in self.all()] + [
            self._group_row(each) for each in self.cloud.backend("elbv2").target_groups.values()
        ]

    def all(self) -> list:
        """The load balancers that have nodes."""
        found = list(self.cloud.backend("elbv2").load_balancers.values())
        return [each for each in found if getattr(each, "nodes", None)]

    # how

    def _row(self, balancer) -> Row:
        nodes = ", ".join(
            f"{host.id} in {host.zone}{'' if self._in_service(host) else ' (down)'}"
            for host in balancer.nodes
        )
        listeners = " ".join(f"{each.protocol}:{each.port}" for each in balancer.listeners.values())
        down = [host for host in balancer.nodes if not self._in_service(host)]
        return Row(
            id=balancer.name,
            kind="load balancer",
            name=listeners,
            state=balancer.state,
            address=" ".join([balancer.dns_name, *filter(None, self.public_names().get(
                balancer.dns_name.lower(), []))]),
            real=nodes,
            health="ok" if not down else f"{len(down)} of {len(balancer.nodes)} nodes down",
        )  # fmt: skip

    def _group_row(self, group) -> Row:
        states = [f"{each} {self.health(group, each).state}" for each in group.targets]
        healthy = sum(each.endswith(" healthy") for each in states)
        return Row(
            id=group.name,
            kind=f"target group {group.protocol}:{group.port}",
            name="",
            state="in use" if group.load_balancer_arns else "unused",
            address=f"{group.health_check_path or ''}",
            real=", ".join(states),
            health=f"{healthy} of {len(states)} healthy" if states else "no targets",
        )

    def _lock(self, balancer) -> threading.RLock:
        return self._locks.setdefault(balancer.arn, threading.RLock())

    def _nodes(self, balancer) -> list[Node]:
        return [
            Node(self.appliances, host, self._since.setdefault(host.id, {}))
            for host in balancer.nodes
        ]

    def _match_subnets(self, balancer) -> None:
        """A node in each subnet, and nowhere else."""
        wanted = {subnet.id: subnet for subnet in balancer.subnets}
        enis = self.cloud.backend("ec2").enis
        have = {enis[host.interface_id].subnet.id: host for host in balancer.nodes}
        new: list[Host] = []
        for subnet_id, subnet in wanted.items():
            if subnet_id not in have:
                balancer.made += 1
                new.append(self._host(balancer, subnet))
        balancer.nodes = [*balancer.nodes, *new]
        if new:
            model, certificates = self._model(balancer)
            with ThreadPoolExecutor(max_workers=4) as pool:
                list(
                    pool.map(
                        lambda node: node.start(model, certificates),
                        [node for node in self._nodes(balancer) if node.host in new],
                    )
                )
        for subnet_id, host in have.items():
            if subnet_id not in wanted:
                balancer.nodes = [each for each in balancer.nodes if each is not host]
                self.appliances.remove(host)
        self._configure(balancer)

    def _host(self, balancer, subnet) -> Host:
        identity = balancer.arn.split("/", 1)[1]
        return self.appliances.create(
            f"alb-{balancer.name}-{balancer.made}",
            subnet,
            list(balancer.security_groups),
            f"ELB {identity}",
            VOLUME,
            public=balancer.scheme != "internal",
        )

    def _remove(self, balancer) -> None:
        for host in balancer.nodes:
            receiver = self._logs.pop(host.id, None)
            if receiver:
                receiver.close()
            self._since.pop(host.id, None)
            self.appliances.remove(host)
        balancer.nodes = []

    def _configure(self, balancer) -> None:
        model, certificates = self._model(balancer)
        targets = {
            group.name: self._targets(group)
            for group in self.cloud.backend("elbv2").target_groups.values()
        }
        for node in self._nodes(balancer):
            if node.haproxy.ready():
                node.configure(model, certificates)
                node.sync(model, targets)

    def _model(self, balancer):
        backend = self.cloud.backend("elbv2")
        acm = self.cloud.service(Certificates)
        model = translate.balancer(balancer, backend.target_groups, acm.file_name)
        arns = {arn for each in balancer.listeners.values() for arn in each.certificates}
        return model, {acm.file_name(arn): acm.pem(arn) for arn in sorted(arns)}

    def _targets(self, group):
        backend = self.cloud.backend("ec2")

        def running(instance_id: str):
            instance = backend.get_instance_by_id(instance_id)
            return instance if instance and instance.state == "running" else None

        return translate.targets(group, running)

    def _names(self, target_id: str, target: dict, group) -> list[str]:
        """Names on the nodes of a target that is no longer registered."""
        instance = self.cloud.backend("ec2").get_instance_by_id(target_id)
        address = instance.private_ip if instance else target_id
        name = f"{address}:{target.get('Port') or group.port}"
        return [name, f"new:{name}"]

    def _uses(self, backend) -> None:
        """Which load balancers use a target group, which a certificate: moto only ever adds."""
        used: dict[str, list[str]] = {}
        certificates: dict[str, list[str]] = {}
        for balancer in backend.load_balancers.values():
            for listener in balancer.listeners.values():
                for arn in listener.certificates:
                    certificates.setdefault(arn, []).append(balancer.arn)
                for rule in listener.rules.values():
                    for action in rule.actions:
                        for arn in backend._get_target_group_arns_from(action.data):
                            used.setdefault(arn, []).append(balancer.arn)
        for group in backend.target_groups.values():
            group.load_balancer_arns = sorted(set(used.get(group.arn, [])))
        self.cloud.service(Certificates).used_by(
            {arn: sorted(set(users)) for arn, users in certificates.items()}
        )

    def _check_certificate(self, protocol: str, arn: str | None) -> None:
        if protocol == "HTTPS":
            if not arn:
                raise ELBClientError(
                    "CertificateNotFound", "A certificate must be specified for HTTPS listeners"
                )
            self.cloud.service(Certificates).check_usable(arn)

    def _answering(self, balancer) -> list[Host]:
        """Nodes whose addresses the DNS name has: all of them if none is in service."""
        return [host for host in balancer.nodes if self._in_service(host)] or balancer.nodes

    def _in_service(self, host: Host) -> bool:
        return self._silent.get(host.id, 0) < LOOKS

    def _watch(self, balancer) -> None:
        """Start nodes that died, see which answer, bring targets up and down, ship logs."""
        model, certificates = self._model(balancer)
        containers = self.cloud.engine.containers()
        for node in self._nodes(balancer):
            state = containers.get(node.host.id)
            if not state:
                log.warning("%s: node %s died: starting it", balancer.name, node.host.id)
                node.start(model, certificates)
            if balancer.listeners:
                port = model.listeners[0].port
                answers = self.appliances.answers(node.host, port)
                self._silent[node.host.id] = 0 if answers else self._silent.get(node.host.id, 0) + 1
            self._listen(node)
        self._configure(balancer)
        self._collect(balancer)

    # access logs

    def _listen(self, node: Node) -> None:
        if node.host.id not in self._logs:
            self._logs[node.host.id] = accesslog.receive(node.haproxy.directory / "log.sock")

    def _collect(self, balancer) -> None:
        if balancer.attrs.get("access_logs.s3.enabled") == "true":
            identity = balancer.arn.split("loadbalancer/", 1)[1]
            groups = {
                each.name: each.arn for each in self.cloud.backend("elbv2").target_groups.values()
            }
            certificates = {
                str(each.port): each.certificate or "-" for each in balancer.listeners.values()
            }
            for host, entry in self._records(balancer):
                self._lines.setdefault(host.id, []).append(
                    accesslog.line(entry, identity, groups, certificates.get(entry["port"], "-"))
                )
            since = self._flushed.setdefault(balancer.arn, time.monotonic())
            if time.monotonic() - since > accesslog.FLUSH_SECONDS:
                self._flush(balancer)
        else:
            for _ in self._records(balancer):
                """Nobody wants them."""

    def _records(self, balancer):
        for host in balancer.nodes:
            receiver = self._logs.get(host.id)
            while receiver:
                try:
                    entry = accesslog.record(receiver.recv(65536))
                except BlockingIOError:
                    break
                if entry:
                    yield host, entry

    def _flush(self, balancer) -> None:
        self._flushed[balancer.arn] = time.monotonic()
        bucket = balancer.attrs.get("access_logs.s3.bucket", "")
        identity = balancer.arn.split("loadbalancer/", 1)[1]
        for host in balancer.nodes:
            lines = self._lines.pop(host.id, [])
            if lines and bucket in self._s3().buckets:
                prefix = balancer.attrs.get("access_logs.s3.prefix", "")
                address = host.public_address or host.address
                key = accesslog.key(prefix, identity, address, datetime.now(UTC))
                self._s3().put_object(bucket, key, accesslog.packed(lines))

    def _s3(self):
        return self.cloud.backend("s3", "aws")


def _failure(error: Exception) -> ELBClientError:
    """The API error for a load balancer that could not be made or changed."""
    return ELBClientError("InternalFailure", str(error))
