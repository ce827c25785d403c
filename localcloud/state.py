"""What the API knows, kept on disk: moto holds everything in memory.

After every change all of moto's backends are pickled as one graph (a few milliseconds and some
ten kilobytes) and replace the file before the change is answered. So neither a process that is
killed nor a machine that loses its power forgets what was acknowledged. The generation before is
kept: it is used when the newest cannot be read. What there may be thousands of is not in the file
but on `shelves`.
"""

import hashlib
import io
import logging
import os
import threading
import weakref
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import cloudpickle
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from moto.backends import get_backend
from moto.core.base_backend import BackendDict, BaseBackend
from moto.iam.models import ManagedPolicy

from localcloud.settings import ACCOUNT, REGION
from localcloud.shelves import Shelf

log = logging.getLogger("localcloud.state")

# Resources live here; moto makes the other regions and partitions on its own, the same each time.
PLACES = (REGION, "aws", "global")
AWS_POLICY = "arn:aws:iam::aws:policy/"
KEY_TYPES = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)


HEAD = b"localcloud state %d\n"  # what a file begins with; those of schema 1 had no head
SCHEMA = 2
# Classes that files up to a schema call by another name: (module, class) to what they are now.
MOVED = {
    ("localcloud.services.functions.invocations", "Event"): (
        "localcloud.services.functions.events", "Event",
    ),
    ("localcloud.services.s3", "ObjectFile"): ("localcloud.services.s3.files", "ObjectFile"),
}  # fmt: skip


class StateError(RuntimeError):
    """The saved state cannot be read by this version."""


class _Unreadable(Exception):
    """A file is damaged."""


saving = threading.local()  # .now is true in the thread that writes the state


class State:
    """The file, and what was last written to it."""

    def __init__(self, path: Path):
        self.path = path
        self.previous = path.with_suffix(".previous")
        self._written = b""
        self._unsavable: set[tuple[str, str]] = set()

    def save(self) -> None:
        """Write the state if it changed."""
        data = self._dump()
        digest = hashlib.blake2b(data).digest()
        if digest == self._written:
            return
        part = self.path.with_suffix(".part")
        part.touch(mode=0o600)
        with part.open("wb") as file:
            file.write(HEAD % SCHEMA + data)
            file.flush()
            os.fsync(file.fileno())
        if self.path.exists():
            # linked, not moved: there is a newest file at every moment
            older = self.path.with_suffix(".older")
            older.unlink(missing_ok=True)
            os.link(self.path, older)
            older.rename(self.previous)
        part.rename(self.path)
        sync_directory(self.path.parent)
        self._written = digest

    def load(self) -> list[str]:
        """Fill moto's backends from the file, and say what was wrong with it."""
        if not self.path.exists() and not self.previous.exists():
            return []
        said = []
        try:
            saved = _read(self.path)
        except _Unreadable as error:
            if not self.previous.exists():
                raise StateError(str(error)) from error
            try:
                saved = _read(self.previous)
            except _Unreadable:
                raise StateError(str(error)) from error
            if self.path.exists():
                self.path.rename(self.path.with_suffix(".unreadable"))
            self.previous.rename(self.path)
            said = [
                f"took the state before the last change: the newest cannot be read ({error}); "
                f"it is kept as {self.path.with_suffix('.unreadable').name}"
            ]
        for (service, place), attributes in saved["backends"].items():
            get_backend(service)[ACCOUNT][place].__dict__.update(attributes)
        if saved["policies"] is not None:
            own, attachments = saved["policies"]
            policies = get_backend("iam")[ACCOUNT]["aws"].managed_policies
            policies.update(own)
            for arn, count in attachments.items():
                policies[arn].attachment_count = count
        return said

    def _dump(self) -> bytes:
        for _ in range(50):
            backends = {
                key: _attributes(backend)
                for key, backend in _backends().items()
                if key not in self._unsavable
            }
            saved = {
                "moto": version("moto"),
                "backends": backends,
                "policies": _policies(),
            }
            try:
                return pickled(saved)
            except RuntimeError:
                continue  # another request changed a dictionary meanwhile
            except Exception:
                if not self._exclude(backends):
                    raise
        raise RuntimeError("the API's state does not hold still")

    def _exclude(self, backends: dict) -> bool:
        """Leave out backends that cannot be pickled, and say so; False when all can be."""
        found = False
        for key, attributes in backends.items():
            try:
                pickled(attributes)
            except RuntimeError:
                continue
            except Exception as error:
                log.warning("%s is not kept over a restart: %s", key[0], error)
                self._unsavable.add(key)
                found = True
        return found


