"""The container engine: the one place that knows podman.

A host is a container whose root file system and network namespace are ours, so stopping a host
means removing the container and starting it means making it again, with whatever limits its
instance type has by then. Nothing that must be kept lives in the engine.
"""

import json
import resource
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from localcloud import processes, shell
from localcloud.cgroups import ControlGroups

# What a machine with systemd, mounts, firewall and time may do inside its own namespaces.
# CAP_MKNOD is left out: a host must not make nodes for other hosts' volumes.
CAPABILITIES = (
    "SYS_ADMIN,SYS_BOOT,NET_ADMIN,NET_RAW,SYS_PTRACE,SYS_NICE,SYS_CHROOT,AUDIT_WRITE,IPC_LOCK"
)
# What a host may see and write of all that the engine hides by itself: the network's settings,
# which are its own, and disks.
SHOWN = "/proc/sys:/sys/dev/block"
# All other settings of the kernel are this machine's. systemd is to find them so when it starts.
READ_ONLY_SETTINGS = """
set -e
mount --bind /proc/sys /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,ro,nosuid,nodev,noexec /proc/sys
exec "$@"
"""


@dataclass
class Container:
    """What to run. ``cpus`` are cores of this machine, ``memory`` is MiB."""

    name: str
    root: Path
    hostname: str
    network_namespace: str
    cpus: float
    memory: int
    labels: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ("/lib/systemd/systemd",)
    mounts: dict[Path, str] = field(default_factory=dict)


@dataclass
class Sandbox:
    """One program that may do nothing but run: no systemd, no rights, a root that is read-only.

    ``mounts`` are paths inside with the engine's options (``/var/task:ro``); ``pid_file`` is where
    its process's number is to be found, ``user`` a number and a group's.
    """

    name: str
    root: Path
    hostname: str
    network_namespace: str
    cpus: float
    memory: int
    user: str
    directory: str
    command: tuple[str, ...]
    pid_file: Path
    labels: dict[str, str] = field(default_factory=dict)
    mounts: dict[Path, str] = field(default_factory=dict)


@dataclass
class State:
    """What the engine says of a container."""

    name: str
    running: bool
    pid: int
    exit_code: int
    labels: dict[str, str]


