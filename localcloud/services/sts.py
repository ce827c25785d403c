"""STS: sessions of roles last as long as they may, and are forgotten some time after their end."""

from datetime import timedelta

from moto.core.utils import utcnow
from moto.sts.exceptions import STSValidationError
from moto.sts.responses import TokenResponse

from localcloud.hooks import hook
from localcloud.services.base import Service

CHAINED = 3600  # a session of a role that takes on another one
REMEMBERED = timedelta(hours=1)  # after its end a session's key is still known, as expired


class Sts(Service):
    """Sessions of roles; `localcloud.identity` says who may have one, and what it may do."""

    @hook(TokenResponse, "assume_role", "self")
    def assume(self, original, response):
        """moto takes any length."""
        seconds = response._get_int_param("DurationSeconds", CHAINED)
        roles = self.cloud.backend("iam", "aws").roles.values()
        arn = response._get_param("RoleArn")
        role = next((each for each in list(roles) if each.arn == arn), None)
        longest = int(getattr(role, "max_session_duration", None) or CHAINED)
        if seconds > longest:
            raise STSValidationError(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        caller = response.get_access_key()
        if seconds > CHAINED and any(each.access_key_id == caller for each in self._sessions()):
            raise STSValidationError(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                "assumed by role chaining."
            )
        return original(response)

    def reconcile(self) -> None:
        """moto would keep every session of every host for ever."""
        old = utcnow() - REMEMBERED
        gone = [each for each in self._sessions() if each.expiration < old]
        keys = self.cloud.backend("iam", "aws").access_keys
        for each in gone:
            self._sessions().remove(each)
            keys.pop(each.access_key_id, None)

    def _sessions(self) -> list:
        return self.cloud.backend("sts", "aws").assumed_roles
