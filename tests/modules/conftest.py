"""The cloud of tests/cloud and the variables of its plays, for modules that take a while."""

from cloud.conftest import cloud, pytest_configure, pytest_unconfigure, site
from cloud.test_modules import variables

__all__ = ["cloud", "pytest_configure", "pytest_unconfigure", "site", "variables"]