def pickled(value) -> bytes:
    """``value`` as the state keeps it: backends and AWS's policies by name."""
    buffer = io.BytesIO()
    saving.now = True
    try:
        _Pickler(buffer).dump(value)
    finally:
        saving.now = False
    return buffer.getvalue()


def unpickled(data: bytes):
    return _Unpickler(io.BytesIO(data)).load()


def sync_directory(path: Path) -> None:
    """Put names on the disk, after files were made or renamed."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(path: Path) -> dict:
    """What a file holds; `_Unreadable` when it is damaged, `StateError` when it is another's."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _Unreadable(str(error)) from error
    if data.startswith(HEAD.split(b"%")[0]):
        head, _, data = data.partition(b"\n")
        schema = int(head.split()[-1])
        if schema > SCHEMA:
            raise StateError(f"it has schema {schema}, and this version knows up to {SCHEMA}")
    try:
        saved = unpickled(data)
        made_by = saved["moto"]
    except Exception as error:  # whatever unpickling trips over
        raise _Unreadable(f"{type(error).__name__}: {error}") from error
    if made_by != version("moto"):
        raise StateError(f"it was saved by moto {made_by}")
    return saved


def _backends() -> dict[tuple[str, str], BaseBackend]:
    """moto's backends that exist, by service and region (or partition)."""
    return {
        (each.service_name, place): backend
        for each in list(BackendDict._instances)
        for account, regions in list(dict.items(each))
        if account == ACCOUNT
        for place, backend in list(dict.items(regions))
        if place in PLACES
    }


def _attributes(backend: BaseBackend) -> dict:
    """What to save of a backend; AWS's thousand managed policies come with moto."""
    return {
        name: value
        for name, value in vars(backend).items()
        if name not in ("managed_policies", "aws_managed_policies")
    }


def _policies() -> tuple[dict[str, ManagedPolicy], dict[str, int]] | None:
    """The account's own managed policies, and how often each of AWS's is attached."""
    iam = _backends().get(("iam", "aws"))
    if iam is None:
        return None
    own, attachments = {}, {}
    for arn, policy in iam.managed_policies.items():
        if not arn.startswith(AWS_POLICY):
            own[arn] = policy
        elif policy.attachment_count:
            attachments[arn] = policy.attachment_count
    return own, attachments


class _Pickler(cloudpickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, BaseBackend):
            return ("backend", _service(value), value.account_id, value.region_name)
        if isinstance(value, ManagedPolicy) and value.arn.startswith(AWS_POLICY):
            return ("policy", value.arn)
        return None

    def reducer_override(self, value):
        if isinstance(value, Shelf):
            return type(value), (value.uid,)  # its entries are rows of the database
        if isinstance(value, KEY_TYPES):
            return _private_key, (_der(value),)
        if isinstance(value, x509.Certificate):
            encoded = value.public_bytes(serialization.Encoding.DER)
            return _certificate, (encoded,)
        if isinstance(value, _LOCK):
            return threading.Lock, ()
        if isinstance(value, _RLOCK):
            return threading.RLock, ()
        if isinstance(value, defaultdict) and type(value) is not defaultdict:
            # pickle would call the class with the factory alone, which moto's own do not take
            state = (value.default_factory, vars(value))
            return _bare, (type(value),), state, None, iter(dict.items(value)), _set_default
        if isinstance(value, weakref.ref):
            return _reference, (value(),)
        return super().reducer_override(value)


class _Unpickler(cloudpickle.pickle.Unpickler):
    def find_class(self, module, name):
        return super().find_class(*MOVED.get((module, name), (module, name)))

    def persistent_load(self, identity):
        kind, *words = identity
        if kind == "policy":
            return get_backend("iam")[ACCOUNT]["aws"].managed_policies[words[0]]
        service, account, place = words
        return get_backend(service)[account][place]


_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())


def _service(backend: BaseBackend) -> str:
    # moto.elbv2.models.ELBv2Backend -> elbv2; Lambda's package cannot be named lambda
    package = type(backend).__module__.split(".")[1]
    return {"awslambda": "lambda"}.get(package, package)


def _der(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _private_key(data: bytes):
    return serialization.load_der_private_key(data, password=None)


def _certificate(data: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(data)


def _bare(cls):
    return cls.__new__(cls)


def _set_default(value: defaultdict, state: tuple) -> None:
    value.default_factory, attributes = state
    vars(value).update(attributes)


def _reference(value):
    return weakref.ref(value) if value is not None else lambda: None
