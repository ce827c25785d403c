"""DB parameter groups and DB subnet groups."""

from moto.core.responses import ActionResult
from moto.rds.exceptions import (
    DBParameterGroupNotFoundError,
    DBSubnetGroupNotFoundError,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import DBInstance, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.hooks import hook
from localcloud.services.base import Service
from localcloud.services.managed import FAILURES
from localcloud.services.rds import parameters
from localcloud.services.rds.databases import Databases
from localcloud.services.rds.parameters import ParameterError
from localcloud.services.rds.refusals import failure


class Groups(Service):
    """What databases share: their parameters, and the subnets they may be in."""

    @property
    def _databases(self) -> Databases:
        return self.cloud.service(Databases)

    @hook(RDSBackend, "create_db_parameter_group", "self, db_parameter_group_kwargs")
    def create_group(self, original, backend, db_parameter_group_kwargs):
        family = db_parameter_group_kwargs.get("db_parameter_group_family")
        if family and family != parameters.FAMILY:
            raise InvalidParameterValue(
                f"This local cloud runs PostgreSQL 17: the family is {parameters.FAMILY}, "
                f"not {family}."
            )
        return original(backend, db_parameter_group_kwargs)

    @hook(RDSBackend, "modify_db_parameter_group",
          "self, db_parameter_group_name, db_parameter_group_parameters")  # fmt: skip
    def modify_parameters(self, original, backend, db_parameter_group_name,
                          db_parameter_group_parameters):  # fmt: skip
        if db_parameter_group_name.startswith("default."):
            raise InvalidParameterValue(
                f"You can't modify a default parameter group: {db_parameter_group_name}"
            )
        wanted = list(db_parameter_group_parameters)
        refused = []
        for each in wanted:
            try:
                parameters.check(
                    each["ParameterName"],
                    each.get("ParameterValue", ""),
                    each.get("ApplyMethod", "pending-reboot"),
                )
            except ParameterError as error:
                refused.append(str(error))
        if refused:
            raise RDSClientError("InvalidParameterValue", "; ".join(refused))
        group = original(backend, db_parameter_group_name, wanted)
        self._group_changed(group)
        return group

    @hook(RDSResponse, "describe_db_parameters", "self")
    def describe_parameters(self, original, response):
        name = response.params.get("DBParameterGroupName")
        group = response.backend.db_parameter_groups.get(name)
        if group is None and name != f"default.{parameters.FAMILY}":
            raise DBParameterGroupNotFoundError(name)
        if group is not None and group.family != parameters.FAMILY:
            return original(response)
        rows = parameters.describe(group.parameters if group else {})
        source = response.params.get("Source")
        return ActionResult(
            {"Parameters": [row for row in rows if not source or row["Source"] == source]}
        )

    @hook(RDSBackend, "describe_db_parameter_groups", "self, db_parameter_group_kwargs")
    def describe_groups(self, original, backend, db_parameter_group_kwargs):
        found = original(backend, db_parameter_group_kwargs)
        name = db_parameter_group_kwargs.get("db_parameter_group_name")
        if name and not found:
            raise DBParameterGroupNotFoundError(name)
        return found

    @hook(RDSBackend, "delete_db_parameter_group", "self, db_parameter_group_name")
    def delete_group(self, original, backend, db_parameter_group_name):
        if any(each.db_parameter_group_name == db_parameter_group_name
               for each in backend.databases.values()):  # fmt: skip
            raise RDSClientError(
                "InvalidDBParameterGroupState",
                "One or more database instances are still members of this parameter group "
                f"{db_parameter_group_name}, so the group cannot be deleted",
            )
        return original(backend, db_parameter_group_name)

    @hook(DBInstance, "db_parameter_group_status_list", "self")
    def group_status(self, original, database):
        """moto says in-sync whatever is true."""
        groups = original(database)
        if hasattr(database, "deployment") and self._databases.cluster(database).pending_reboot():
            for group in groups:
                group.ParameterApplyStatus = "pending-reboot"
        return groups

    @hook(RDSBackend, "modify_db_subnet_group", "self, subnet_name, description, subnets")
    def modify_subnets(self, original, backend, subnet_name, description, subnets):
        if subnet_name not in backend.subnet_groups:
            raise DBSubnetGroupNotFoundError(subnet_name)
        group = original(backend, subnet_name, description, subnets)
        backend.subnet_groups[subnet_name] = group  # moto forgets it
        return group

    @hook(RDSBackend, "delete_subnet_group", "self, subnet_name")
    def delete_subnets(self, original, backend, subnet_name):
        if any(each._db_subnet_group_name == subnet_name for each in backend.databases.values()):
            raise RDSClientError(
                "InvalidDBSubnetGroupStateFault",
                f"Cannot delete the subnet group '{subnet_name}' because at least one database "
                "instance is still using it.",
            )
        return original(backend, subnet_name)

    # how

    def _group_changed(self, group) -> None:
        for database in self._databases.all():
            if database.db_parameter_group_name == group.name and database.status == "available":
                with self._databases.lock(database):
                    try:
                        self._databases.cluster(database).apply_parameters()
                    except FAILURES as error:
                        raise failure(error) from error
