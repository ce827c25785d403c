"""The cloud of tests/cloud and the variables of its plays, for modules that take a while."""

from cloud.conftest import cloud, site
from cloud.test_modules import variables

__all__ = ["cloud", "site", "variables"]
