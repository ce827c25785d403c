"""A real Valkey, or Redis, whichever is installed, with TLS and a token; and a way to it that can
be led elsewhere, as a name is after a failover."""

import shutil
import socket
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

TOKEN = "a-token#of%32/characters-at-least"
QUOTED = "a-token%23of%2532%2Fcharacters-at-least"


def program() -> str | None:
    return shutil.which("valkey-server") or shutil.which("redis-server")


def certificate(home: Path) -> Path:
    """One that signs itself, for 127.0.0.1; the key is beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cache.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (home / "cache.pem").write_bytes(made.public_bytes(pem))
    (home / "cache.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return home / "cache.pem"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Valkey:
    home: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    def __post_init__(self):
        self.ca = self.home / "cache.pem"
        if not self.ca.exists():
            certificate(self.home)

    def url(self, port: int | None = None, token: str = QUOTED) -> str:
        return f"rediss://:{token}@127.0.0.1:{port or self.port}/0?ssl_ca_certs={self.ca}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [program(), "--port", "0", "--tls-port", str(self.port), "--bind", "127.0.0.1",
             "--tls-cert-file", self.ca, "--tls-key-file", self.home / "cache.key",
             "--tls-ca-cert-file", self.ca, "--tls-auth-clients", "no", "--tls-replication", "yes",
             "--requirepass", TOKEN, "--masterauth", TOKEN, "--save", "", "--dir", self.home],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(200):
            with suppress(redis.RedisError), self.client() as client:
                client.ping()
                return
            time.sleep(0.05)
        raise AssertionError("Valkey does not answer")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url())


class Way:
    """A port that leads to one server, and for new connections to another when that is said."""

    def __init__(self, port: int):
        self.leads_to, self.threads, self.sockets = port, [], []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.run(self.accept)

    def run(self, target, *arguments) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near = self.server.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.leads_to))
                self.sockets += [near, far]
                self.run(self.pipe, near, far)
                self.run(self.pipe, far, near)

    @staticmethod
    def pipe(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(5)
        for each in self.sockets:
            each.close()
