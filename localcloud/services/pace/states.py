"""A thing is shown on its way to where it is already, and refuses what it would refuse there."""

import copy
from datetime import datetime, timedelta

from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance, InstanceState
from moto.elbv2.models import FakeLoadBalancer
from moto.rds.responses import RDSResponse

from localcloud.calls import Call
from localcloud.errors import Refusal
from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.pace.pace import Pace
from localcloud.services.rds.databases import Databases

PENDING = timedelta(seconds=5)
PROVISIONING = timedelta(seconds=8)
CREATING = 12
# A database goes on being called available for a moment after it was told to change.
MODIFYING, UNNOTICED = 8, 2
SHOWN = {
    "StartInstances": ("pending", InstanceState("pending", 0)),
    "StopInstances": ("stopping", InstanceState("stopping", 64)),
    "TerminateInstances": ("shutting-down", InstanceState("shutting-down", 32)),
}
DATABASE_MADE = (
    "CreateDBInstance", "RestoreDBInstanceFromDBSnapshot", "RestoreDBInstanceToPointInTime",
    "CreateDBInstanceReadReplica",
)  # fmt: skip
DATABASE_CHANGED = ("ModifyDBInstance", "RebootDBInstance")
DATABASE_REFUSES = (
    *DATABASE_CHANGED, "StopDBInstance", "DeleteDBInstance", "CreateDBSnapshot",
    "RestoreDBInstanceToPointInTime", "CreateDBInstanceReadReplica",
)  # fmt: skip
INSTANCE_REFUSES = {
    "StopInstances": ("pending", "IncorrectInstanceState"),
    "AssociateAddress": ("pending", "InvalidInstanceID"),
    "StartInstances": ("stopping", "IncorrectInstanceState"),
    "ModifyInstanceAttribute": ("stopping", "IncorrectInstanceState"),
}


class States(Service):
    """What the API shows of instances, load balancers and databases that are new or change."""

    @property
    def _pace(self) -> Pace:
        return self.cloud.service(Pace)

    @hook(Instance, "instance_state", "self")
    def instance(self, original, instance):
        if self._pace.on:
            if instance.state == "running" and utcnow() - instance.launch_time < PENDING:
                return InstanceState("pending", 0)
            for word, state in SHOWN.values():
                if self._pace.recent.find(f"{word} {instance.id}"):
                    return copy.copy(state)
        return original(instance)

    @hook(FakeLoadBalancer, "load_balancer_state", "self")
    def balancer(self, original, balancer):
        made = datetime.fromisoformat(balancer.created_time).replace(tzinfo=None)
        if self._pace.on and utcnow() - made < PROVISIONING:
            return {"Code": "provisioning"}
        return original(balancer)

    @hook(RDSResponse, "create_db_instance", "self")
    @hook(RDSResponse, "restore_db_instance_from_db_snapshot", "self")
    @hook(RDSResponse, "restore_db_instance_to_point_in_time", "self")
    def new_database(self, original, response):
        answer = original(response)
        if self._pace.on:
            made = answer.result["DBInstance"] = copy.copy(answer.result["DBInstance"])
            made.status = "creating"
        return answer

    @hook(RDSResponse, "describe_db_instances", "self")
    def databases(self, original, response):
        answer = original(response)
        databases = self.cloud.service(Databases)
        found = [databases.shown(each) for each in answer.result["DBInstances"]]
        answer.result["DBInstances"] = list(map(self._shown, found)) if self._pace.on else found
        return answer

    def _shown(self, database):
        shown = copy.copy(database)
        name = database.db_instance_identifier
        shown.status = self._database(name) or database.status
        age = self._pace.recent.age(f"modifying {name}")
        if age is not None and age < UNNOTICED:
            shown.status = "available"
        return shown

    def _database(self, name: str) -> str | None:
        """What a database that is ready is said to be doing."""
        recent = self._pace.recent
        if recent.find(f"creating {name}"):
            return "creating"
        age = recent.age(f"modifying {name}")
        return "modifying" if age is not None and age >= UNNOTICED else None

    # what the API asks (`manners`)

    def check(self, call: Call) -> None:
        """Raise `Refusal` for a change to what is shown on its way."""
        if call.service == "rds" and call.operation in DATABASE_REFUSES:
            name = call.parameters.get("DBInstanceIdentifier") or ""
            name = call.parameters.get("SourceDBInstanceIdentifier") or name
            state = self._database(name)
            if state:
                raise Refusal(
                    (400, "InvalidDBInstanceState"),
                    f"Instance {name} is in state {state}, not in available state.",
                )
        if call.service == "ec2" and call.operation in INSTANCE_REFUSES:
            word, code = INSTANCE_REFUSES[call.operation]
            ids = call.parameters.get("InstanceIds") or [call.parameters.get("InstanceId")]
            for each in self.cloud.backend("ec2").all_instances():
                if each.id in ids and each.instance_state.name == word:
                    raise Refusal(
                        (400, code), f"The instance '{each.id}' is {word}: it cannot be changed so."
                    )

    def note(self, call: Call) -> None:
        """Remember what this call has begun."""
        recent = self._pace.recent
        if call.service == "ec2" and call.operation in SHOWN:
            for name in call.parameters["InstanceIds"]:
                for word, _ in SHOWN.values():
                    recent.forget(f"{word} {name}")
                recent.note(f"{SHOWN[call.operation][0]} {name}", PENDING.total_seconds())
        if call.service == "rds":
            name = call.parameters.get("DBInstanceIdentifier")
            name = call.parameters.get("TargetDBInstanceIdentifier") or name
            if call.operation in DATABASE_MADE:
                recent.note(f"creating {name}", CREATING)
            elif call.operation in DATABASE_CHANGED:
                recent.note(f"modifying {name}", MODIFYING)
        if call.service == "elbv2" and call.operation == "DeregisterTargets":
            self._deregistered(call.parameters)

    def _deregistered(self, parameters: dict) -> None:
        group = self.cloud.backend("elbv2").target_groups[parameters["TargetGroupArn"]]
        delay = float(group.attributes["deregistration_delay.timeout_seconds"])
        for target in parameters["Targets"] if group.load_balancer_arns else ():
            name = f"deregistered {group.arn} {target['Id']}"
            self._pace.recent.forget(name)
            self._pace.recent.note(name, delay)
