"""The cloud of tests/cloud, for tests that kill it."""

from cloud.conftest import cloud, pytest_configure, pytest_unconfigure, site

__all__ = ["cloud", "pytest_configure", "pytest_unconfigure", "site"]
