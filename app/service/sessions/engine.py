"""Django's session engine over the store that settings name."""

import re

from django.contrib.sessions.backends.base import (
    VALID_KEY_CHARS,
    CreateError,
    SessionBase,
    UpdateError,
)
from django.utils.crypto import get_random_string

from service import sessions
from service.sessions import Kept

KEY = re.compile(r"[0-9a-z]{32}", re.ASCII)


# The name is part of what signs the data: with another one no session would be read any more.
class SessionStore(SessionBase):
    def __init__(self, session_key: str | None = None):
        self.store = sessions.current()
        super().__init__(session_key)

    def _validate_session_key(self, key: str | None) -> bool:
        """Anything may be in a cookie. What we never gave need not be looked for."""
        return bool(key and KEY.fullmatch(key))

    def _get_new_session_key(self) -> str:
        return get_random_string(32, VALID_KEY_CHARS)  # `create` finds out whether it is new

    def alive(self, key: str | None) -> Kept | None:
        kept = self.store.get(key) if key else None
        return None if kept is None or kept.gone else kept

    def load(self) -> dict:
        kept = self.alive(self.session_key)
        if kept is None:
            self._session_key = None
            return {}
        return self.decode(kept.data)

    def exists(self, session_key: str) -> bool:
        return self.alive(session_key) is not None

    def create(self) -> None:
        while True:
            self._session_key = self._get_new_session_key()
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            self.create()
            return
        data = self._get_session(no_load=must_create)
        expires = int(self.get_expiry_date().timestamp())
        kept = Kept(self.session_key, self.encode(data), expires)
        if must_create and not self.store.add(kept):
            raise CreateError
        if not must_create and not self.store.replace(kept):
            raise UpdateError

    def delete(self, session_key: str | None = None) -> None:
        kept = self.alive(session_key or self.session_key)
        if kept:
            self.store.bury(kept.ended())

    @classmethod
    def clear_expired(cls) -> None:
        sessions.current().clear_expired()
