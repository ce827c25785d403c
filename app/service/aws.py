"""Clients of AWS. Only what settings ask for imports this, and boto3 with it.

Credentials and the endpoint are botocore's own affair (AWS_CONFIG_FILE, AWS_ENDPOINT_URL).
"""

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


# Made by each worker for itself, when it first needs one: connections do not survive a fork.
@cache
def client(service: str):
    return Session(region_name=settings.AWS_REGION or None).client(service, config=PATIENCE)
