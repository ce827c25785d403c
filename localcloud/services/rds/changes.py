"""Changes of DB instances that take long: they go on behind ModifyDBInstance.

The call answers `modifying` with the values that wait in PendingModifiedValues, as on AWS. What is
being changed is kept on moto's object; after a crash it is begun again, as every step may be.
"""

import copy
import logging

from moto.rds.exceptions import RDSClientError

from localcloud.services.managed import FAILURES

log = logging.getLogger("localcloud.rds")

# By moto's name for them: the attribute that has the value, and AWS's name.
LONG = {
    "allocated_storage": ("allocated_storage", "AllocatedStorage"),
    "db_instance_class": ("db_instance_class", "DBInstanceClass"),
    "multi_az": ("multi_az", "MultiAZ"),
    "db_port_number": ("port", "Port"),
}


class Changes:
    """What is being changed behind the calls. Its users hold the database's lock."""

    def __init__(self, databases):
        self.databases = databases

    def take(self, database, changes: dict) -> dict:
        """Take what takes long out of ``changes``; what is so already is no change."""
        taken = {name: changes.pop(name) for name in LONG if name in changes}
        return {
            name: value
            for name, value in taken.items()
            if str(value) != str(getattr(database, LONG[name][0]))
        }

    def begin(self, database, changes: dict):
        """Return what the call answers: the database as it is now."""
        database.changing = changes
        database.pending_modified_values = {
            **database.pending_modified_values,
            **{LONG[name][1]: value for name, value in changes.items()},
        }
        database.status = "modifying"
        answer = copy.copy(database)
        self.go_on(database)
        return answer

    def waits(self, database) -> bool:
        return bool(getattr(database, "changing", None))

    def take_over(self, database) -> None:
        """After a restart: the watch goes on with what was cut off."""
        if self.waits(database):
            database.status = "modifying"

    def shown(self, database):
        """As the API shows it: what is being changed is as it was until it is done."""
        before = getattr(database, "unchanged", {})
        if not before:
            return database
        shown = copy.copy(database)
        for attribute, value in before.items():
            setattr(shown, attribute, value)
        return shown

    def go_on(self, database) -> None:
        """Unless it does. The watch comes by every second."""
        key = f"{self.databases.identity(database)}: change"
        self.databases.work(key, lambda: self._change(database))

    def _change(self, database) -> None:
        with self.databases.lock(database):
            if not any(each is database for each in self.databases.all()):
                return  # deleted meanwhile
            changes = getattr(database, "changing", {})
            try:
                with self.databases.busy(database, "modifying"):
                    self._make(database, changes)
            except (RDSClientError, *FAILURES) as error:
                log.warning("%s: %s: %s", self.databases.name(database), changes, error)
                database.add_event("CHANGE_FAILED")
                database.backend.events[-1].message += f": {error}"
                database.deferred = {**getattr(database, "deferred", {}), **changes}
            else:
                done = {LONG[name][1] for name in changes}
                database.pending_modified_values = {
                    name: value
                    for name, value in database.pending_modified_values.items()
                    if name not in done
                }
            finally:
                database.changing = database.unchanged = {}

    def _make(self, database, changes: dict) -> None:
        if not self.databases.appliances.running(database.deployment.primary):
            self.databases.cluster(database).start()  # a crash came between stop and start
        self.databases.apply(database, changes)
        before = dict(getattr(database, "unchanged", {}))  # what a crash has cut off has some
        for name, value in changes.items():
            attribute = LONG[name][0]
            before.setdefault(attribute, getattr(database, attribute))
            database.unchanged = dict(before)
            setattr(database, attribute, type(before[attribute])(value))
        before.pop("allocated_storage", None)  # no volume shrinks
        try:
            self.databases.complete(database, changes)
        except BaseException:
            for attribute, value in before.items():
                setattr(database, attribute, value)
            raise
