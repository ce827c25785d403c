"""Target groups, and what the nodes say of the targets in them."""

from moto.elbv2.exceptions import TargetGroupNotFoundError
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.elbv2 import health, translate
from localcloud.services.elbv2.balancers import LoadBalancers, running
from localcloud.services.elbv2.health import Health
from localcloud.services.managed import FAILURES
from localcloud.services.pace.pace import Pace


class TargetGroups(Service):
    """A target is as healthy as the nodes of its load balancers see it."""

    @property
    def _balancers(self) -> LoadBalancers:
        return self.cloud.service(LoadBalancers)

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
            for balancer in self._balancers.all()
            if balancer.arn in group.load_balancer_arns
            for node in self._balancers.nodes(balancer)
            if self._balancers.in_service(node.host)
        ]
        wanted = translate.group(group)
        if target_id not in group.targets:
            left = {**group.deregistered_targets, **group.terminated_targets}.get(target_id)
            draining = left is not None and (
                self.cloud.service(Pace).deregisters(group, target_id)
                or any(
                    (wanted.name, name) in node.servers()
                    for node in nodes
                    for name in self._names(target_id, left, group)
                )
            )
            return health.DRAINING if draining else health.NOT_REGISTERED
        if not group.load_balancer_arns:
            return health.NOT_IN_USE
        target = next((each for each in running(self.cloud, group) if each.id == target_id), None)
        if target is None:
            return health.STOPPED
        views = []
        for node in nodes:
            try:
                views.append(node.health(wanted, target, node.servers()))
            except FAILURES:
                continue  # the reconciler starts it again
        return health.combine(views)

    def rows(self) -> list[Row]:
        return [self._row(each) for each in self.cloud.backend("elbv2").target_groups.values()]

    # how

    def _row(self, group) -> Row:
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

    def _names(self, target_id: str, target: dict, group) -> list[str]:
        """Names on the nodes of a target that is no longer registered.

        None when another one has its address by now.
        """
        instance = self.cloud.backend("ec2").get_instance_by_id(target_id)
        address = instance.private_ip if instance else target_id
        name = f"{address}:{target.get('Port') or group.port}"
        if name in {each.name for each in running(self.cloud, group)}:
            return []
        return [name, f"new:{name}"]
