"""The cloud of tests/cloud, for tests that kill it."""

from cloud.conftest import cloud, site

__all__ = ["cloud", "site"]
