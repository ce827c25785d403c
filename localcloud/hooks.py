"""Put our code around moto's: every changed symbol is named once and checked.

A service module marks its methods::

    @hook(InstanceBackend, "stop_instances", "self, instance_ids")
    def stop(self, original, backend, instance_ids): ...

``install`` replaces moto's function and fails at once when moto no longer has it with these
parameters, so a new moto version cannot silently take the reality from under a resource.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass


class HookError(RuntimeError):
    """moto lacks a symbol we change, or its parameters differ."""


@dataclass(frozen=True)
class Hook:
    """A change to moto: ``owner.name`` with ``parameters`` is wrapped by ``method``.

    With ``adds`` moto lacks it so far, and ``method`` is all there is.
    """

    owner: object
    name: str
    parameters: tuple[str, ...]
    method: Callable
    adds: bool = False

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"

    def check(self) -> None:
        original = getattr(self.owner, self.name, None)
        if self.adds:
            if original is not None:
                raise HookError(f"moto has {self} by now: drop ours")
            return
        if original is None:
            raise HookError(f"moto has no {self} any more")
        if isinstance(original, property):
            original = original.fget
        found = tuple(inspect.signature(inspect.unwrap(original)).parameters)
        if found != self.parameters:
            raise HookError(f"moto's {self} takes {found}, not {self.parameters}")


def hook(owner, name: str, parameters: str):
    """Mark a service's method to run in place of ``owner.name``, which it gets first."""
    names = tuple(word.strip() for word in parameters.split(",") if word.strip())

    def mark(method):
        hooks = getattr(method, "hooks", ())
        method.hooks = (*hooks, Hook(owner, name, names, method))
        return method

    return mark


def addition(owner, name: str, parameters: str):
    """Mark a service's method as ``owner.name``, which moto does not have."""
    names = tuple(word.strip() for word in parameters.split(",") if word.strip())

    def mark(method):
        method.hooks = (Hook(owner, name, names, method, adds=True),)
        return method

    return mark


def hooks_of(service) -> list[Hook]:
    """The hooks of a service's class (or object), inherited ones too, in the order written."""
    cls = service if isinstance(service, type) else type(service)
    methods = {}
    for each in reversed(cls.__mro__):
        methods.update(vars(each))
    return [found for method in methods.values() for found in getattr(method, "hooks", ())]


def install(service) -> Callable[[], None]:
    """Install a service's hooks; return what takes them out again."""
    undo = []
    for each in hooks_of(service):
        each.check()
        original = inspect.getattr_static(each.owner, each.name, None)
        setattr(each.owner, each.name, _replacement(each, service))
        undo.append((each.owner, each.name, original))

    def uninstall():
        for owner, name, original in reversed(undo):
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

    return uninstall


def _replacement(each: Hook, service):
    """What takes the place of moto's function, or of its property's getter."""
    if each.adds:
        return lambda *args, **kwargs: each.method(service, *args, **kwargs)
    original = getattr(each.owner, each.name)
    if isinstance(original, property):
        return property(_wrapper(each, service, original.fget), original.fset, original.fdel)
    return _wrapper(each, service, original)


def _wrapper(each: Hook, service, original):
    @functools.wraps(original)
    def wrapper(*args, **kwargs):
        return each.method(service, original, *args, **kwargs)

    return wrapper
