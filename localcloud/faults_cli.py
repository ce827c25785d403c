"""`localcloud fault` and `localcloud heal`: ask the running local cloud."""

import json
import urllib.error
import urllib.request

from localcloud import client
from localcloud.faults import KINDS, FaultError
from localcloud.settings import Settings

SECONDS = 120


def add_verbs(verb) -> None:
    """Add both commands; ``verb`` is that of ``__main__``."""
    kinds = "; ".join(f"{kind}: {what}" for kind, what in KINDS.items())
    command = verb("fault", fault, False, "break something on purpose; `heal` undoes it")
    command.add_argument("kind", choices=KINDS, metavar="KIND", help=kinds)
    command.add_argument(
        "target",
        help="a host's id, Name or address; a zone; a database; dynamodb or a table; s3 or a "
        "bucket; a function; an Auto Scaling group; spot or an instance type",
    )
    command.add_argument("--rate", type=float, help="slow: Mbit/s (default 1)")
    command.add_argument("--delay", type=float, help="slow: milliseconds, if the kernel can")
    command.add_argument("--leave", type=int, help="fill-disk: MiB left free (default 0)")
    command.add_argument("--seconds", type=float, help="undo it by itself after so many")
    command = verb("heal", heal, False, "undo a fault, or all of them")
    command.add_argument("id", nargs="?", help="a fault that `status` lists")


def fault(settings: Settings, options) -> int:
    given = {
        name: value
        for name in ("rate", "delay", "leave", "seconds")
        if (value := getattr(options, name)) is not None
    }
    made = call(settings, "start", kind=options.kind, target=options.target, options=given)
    for each in made:
        print(f"{describe(each)}; undo it: python -m localcloud heal {each['id']}")
    if not made:
        print(f"{options.kind} {options.target}: done, there is nothing to undo")
    return 0


def heal(settings: Settings, options) -> int:
    healed = call(settings, "heal", id=options.id)
    for each in healed:
        print(f"healed {describe(each)}")
    if not healed:
        print("There are no faults.")
    return 0


def describe(fault: dict) -> str:
    """One line for people."""
    options = " ".join(f"{name}={value:g}" for name, value in fault["options"].items())
    return " ".join(filter(None, [fault["id"], fault["kind"], fault["target"], options]))


def call(settings: Settings, action: str, **arguments) -> list[dict]:
    """Do it in the running local cloud; return the faults made or healed."""
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{settings.endpoint}/_localcloud/faults",
        data=json.dumps({"action": action, **arguments}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with client.open(request, timeout=SECONDS) as reply:
            return json.load(reply)["faults"]
    except urllib.error.HTTPError as error:
        raise FaultError(json.load(error)["error"]) from error
    except OSError as error:
        raise FaultError(
            f"The local cloud is not up ({settings.endpoint}): run `python -m localcloud up`"
        ) from error
