"""Every symbol of moto that we change exists and takes what we expect: the contract with moto."""

import inspect
from types import SimpleNamespace

import pytest

from localcloud import hooks, services
from localcloud.hooks import Hook, HookError, addition, hook

ALL = [each for service in services.discover() for each in hooks.hooks_of(service)]


@pytest.mark.parametrize("each", ALL, ids=str)
def test_moto_has_what_we_change(each):
    each.check()


@pytest.mark.parametrize("each", [each for each in ALL if not each.adds], ids=str)
def test_the_method_takes_the_original_first(each):
    names = list(inspect.signature(each.method).parameters)
    assert names[:2] == ["self", "original"]


def test_no_symbol_is_changed_twice():
    names = [str(each) for each in ALL]
    assert len(names) == len(set(names))


class Owner:
    def greet(self, name):
        return f"hello {name}"

    @property
    def size(self):
        return 1


class Loud:
    @hook(Owner, "greet", "self, name")
    def greet(self, original, owner, name):
        return original(owner, name).upper()

    @hook(Owner, "size", "self")
    def bigger(self, original, owner):
        return original(owner) + 1


def test_install_wraps_functions_and_properties_and_takes_them_out_again():
    uninstall = hooks.install(Loud())
    assert (Owner().greet("you"), Owner().size) == ("HELLO YOU", 2)
    uninstall()
    assert (Owner().greet("you"), Owner().size) == ("hello you", 1)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [("gone", "self", "has no Owner.gone"), ("greet", "self, who", "takes")],
)
def test_a_changed_moto_is_refused(name, parameters, message):
    changed = Hook(Owner, name, tuple(parameters.split(", ")), lambda: None)
    with pytest.raises(HookError, match=message):
        changed.check()


class Wider:
    @addition(Owner, "leave", "self, name")
    def leave(self, owner, name):
        return f"bye {name}"


def test_what_moto_lacks_is_added_and_taken_away_again():
    uninstall = hooks.install(Wider())
    assert Owner().leave("you") == "bye you"
    with pytest.raises(HookError, match="by now: drop ours"):
        hooks.hooks_of(Wider)[0].check()
    uninstall()
    assert not hasattr(Owner, "leave")


def test_modules_can_be_hooked_too():
    module = SimpleNamespace(__name__="module", draw=lambda: 4)

    class Fixed:
        @hook(module, "draw", "")
        def draw(self, original):
            return original() + 1

    uninstall = hooks.install(Fixed())
    assert module.draw() == 5
    uninstall()
    assert module.draw() == 4
