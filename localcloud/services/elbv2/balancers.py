"""Load balancers and listeners as the API changes them, and the nodes that do the work."""

import inspect
import logging
from concurrent.futures import ThreadPoolExecutor

from moto.elbv2.exceptions import (
    DuplicateListenerError,
    ELBClientError,
    InvalidConfigurationRequest,
)
from moto.elbv2.models import ELBv2Backend

from localcloud.appliance import Host
from localcloud.hooks import hook
from localcloud.services.acm import Certificates
from localcloud.services.base import Row
from localcloud.services.elbv2 import accesslog, translate
from localcloud.services.elbv2.logs import AccessLogs
from localcloud.services.elbv2.node import RECIPE, VOLUME, Node
from localcloud.services.elbv2.refusals import check_actions
from localcloud.services.elbv2.traffic import Traffic
from localcloud.services.managed import FAILURES, ManagedService

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


class LoadBalancers(ManagedService):
    """Load balancers of type application."""

    recipe = RECIPE
    noun = "load balancer"

    def __init__(self, cloud):
        super().__init__(cloud)
        self._logs = AccessLogs(cloud)
        self._since: dict[str, dict[tuple, float]] = {}
        self._silent: dict[str, int] = {}

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
        groups = security_groups or [self._default_group(subnet_ids, subnet_mappings)]
        made = original(
            backend, name, groups, subnet_ids, subnet_mappings, scheme or
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
            with self.lock(made):
                self._match_subnets(made)
        except FAILURES as error:
            log.exception("create %s", name)
            self.dismiss(made)
            raise failure(error) from error
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
            with self.lock(balancer):
                self._logs.collect(balancer)
                self._logs.flush(balancer)
                self.remove(balancer)
        self._uses(backend)

    @hook(ELBv2Backend, "set_subnets", "self, arn, subnets, subnet_mappings")
    def set_subnets(self, original, backend, arn, *args, **kwargs):
        zones = original(backend, arn, *args, **kwargs)
        balancer = backend.load_balancers[arn]
        try:
            with self.lock(balancer):
                self._match_subnets(balancer)
        except FAILURES as error:
            raise failure(error) from error
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
            found = self.cloud.backend("s3", "aws").buckets.get(bucket)
            if found is None or not accesslog.may_deliver(found.policy, bucket, prefix):
                raise InvalidConfigurationRequest(
                    f"Access Denied for bucket: {bucket}. Please check S3bucket permission"
                )
        balancer = backend.load_balancers.get(arn)
        if balancer and attrs.get("access_logs.s3.enabled") == "false":
            with self.lock(balancer):
                self._logs.collect(balancer)
                self._logs.flush(balancer)
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
        check_actions(actions)
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
    @hook(ELBv2Backend, "create_rule",
          "self, listener_arn, conditions, priority, actions, tags")  # fmt: skip
    @hook(ELBv2Backend, "modify_rule", "self, rule_arn, conditions, actions")
    def act(self, original, backend, *args, **kwargs):
        said = inspect.signature(original).bind(backend, *args, **kwargs).arguments
        check_actions(said.get("actions") or [])
        return self.change(original, backend, *args, **kwargs)

    @hook(ELBv2Backend, "delete_listener", "self, listener_arn")
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
        refused = None
        for balancer in self.all():
            try:
                with self.lock(balancer):
                    self._configure(balancer)
            except FAILURES as error:
                refused = refused or error  # the others are not to wait for this one
        if refused:
            raise failure(refused) from refused

    # what the cloud asks

    def all(self) -> list:
        found = list(self.cloud.backend("elbv2").load_balancers.values())
        return [each for each in found if hasattr(each, "nodes")]

    def name(self, balancer) -> str:
        return balancer.name

    def identity(self, balancer) -> str:
        return balancer.arn

    def hosts_of(self, balancer) -> list[Host]:
        return getattr(balancer, "nodes", [])

    def host_names(self) -> dict[str, str]:
        return {
            f"elbv2:{balancer.name}:{host.zone}": host.id
            for balancer in self.all()
            for host in balancer.nodes
        }

    def unfinished(self) -> list:
        found = list(self.cloud.backend("elbv2").load_balancers.values())
        return [each for each in found if each.state == "provisioning"]

    def forget(self, balancer) -> None:
        self.cloud.backend("elbv2").load_balancers.pop(balancer.arn, None)

    def take_over(self, balancer) -> None:
        # Attributes that it did not have when it was made.
        balancer.attrs = {**ATTRIBUTES, **balancer.attrs}

    def remove(self, balancer) -> None:
        for host in self.hosts_of(balancer):
            self._logs.close(host)
            self._since.pop(host.id, None)
        super().remove(balancer)
        balancer.nodes = []

    def watch(self, balancer) -> None:
        """Start nodes that died, see which answer, bring targets up and down, ship logs."""
        model, certificates = self._model(balancer)
        containers = self.cloud.engine.containers()
        for node in self.nodes(balancer):
            state = containers.get(node.host.id)
            if not (state and state.running):
                log.warning("%s: node %s died: starting it", balancer.name, node.host.id)
                node.start(model, certificates)
            if balancer.listeners:
                port = model.listeners[0].port
                answers = self.appliances.answers(node.host, port)
                self._silent[node.host.id] = 0 if answers else self._silent.get(node.host.id, 0) + 1
            self._logs.listen(node)
        self._configure(balancer)
        self._logs.collect(balancer)

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
        return [self._row(each) for each in self.all()]

    # what the rest of load balancing asks

    def nodes(self, balancer) -> list[Node]:
        return [
            Node(self.appliances, host, self._since.setdefault(host.id, {}))
            for host in balancer.nodes
        ]

    @property
    def traffic(self) -> Traffic:
        """What all nodes have served."""
        return self._logs.traffic

    def in_service(self, host: Host) -> bool:
        """Whether it answered lately."""
        return self._silent.get(host.id, 0) < LOOKS

    # how

    def _row(self, balancer) -> Row:
        nodes = ", ".join(
            f"{host.id} in {host.zone}{'' if self.in_service(host) else ' (down)'}"
            for host in balancer.nodes
        )
        listeners = " ".join(f"{each.protocol}:{each.port}" for each in balancer.listeners.values())
        down = [host for host in balancer.nodes if not self.in_service(host)]
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
                        [node for node in self.nodes(balancer) if node.host in new],
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

    def _configure(self, balancer) -> None:
        model, certificates = self._model(balancer)
        targets = {
            group.name: running(self.cloud, group)
            for group in self.cloud.backend("elbv2").target_groups.values()
        }
        for node in self.nodes(balancer):
            if node.haproxy.ready():
                node.configure(model, certificates)
                node.sync(model, targets)

    def _model(self, balancer):
        backend = self.cloud.backend("elbv2")
        acm = self.cloud.service(Certificates)
        model = translate.balancer(balancer, backend.target_groups, acm.file_name)
        arns = {arn for each in balancer.listeners.values() for arn in each.certificates}
        return model, {acm.file_name(arn): acm.pem(arn) for arn in sorted(arns)}

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
            "elasticloadbalancing", {arn: sorted(set(users)) for arn, users in certificates.items()}
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
        return [host for host in balancer.nodes if self.in_service(host)] or balancer.nodes

    def _default_group(self, subnet_ids, subnet_mappings) -> str:
        """The VPC's default security group, which AWS takes when none is named."""
        ec2 = self.cloud.backend("ec2")
        first = [*subnet_ids, *(each["SubnetId"] for each in subnet_mappings or [])][0]
        return ec2.get_default_security_group(ec2.get_subnet(first).vpc_id).id


def running(cloud, group) -> tuple:
    """The targets of moto's ``group`` that can get requests."""
    backend = cloud.backend("ec2")

    def find(instance_id: str):
        instance = backend.get_instance_by_id(instance_id)
        return instance if instance and instance.state == "running" else None

    return translate.targets(group, find)


def failure(error: Exception) -> ELBClientError:
    """The API error for a load balancer that could not be made or changed."""
    return ELBClientError("InternalFailure", str(error))
