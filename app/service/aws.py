"""Clients of AWS. Only what settings ask for imports this, and boto3 with it.

Credentials and the endpoint are botocore's own affair (AWS_CONFIG_FILE, AWS_ENDPOINT_URL).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from boto3.session import Session
from botocore.config import Config
from django.conf import settings

# A visitor waits meanwhile, and is told to come again rather than kept.
PATIENCE = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    tcp_keepalive=True,
)
# Nobody waits for a command that moves everything: it had better go on than begin anew.
OF_COMMANDS = PATIENCE.merge(
    Config(read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5})
)
patience = PATIENCE


# Made by each worker for itself, when it first needs one: connections do not survive a fork.
@cache
def client(service: str):
    return Session(region_name=settings.AWS_REGION or None).client(service, config=patience)


@contextmanager
def patient() -> Iterator[None]:
    """Clients of a process that does one thing, and may take its time."""
    global patience
    patience = OF_COMMANDS
    client.cache_clear()
    try:
        yield
    finally:
        patience = PATIENCE
        client.cache_clear()
