"""Whether AWS's manners were asked for, and what other services ask of what is late."""

from localcloud.services.base import Service
from localcloud.services.pace.recent import Recent

ZONE = 6


class Pace(Service):
    """``on`` is false unless `LOCALCLOUD_PACE` says so: then nothing is late."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.on = cloud.settings.pace is not None
        self.recent = Recent()

    def policies(self, role) -> tuple[dict, dict]:
        """Inline and managed policies of a role as they are known everywhere."""
        event = self.recent.find(f"policies {role.id}")
        return event.before if event else (role.policies, role.managed_policies)

    def records(self, zone) -> list:
        """A hosted zone's records as all its name servers have them."""
        event = self.recent.find(f"zone {zone.id}")
        return event.before if event else zone.rrsets

    def changed(self, zone, before: list) -> None:
        """A zone has other records than ``before``, which its name servers go on answering."""
        if self.on:
            self.recent.note(f"zone {zone.id}", ZONE, before)

    def spreads(self) -> bool:
        """Whether a change to a zone has not reached all its name servers."""
        return self.recent.any("zone ")

    def deregisters(self, group, target_id: str) -> bool:
        """Whether the delay of a target that was taken out of a target group is not over."""
        return self.recent.find(f"deregistered {group.arn} {target_id}") is not None