class Podman:
    """Containers of one local cloud, told apart by label."""

    def __init__(self, cloud_id: str, directory: Path):
        self.cloud_id = cloud_id
        self.directory = directory
        self.run_directory = Path(f"/run/localcloud/podman-{cloud_id}")
        self.runtime = "runc" if shutil.which("runc") else "crun"
        self.cgroups = "systemd" if Path("/run/systemd/system").exists() else "cgroupfs"
        self._seen: dict[str, State] | None = None
        self._changes = 0

    def _podman(self, *words, **options) -> str:
        return shell.run(*self._command(*words), **options)

    def working_directory(self) -> Path:
        """Where containers, and what is executed in them, are started from.

        conmon writes a file there when memory runs out; it must not be the user's directory.
        """
        self.run_directory.mkdir(parents=True, exist_ok=True)
        return self.run_directory

    def _command(self, *words) -> list[str]:
        # A storage of our own keeps `podman ps` of the user free of our hosts, and theirs of us.
        return [
            "podman",
            f"--root={self.directory}",
            f"--runroot={self.run_directory}",
            "--storage-driver=vfs",
            f"--runtime={self.runtime}",
            f"--cgroup-manager={self.cgroups}",
            "--events-backend=none",
            *words,
        ]

    def run(self, container: Container) -> None:
        """Start the container; return when its first process runs."""
        files = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        processes = min(8192, resource.getrlimit(resource.RLIMIT_NPROC)[1])
        words = [
            "run", "--detach", "--rootfs", "--systemd=always",
            f"--name={container.name}",
            f"--hostname={container.hostname}",
            f"--network=ns:/run/netns/{container.network_namespace}",
            "--dns=none", "--no-hosts", "--http-proxy=false",
            f"--cap-add={CAPABILITIES}", "--cap-drop=MKNOD",
            "--security-opt=seccomp=unconfined", f"--security-opt=unmask={SHOWN}",
            "--security-opt=apparmor=unconfined", "--security-opt=label=disable",
            "--device-cgroup-rule=b 7:* rwm",
            f"--ulimit=nofile={files}:{files}", f"--ulimit=nproc={processes}:{processes}",
            "--pids-limit=8192",
            f"--cpus={container.cpus:g}",
            f"--memory={container.memory}m",
            f"--memory-swap={container.memory}m",
            f"--label=localcloud={self.cloud_id}",
        ]  # fmt: skip
        words += [f"--label={key}={value}" for key, value in container.labels.items()]
        words += [f"--volume={source}:{path}" for source, path in container.mounts.items()]
        words += [container.root, "/bin/sh", "-c", READ_ONLY_SETTINGS, "sh", *container.command]
        try:
            self._podman(*words, cwd=self.working_directory())
        except shell.CommandError as error:
            self.remove(container.name)
            raise EngineError(_reason(str(error)) + _lacks(container)) from error
        finally:
            self._changed()

    def run_sandbox(self, sandbox: Sandbox) -> int:
        """Start the program; return its process's number."""
        processes = min(8192, resource.getrlimit(resource.RLIMIT_NPROC)[1])
        words = [
            "run", "--detach", "--rootfs", "--systemd=false", "--read-only",
            "--read-only-tmpfs=false", "--log-driver=none",
            f"--name={sandbox.name}",
            f"--hostname={sandbox.hostname}",
            f"--network=ns:/run/netns/{sandbox.network_namespace}",
            "--dns=none", "--no-hosts", "--http-proxy=false", "--unsetenv-all",
            "--cap-drop=all", "--security-opt=no-new-privileges",
            "--security-opt=apparmor=unconfined", "--security-opt=label=disable",
            f"--ulimit=nproc={processes}:{processes}",
            "--ulimit=nofile=1024:1024", "--pids-limit=1024",
            f"--user={sandbox.user}",
            f"--workdir={sandbox.directory}",
            f"--cpus={sandbox.cpus:g}",
            f"--memory={sandbox.memory}m",
            f"--memory-swap={sandbox.memory}m",
            f"--pidfile={sandbox.pid_file}",
            f"--label=localcloud={self.cloud_id}",
        ]  # fmt: skip
        words += [f"--label={key}={value}" for key, value in sandbox.labels.items()]
        words += [f"--volume={source}:{path}" for source, path in sandbox.mounts.items()]
        try:
            self._podman(*words, sandbox.root, *sandbox.command, cwd=self.working_directory())
            return int(sandbox.pid_file.read_text())
        except shell.CommandError as error:
            self.remove(sandbox.name)
            raise EngineError(_reason(str(error))) from error
        finally:
            self._changed()

    def stop(self, name: str, seconds: int = 10) -> None:
        """Let systemd shut the host down, then remove the container."""
        self._podman("stop", f"--time={seconds}", name, check=False, timeout=seconds + 30)
        self.remove(name)

    def remove(self, name: str) -> None:
        """Pull the plug and remove the container; nothing happens when there is none."""
        self._podman("rm", "--force", "--time=0", name, check=False)
        self._changed()

    def containers(self) -> dict[str, State]:
        """Every container of this cloud by name.

        Asking podman takes 60 ms, looking whether the processes still live takes none, and
        nobody but us starts containers here: so podman is asked only when something changed.
        """
        seen = self._seen
        if seen is None or not all(
            processes.alive(each.pid) for each in seen.values() if each.running
        ):
            changes = self._changes
            seen = self._list()
            if changes == self._changes:
                self._seen = seen
        return seen

    def _changed(self) -> None:
        """Forget what was seen, and what another thread is just looking at."""
        self._changes += 1
        self._seen = None

    def _list(self) -> dict[str, State]:
        listed = json.loads(self._podman("ps", "--all", "--format=json") or "[]")
        return {
            entry["Names"][0]: State(
                name=entry["Names"][0],
                running=entry["State"] in ("running", "paused"),
                pid=entry.get("Pid", 0),
                exit_code=entry.get("ExitCode", 0),
                labels=entry.get("Labels") or {},
            )
            for entry in listed or []
        }

    def execute(self, name: str, *command, input=None, timeout=60, check=True) -> str:
        flags = ["--interactive"] if input is not None else []
        return self._podman(
            "exec", *flags, name, *command, input=input, timeout=timeout, check=check,
            cwd=self.working_directory(),
        )  # fmt: skip

    def shell_command(self, name: str, terminal: list[str], command: list[str]) -> list[str]:
        """The program and arguments that run ``command`` on a host for a person."""
        return self._command("exec", "--interactive", *terminal, name, *command)

    def logs(self, name: str, lines: int = 200) -> str:
        return self.execute(name, "journalctl", "--no-pager", f"--lines={lines}")

    def pause(self, name: str) -> None:
        self._podman("pause", name)

    def unpause(self, name: str) -> None:
        self._podman("unpause", name)

    def thaw(self, name: str) -> None:
        """Let what was frozen behind the engine's back run again: else it does not die."""
        state = self.containers().get(name)
        with suppress(OSError, KeyError):
            if state and state.pid:
                ControlGroups(state.pid).thaw()

    def kill(self, name: str) -> None:
        """End the host at once, as when its machine loses power."""
        self._podman("kill", "--signal=KILL", name)

    def processes(self) -> dict[int, str]:
        """The engine's own processes, also of containers that it does not know any more."""
        return processes.named(("conmon", "podman", self.runtime), str(self.directory))

    def _of_runtime(self) -> list[str]:
        """Ids of containers that the runtime remembers, also when the engine has forgotten them."""
        try:
            listed = shell.run(self.runtime, "list", "--format", "json", check=False)
            found = json.loads(listed) or []
        except (ValueError, shell.CommandError):  # not root, or no runtime at all
            return []
        return [each["id"] for each in found if f"{self.directory}/" in each["bundle"]]

    def destroy(self) -> None:
        """Remove every container and the engine's own state."""
        with suppress(shell.CommandError):  # its state may be damaged
            for name in self.containers():
                self.thaw(name)
                self.remove(name)
        processes.end(self.processes())
        for container in self._of_runtime():
            shell.run(self.runtime, "delete", "--force", container, check=False)
        for directory in (self.directory, self.run_directory):
            shutil.rmtree(directory, ignore_errors=True)


class EngineError(RuntimeError):
    """A container could not be started; the message says why."""


def _reason(text: str) -> str:
    """The last sentence of podman's error: the command line before it helps nobody."""
    return text.rsplit("Error: ", 1)[-1].strip()


def _lacks(container: Container) -> str:
    """What a root without the program that it is to boot has instead, for the error's text."""
    if (container.root / container.command[0].lstrip("/")).exists():
        return ""
    there = sorted(path.name for path in container.root.glob("*"))
    below = str(container.root.parent).replace(" ", r"\040")
    points = [
        " ".join(line.split()[:3])
        for line in Path("/proc/mounts").read_text().splitlines()
        if f" {below}/" in line
    ]
    return (
        f" ({container.root} has {', '.join(there) or 'nothing'}; "
        f"mounted are: {'; '.join(points) or 'nothing'})"
    )
