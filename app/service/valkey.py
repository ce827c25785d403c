"""The shared cache in Valkey (ElastiCache). It fails open: while it is away nothing is found in it
and nothing is kept, so pages are slower and none is an error.
"""

import json
import logging
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from threading import Lock
from time import monotonic
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ReadOnlyError, RedisError
from redis.retry import Retry

from service.errors import StoreUnavailable

log = logging.getLogger(__name__)

AWAY = (RedisError, OSError)
PAUSE = 2.0  # seconds in which nobody asks again, so that not every request waits as long
OPTIONS = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 0.5,
    "socket_keepalive": True,
    # Once, by another connection: a kept one may have been cut, or lead to what was the primary
    # before a failover and only reads now. The name leads to the new one. Never after a timeout.
    "retry": Retry(NoBackoff(), 1, (Disconnected,)),
    "retry_on_error": [ReadOnlyError],
}


class Json:
    """Not pickle: who can write in the cache must not be able to run anything here."""

    def dumps(self, value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class Client(RedisCacheClient):
    """The connections of one process, and whether they are worth trying."""

    def __init__(self, servers: tuple[str, ...]):
        super().__init__(servers, serializer=Json, **OPTIONS)
        self.lock, self.away_until = Lock(), 0.0

    def is_worth_trying(self) -> bool:
        if not self.away_until:
            return True
        with self.lock:
            if monotonic() < self.away_until:
                return False
            self.away_until = monotonic() + PAUSE  # one tries, the others go on without
            return True

    def failed(self, error: Exception) -> None:
        with self.lock:
            news = not self.away_until
            self.away_until = monotonic() + PAUSE
        for pool in list(self._pools.values()):  # what else is kept leads to the same place
            pool.disconnect(inuse_connections=False)
        if news:
            log.warning("The cache is away: %s", error, extra={"cause": type(error).__name__})

    def worked(self) -> None:
        if self.away_until:
            self.away_until = 0.0
            log.info("The cache is back.")

    def ask(self, do: Callable, *arguments: Any) -> Any:
        """Whatever is known of the cache; raises one of AWAY."""
        try:
            answer = do(*arguments)
        except AWAY as error:
            self.failed(error)
            raise
        self.worked()
        return answer


# Django makes a cache for each thread.
client = cache(Client)


class ValkeyCache(RedisCache):
    shared = True  # by all workers of all hosts

    @cached_property
    def _cache(self) -> Client:
        return client(tuple(self._servers))

    def unless_away(self, neutral: Any, do: Callable, *arguments: Any) -> Any:
        if not self._cache.is_worth_trying():
            return neutral
        try:
            return self._cache.ask(do, *arguments)
        except AWAY:
            return neutral

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        return self.unless_away(False, super().add, key, value, timeout, version)

    def get(self, key, default=None, version=None):
        return self.unless_away(default, super().get, key, default, version)

    def set(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        self.unless_away(None, super().set, key, value, timeout, version)

    def touch(self, key, timeout=DEFAULT_TIMEOUT, version=None):
        return self.unless_away(False, super().touch, key, timeout, version)

    def delete(self, key, version=None):
        return self.unless_away(False, super().delete, key, version)

    def get_many(self, keys, version=None):
        return self.unless_away({}, super().get_many, keys, version)

    def has_key(self, key, version=None):
        return self.unless_away(False, super().has_key, key, version)

    def set_many(self, data, timeout=DEFAULT_TIMEOUT, version=None):
        return self.unless_away(list(data), super().set_many, data, timeout, version)

    def delete_many(self, keys, version=None):
        self.unless_away(None, super().delete_many, keys, version)

    def clear(self):
        return self.unless_away(False, super().clear)

    def incr(self, key, delta=1, version=None):
        """No number would be true while the cache is away: raises StoreUnavailable."""
        if not self._cache.is_worth_trying():
            raise StoreUnavailable("The cache is away.")
        try:
            return self._cache.ask(super().incr, key, delta, version)
        except AWAY as error:
            raise StoreUnavailable(f"The cache is away: {error}") from error

    def insist(self, data: Mapping[str, Any], timeout: int) -> None:
        """Like set_many, and tried even when the cache was away a moment ago."""
        try:
            self._cache.ask(super().set_many, data, timeout)
        except AWAY as error:
            log.warning("The cache was not told of a change: %s", type(error).__name__)

    def check(self) -> None:
        """Raises one of AWAY, whatever was known of the cache."""
        self._cache.ask(self._cache.get_client(write=True).ping)
