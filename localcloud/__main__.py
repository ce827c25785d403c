"""`python -m localcloud`: start, look at and remove the local cloud."""

import argparse
import gc
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path

from localcloud import client, faults_cli, firewall, image, logsocket, machine, registry
from localcloud.authority import Authority
from localcloud.engine import Podman
from localcloud.faults import FaultError
from localcloud.lxcfs import Lxcfs
from localcloud.neighbours import Neighbours
from localcloud.network import Network
from localcloud.settings import REGION, Settings, SettingsError, prepare_moto
from localcloud.shell import CommandError
from localcloud.storage import Storage

START_SECONDS = 300  # whoever has many hosts to take over, on a busy machine


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    try:
        settings = Settings.from_environment()
        if options.needs_root:
            machine.become_root(arguments, settings)
            os.umask(0o022)  # hosts see files that are made here
        with registry.alone(settings.id) if options.alone else nullcontext():
            code = options.run(settings, options) or 0
        sys.stdout.flush()
        return code
    except (
        SettingsError, machine.MachineError, CommandError, image.ImageError, FaultError
    ) as error:  # fmt: skip
        print(f"localcloud: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        if not _reader_left():
            raise
        # What is left of the output goes nowhere, also when Python flushes it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _reader_left() -> bool:
    """Whether nobody reads standard output any more, as `| head` ends after its lines."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # of errors it tells always
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localcloud", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    def verb(name, run, needs_root, help, alone=False):
        command = verbs.add_parser(name, help=help, description=help)
        command.set_defaults(run=run, needs_root=needs_root, alone=alone)
        return command

    verb("up", up, True, "start the local cloud, or do nothing when it runs", alone=True)
    status_command = verb("status", status, False, "every AWS resource beside what is real")
    status_command.add_argument("--json", action="store_true", help="for programs")
    operations_command = verb("operations", operations, False, "every call: real, kept or refused")
    operations_command.add_argument("--json", action="store_true", help="for programs")
    operations_command.add_argument("--readme", action="store_true", help="renew README's table")
    logs_command = verb("logs", logs, True, "the local cloud's log, a host's or a function's")
    logs_command.add_argument("id", nargs="?", help="an instance id, or a function's name")
    logs_command.add_argument("-n", "--lines", type=int, default=100)
    ssh_command = verb("ssh", ssh, True, "a shell, or a command, on a host as root")
    ssh_command.add_argument("id", help="an instance id, or its Name")
    ssh_command.add_argument("command", nargs=argparse.REMAINDER)
    certificate_command = verb("certificate", certificate, True, "a key and a certificate, PEM")
    certificate_command.add_argument("names", nargs="+", help="DNS names; the first is the subject")
    faults_cli.add_verbs(verb)
    down_command = verb("down", down, True, "remove everything this local cloud made", alone=True)
    down_command.add_argument(
        "--destroy-data", action="store_true", help="also when volumes or buckets hold something"
    )
    verb("serve", _serve, True, "run in the foreground (`up` does this in the background)")
    return parser


def up(settings: Settings, options) -> int:
    if answer := _answer(settings):
        machine.prepare_state(settings)
        print(f"The local cloud is up: {settings.endpoint}")
        if answer.get("pace") != settings.pace:
            print("  It has another LOCALCLOUD_PACE than your shell: it keeps it until `down`.")
        return 0
    if _process(settings):
        raise machine.MachineError(
            f"The local cloud runs (pid {_process(settings)}) but does not answer on "
            f"{settings.endpoint}.\nSee {settings.log}, or run `python -m localcloud down`."
        )
    machine.check_programs()
    machine.check_ports(settings)
    machine.check_firewalls(settings)
    machine.prepare_state(settings)
    image.base(settings.cache)
    with settings.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "serve"],
            cwd=machine.CHECKOUT,
            env={**os.environ, **settings.environment()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    settings.pid_file.write_text(f"{process.pid}\n")
    give_up = time.monotonic() + START_SECONDS
    while not _answer(settings):
        if process.poll() is not None or time.monotonic() > give_up:
            settings.pid_file.unlink(missing_ok=True)
            process.terminate()
            tail = settings.log.read_text(errors="replace").splitlines()[-15:]
            raise machine.MachineError(
                "The local cloud did not start:\n  " + "\n  ".join(tail) + f"\nLog: {settings.log}"
            )
        time.sleep(0.05)
    print(f"The local cloud is up: {settings.endpoint}")
    for line in _answer(settings)["adopted"]:
        print(f"  {line}")
    print(f"  site   http://{settings.site}:{settings.http_port}")
    print(f"  log    {settings.log}")
    return 0


def status(settings: Settings, options) -> int:
    answer = _answer(settings)
    if answer is None:
        left = _leftovers(settings)
        print(f"The local cloud is not up ({settings.endpoint} does not answer).")
        for line in left:
            print(f"  left over: {line}")
        if left:
            print("`python -m localcloud up` takes them over, `down` removes them.")
        return 3
    if options.json:
        print(json.dumps(answer, indent=2))
        return 0
    print(f"{answer['endpoint']}  pid {answer['pid']}  site http://{settings.site}:"
          f"{settings.http_port}")  # fmt: skip
    for fault in answer["faults"]:
        print(f"FAULT {faults_cli.describe(fault)}   (python -m localcloud heal {fault['id']})")
    columns = ("kind", "id", "name", "state", "address", "real", "health")
    rows = [columns, *(tuple(row[key] for key in columns) for row in answer["resources"])]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    for row in rows:
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )
    return 0


def operations(settings: Settings, options) -> int:
    prepare_moto(settings)
    from localcloud import ledger

    if options.readme:
        ledger.write_readme()
    elif options.json:
        listed: dict = {}
        for service, operation, kind in ledger.rows():
            listed.setdefault(service, {})[operation] = kind
        print(json.dumps(listed, indent=2))
    else:
        for service, operation, kind in ledger.rows():
            print(f"{kind:8} {service}:{operation}")
    return 0


def logs(settings: Settings, options) -> int:
    if options.id and _is_function(settings, options.id):
        for line in _function_log(settings, options.id)[-options.lines :]:
            print(line)
    elif options.id:
        print(_engine(settings).logs(_host(settings, options.id), options.lines))
    else:
        for line in settings.log.read_text(errors="replace").splitlines()[-options.lines :]:
            print(line)
    return 0


def ssh(settings: Settings, options) -> int:
    name = _host(settings, options.id)
    command = options.command or ["bash", "--login"]
    terminal = ["--tty"] if sys.stdin.isatty() else []
    engine = _engine(settings)
    os.chdir(engine.working_directory())
    os.execvp("podman", engine.shell_command(name, terminal, command))  # noqa: S606  # the shell takes our place


def certificate(settings: Settings, options) -> int:
    issued, key = Authority(settings.state / "authority").issue(options.names)
    sys.stdout.write((key + issued).decode())
    return 0


def down(settings: Settings, options) -> int:
    data = _data(settings)
    if data and not options.destroy_data:
        raise machine.MachineError(
            f"This would destroy {' and '.join(data)} in {settings.state}.\n"
            "If that is what you want: python -m localcloud down --destroy-data "
            "(make down DESTROY_DATA=1)"
        )
    pid = _process(settings)
    if pid:
        os.kill(pid, signal.SIGTERM)
        give_up = time.monotonic() + 40
        while Path(f"/proc/{pid}").exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
    before = _leftovers(settings)
    _engine(settings).destroy()
    Network(settings.id).destroy()
    Lxcfs(settings.state).stop()
    Storage(settings.state).destroy()
    firewall.remove(settings.id)
    Neighbours(settings.id).remove()
    registry.forget(settings.id)
    routing = registry.stop_routing()
    logsocket.shorten()
    shutil.rmtree(settings.run, ignore_errors=True)
    shutil.rmtree(settings.state, ignore_errors=True)
    left = _leftovers(settings)
    if left:
        print("Could not remove:", *left, sep="\n  ", file=sys.stderr)
        return 1
    print(f"The local cloud is down; removed {len(before)} things, nothing is left.")
    if routing:
        print(routing)
    return 0


def _serve(settings: Settings, options) -> int:
    prepare_moto(settings)  # before anything imports moto
    gc.disable()  # what is loaded stays, and to look through it takes a third of the start
    from localcloud.server import serve

    serve(settings)
    return 0


def _answer(settings: Settings) -> dict | None:
    """What the running process says of itself, or None."""
    try:
        address = f"{settings.endpoint}/_localcloud/status"
        with client.open(address, timeout=10) as reply:
            answer = json.load(reply)
    except (OSError, ValueError):
        return None
    return answer if answer.get("id") == settings.id else None


def _process(settings: Settings) -> int | None:
    """The process that holds this state directory, if it is alive."""
    with suppress(OSError, ValueError):
        return _alive(int(settings.pid_file.read_text()))
    # somebody may have removed the directory under it
    return _alive(registry.process(settings.id))


def _alive(pid: int | None) -> int | None:
    """The process if it is a local cloud's; another may have got its number."""
    with suppress(OSError):
        if b"localcloud" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return pid
    return None


def _engine(settings: Settings) -> Podman:
    return Podman(settings.id, settings.state / "engine")


def _host(settings: Settings, wanted: str) -> str:
    """The container of an instance named by id, or by its Name tag."""
    names = {wanted}
    for row in (_answer(settings) or {"resources": []})["resources"]:
        if row["name"] == wanted:
            names.add(row["id"])
    for name in _engine(settings).containers():
        if name in names:
            return name
    raise machine.MachineError(f"No host {wanted}: `python -m localcloud status` lists them.")


def _is_function(settings: Settings, name: str) -> bool:
    rows = (_answer(settings) or {"resources": []})["resources"]
    return any((row["kind"], row["id"]) == ("function", name) for row in rows)


def _function_log(settings: Settings, name: str) -> list[str]:
    """What CloudWatch Logs has of a function, the oldest first."""
    import boto3  # takes a while, and only this needs it

    prepare_moto(settings)
    logs = boto3.client("logs", region_name=REGION)
    try:
        found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []  # it was never invoked
    return [each["message"] for each in sorted(found, key=lambda each: each["timestamp"])]


def _data(settings: Settings) -> list[str]:
    """What would be lost with this cloud, in words."""
    storage = Storage(settings.state)
    found = {
        "volume(s)": list(storage.volumes.glob("*.img")),
        "snapshot(s)": list(storage.snapshots.glob("*.img")),
        "S3 object(s)": [path for path in (settings.state / "s3").rglob("*") if path.is_file()],
    }
    return [f"{len(paths)} {what}" for what, paths in found.items() if paths]


def _leftovers(settings: Settings) -> list[str]:
    """Everything of this cloud that is on the machine now."""
    network, storage, engine = Network(settings.id), Storage(settings.state), _engine(settings)
    left = [f"interface {name}" for name in sorted(network.devices())]
    left += [f"network namespace {name}" for name in sorted(network.namespaces())]
    left += [f"route to {cidr}" for cidr in sorted(network.held())]
    left += [f"mount {point}" for point in storage.mounts()]
    left += [f"loop device {name}" for name in storage.loop_devices()]
    if os.geteuid() == 0:
        if engine.directory.exists():
            with suppress(CommandError):  # damaged; its processes are listed below
                left += [f"container {name}" for name in engine.containers()]
        if firewall.present(settings.id):
            left.append(f"nftables table {firewall.table_name(settings.id)}")
        left += [f"rules in the chain {name}" for name in Neighbours(settings.id).places()]
    processes = engine.processes() | Lxcfs(settings.state).processes()
    left += [f"process {pid} ({name})" for pid, name in processes.items()]
    if _process(settings):
        left.append(f"process {_process(settings)}")
    return left


if __name__ == "__main__":
    sys.exit(main())
