"""What has to be in the environment before settings.py reads it.

Secrets are not: a function's variables can be read by many who may not read its parameters. The
variable `SECRET_KEY_PARAMETER` says which parameter of SSM is `SECRET_KEY`, and so does each that
ends so; of several names, with commas between, the values come with commas between.
"""

import os
from collections.abc import Iterable, MutableMapping
from itertools import batched
from pathlib import Path

SUFFIX = "_PARAMETER"
AT_ONCE = 10  # parameters that SSM tells at once
PACKAGE = Path(__file__).parents[2]


def complete(environ: MutableMapping[str, str] = os.environ) -> None:
    """Add what the variables name, and where the package has what a host has elsewhere."""
    wanted = {
        variable.removesuffix(SUFFIX): names.split(",")
        for variable, names in environ.items()
        if variable.endswith(SUFFIX)
    }
    found = parameters({name for names in wanted.values() for name in names})
    for variable, names in wanted.items():
        environ[variable] = ",".join(found[name] for name in names)
    environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    environ.setdefault("STATIC_ROOT", str(PACKAGE / "static"))
    environ.setdefault("BACKGROUND", "false")


def parameters(names: Iterable[str]) -> dict[str, str]:
    """Values by name. Raises LookupError for those that are not there."""
    found, missing = {}, []
    for some in batched(sorted(names), AT_ONCE):
        answer = client().get_parameters(Names=list(some), WithDecryption=True)
        found |= {each["Name"]: each["Value"] for each in answer["Parameters"]}
        missing += answer.get("InvalidParameters", [])
    if missing:
        raise LookupError(f"There are no parameters {', '.join(missing)}")
    return found


def client():
    import boto3
    from botocore.config import Config

    # A function has ten seconds to start.
    patience = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 3})
    return boto3.client("ssm", config=patience)
