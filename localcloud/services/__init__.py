"""One module per AWS service; each defines subclasses of :class:`localcloud.services.base.Service`.

A new module in this directory is found by itself: nothing else needs to know its name.
"""

import importlib
import pkgutil

from localcloud.services.base import Service


def discover() -> list[type[Service]]:
    """Every service class of every module here, in the order of the modules' names."""
    found = []
    for module_info in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Service)
            and value.__module__ == module.__name__
            and value is not Service
        ]
    return found
