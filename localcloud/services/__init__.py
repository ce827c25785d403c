"""One module or package per AWS service; each defines subclasses of ``base.Service``.

A new one in this directory is found by itself: nothing else needs to know its name.
"""

import importlib
import inspect
import pkgutil

from localcloud.services.base import Service


def discover() -> list[type[Service]]:
    """Every service class of every module below here, in the order of the modules' names."""
    found = []
    modules = pkgutil.walk_packages(__path__, f"{__name__}.")
    for name in sorted(each.name for each in modules):
        module = importlib.import_module(name)
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Service)
            and value.__module__ == module.__name__
            and value is not Service
            and not inspect.isabstract(value)
        ]
    return found
