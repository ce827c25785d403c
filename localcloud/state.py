"""What the API knows, kept on disk: moto holds everything in memory.

After every change all of moto's backends are pickled as one graph (a few milliseconds and some
ten kilobytes) and replace the file before the change is answered. So a process that is killed
loses nothing it has acknowledged.
"""

import hashlib
import io
import logging
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

log = logging.getLogger("localcloud.state")

# Resources live here; moto makes the other regions and partitions on its own, the same each time.
PLACES = (REGION, "aws", "global")
AWS_POLICY = "arn:aws:iam::aws:policy/"
KEY_TYPES = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)


class StateError(RuntimeError):
    """The saved state cannot be read by this version."""


saving = threading.local()  # .now is true in the thread that writes the state


class State:
    """The file, and what was last written to it."""

    def __init__(self, path: Path):
        self.path = path
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
        part.write_bytes(data)
        part.rename(self.path)
        self._written = digest

    def load(self) -> bool:
        """Fill moto's backends from the file; False when there is none."""
        if not self.path.exists():
            return False
        try:
            with self.path.open("rb") as file:
                saved = _Unpickler(file).load()
            if saved["moto"] != version("moto"):
                raise StateError(f"it was saved by moto {saved['moto']}")
        except StateError:
            raise
        except Exception as error:  # whatever unpickling trips over
            raise StateError(f"{type(error).__name__}: {error}") from error
        for (service, place), attributes in saved["backends"].items():
            get_backend(service)[ACCOUNT][place].__dict__.update(attributes)
        if saved["policies"] is not None:
            own, attachments = saved["policies"]
            policies = get_backend("iam")[ACCOUNT]["aws"].managed_policies
            policies.update(own)
            for arn, count in attachments.items():
                policies[arn].attachment_count = count
        return True

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
                return _pickled(saved)
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
                _pickled(attributes)
            except RuntimeError:
                continue
            except Exception as error:
                log.warning("%s is not kept over a restart: %s", key[0], error)
                self._unsavable.add(key)
                found = True
        return found


def _pickled(value) -> bytes:
    buffer = io.BytesIO()
    saving.now = True
    try:
        _Pickler(buffer).dump(value)
    finally:
        saving.now = False
    return buffer.getvalue()


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
