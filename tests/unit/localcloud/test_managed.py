"""What services with hosts have in common, where no service's own tests show it."""

from pathlib import Path

import pytest

from localcloud.appliance import Recipe
from localcloud.services.managed import ManagedService


class Shops(ManagedService):
    """Resources are names; each is watched by being noted."""

    recipe = Recipe("shop", "shop-", (), Path("/nonexistent"), "amazon-shop")
    noun = "shop"

    def __init__(self, cloud):
        super().__init__(cloud)
        self.kept = ["a", "b"]
        self.watched = []

    def all(self):
        return list(self.kept)

    def name(self, resource):
        return resource

    def identity(self, resource):
        return resource

    def hosts_of(self, resource):
        return []

    def unfinished(self):
        return []

    def forget(self, resource):
        self.kept.remove(resource)

    def watch(self, resource):
        self.watched.append(resource)


@pytest.fixture
def shops(cloud):
    return Shops(cloud)


def test_what_went_in_the_middle_of_a_round_is_not_watched(shops, monkeypatch):
    lock = shops.lock

    def late(resource):
        if resource == "b" and "b" in shops.kept:
            shops.kept.remove("b")  # another call was faster
        return lock(resource)

    monkeypatch.setattr(shops, "lock", late)
    shops.reconcile()
    assert shops.watched == ["a"]


def test_what_is_dismissed_is_gone(shops):
    shops.dismiss("a")
    shops.reconcile()
    assert shops.watched == ["b"]
