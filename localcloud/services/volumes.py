"""EBS volumes and snapshots: sparse files on loop devices, with size and IOPS that count."""

import logging
import os
import threading
from contextlib import ExitStack, contextmanager, suppress
from inspect import signature
from pathlib import Path

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import EBSBackend, Snapshot, Volume, VolumeAttachment
from moto.ec2.responses.elastic_block_store import ElasticBlockStore

from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.instances import tag
from localcloud.services.volume_attachments import attachments
from localcloud.shell import CommandError, run

log = logging.getLogger("localcloud.volumes")

# GiB of each type of volume.
SIZES = {
    "gp2": (1, 16384),
    "gp3": (1, 16384),
    "io1": (4, 16384),
    "io2": (4, 65536),
    "st1": (125, 16384),
    "sc1": (125, 16384),
    "standard": (1, 1024),
}


class Volumes(Service):
    """A volume exists as soon as the API says so, and grows without a stop."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._freezing = threading.RLock()
        self._frozen: list[tuple] = []
        self._unlimited: set[str] = set()  # attached, but this machine cannot hold them to IOPS

    @hook(EBSBackend, "create_volume",
          "self, size, zone_name, snapshot_id, encrypted, kms_key_id, volume_type, iops, "
          "throughput, multi_attach_enabled")  # fmt: skip
    def create(self, original, backend, size, zone_name, snapshot_id=None, *args, **kwargs):
        if snapshot_id and size is None:
            size = backend.get_snapshot(snapshot_id).volume_size
        bound = signature(original).bind(backend, size, zone_name, snapshot_id, *args, **kwargs)
        _check_type(bound.arguments.get("volume_type") or "gp2", size)
        volume = original(backend, size, zone_name, snapshot_id, *args, **kwargs)
        # DescribeVolumes always has both on AWS, and modules compare them
        volume.multi_attach_enabled = bool(volume.multi_attach_enabled)
        volume.snapshot_id = volume.snapshot_id or ""
        if volume.volume_type == "gp3":
            volume.throughput = volume.throughput or 125
        with _api_errors():
            self.cloud.storage.create(volume.id, int(volume.size), volume.snapshot_id or None)
        return volume

    @hook(EBSBackend, "delete_volume", "self, volume_id")
    def delete(self, original, backend, volume_id):
        volume = original(backend, volume_id)
        with _api_errors():
            self.cloud.storage.delete(volume_id)
        return volume

    @hook(EBSBackend, "modify_volume",
          "self, volume_id, target_size, target_volume_type, target_iops, target_throughput, "
          "target_multi_attach_enabled")  # fmt: skip
    def modify(
        self,
        original,
        backend,
        volume_id,
        target_size=None,
        target_volume_type=None,
        target_iops=None,
        target_throughput=None,
        target_multi_attach_enabled=None,
    ):
        volume = backend.get_volume(volume_id)
        size = int(target_size) if target_size else None
        if size and size < volume.size:
            raise EC2ClientError(
                "InvalidParameterValue", "New size cannot be smaller than existing size"
            )
        _check_type(target_volume_type or volume.volume_type, size or volume.size)
        if target_multi_attach_enabled and (target_volume_type or volume.volume_type) != "io2":
            raise EC2ClientError(
                "InvalidParameterCombination", "Multi-Attach can be enabled later for io2 only."
            )
        original(backend, volume_id, size, target_volume_type, target_iops, target_throughput,
                 target_multi_attach_enabled)  # fmt: skip
        if volume.volume_type == "gp3":
            volume.iops = volume.iops or 3000
            volume.throughput = volume.throughput or 125
        elif volume.volume_type not in ("io1", "io2"):
            volume.iops = volume.throughput = None
        with _api_errors():
            if size:
                self.cloud.storage.grow(volume_id, size)
            for each in attachments(volume):
                if size:
                    each.instance.block_device_mapping[each.device].size = size
                    if _is_root(each):
                        self.cloud.storage.resize_root(each.instance.id)
                self._limit(each)
        return volume

    @hook(EBSBackend, "create_snapshot", "self, volume_id, description, owner_id, from_ami")
    def snapshot(self, original, backend, volume_id, description, owner_id=None, from_ami=None):
        snapshot = original(backend, volume_id, description, owner_id, from_ami)
        if from_ami is None:  # an image's data is kept as its layer
            volume = backend.get_volume(volume_id)
            snapshot.size = volume.size
            for each in attachments(volume):
                if _is_root(each):
                    snapshot.layers = each.instance.layers  # what a host needs to start from it
            try:
                with _api_errors(), self.frozen([volume]):
                    self.cloud.storage.snapshot(volume_id, snapshot.id, frozen=True)
            except EC2ClientError:
                del backend.snapshots[snapshot.id]
                raise
        return snapshot

    @hook(EBSBackend, "copy_snapshot",
          "self, source_snapshot_id, source_region, description, kms_key_id")  # fmt: skip
    def copy_snapshot(self, original, backend, source_snapshot_id, source_region, *args, **kwargs):
        """moto copies what it says, and not what is in it."""
        if source_region != backend.region_name:
            raise EC2ClientError("InvalidParameterValue", f"Nothing is in {source_region} here.")
        source = backend.get_snapshot(source_snapshot_id)
        if source.from_ami:
            raise EC2ClientError(
                "UnsupportedOperation", "This snapshot is an image's: copy the image."
            )
        made = original(backend, source_snapshot_id, source_region, *args, **kwargs)
        made.size = source.volume_size
        if hasattr(source, "layers"):
            made.layers = source.layers
        with _api_errors():
            self.cloud.storage.copy_snapshot(source.id, made.id)
        return made

    @hook(Snapshot, "volume_size", "self")
    def snapshot_size(self, original, snapshot):
        """The volume's when it was taken; it may have grown."""
        return getattr(snapshot, "size", None) or original(snapshot)

    @hook(EBSBackend, "create_snapshots",
          "self, instance_spec, description, tags")  # fmt: skip
    def snapshots(self, original, backend, instance_spec, description, tags):
        """Of one moment, all of them."""
        instance = backend.get_instance(instance_spec["InstanceId"])
        devices = list(instance.block_device_mapping.values())
        with _api_errors(), self.frozen([backend.get_volume(e.volume_id) for e in devices]):
            return original(backend, instance_spec, description, tags)

    @hook(EBSBackend, "delete_snapshot", "self, snapshot_id")
    def delete_snapshot(self, original, backend, snapshot_id):
        for image in list(backend.amis.values()):
            mapped = [each["Ebs"].get("SnapshotId") for each in image.block_device_mappings]
            if snapshot_id in mapped:
                raise EC2ClientError(
                    "InvalidSnapshot.InUse",
                    f"The snapshot {snapshot_id} is currently in use by {image.id}",
                )
        snapshot = original(backend, snapshot_id)
        self.cloud.storage.delete_snapshot(snapshot_id)
        return snapshot

    @hook(ElasticBlockStore, "describe_snapshots", "self")
    def describe_snapshots(self, original, response):
        """moto does not look at whose they should be."""
        answer = original(response)
        backend = response.ec2_backend
        owners = {
            backend.account_id if each == "self" else each
            for each in response._get_param("OwnerIds", [])
        }
        found = [
            each for each in answer.result["Snapshots"] if not owners or each.owner_id in owners
        ]
        return ActionResult({"Snapshots": found})

    def adopt(self) -> list[str]:
        backend, storage = self.cloud.backend("ec2"), self.cloud.storage
        said = []
        for volume_id in storage.volume_ids("vol-") - set(backend.volumes):
            storage.delete(volume_id)
            said.append(f"deleted volume {volume_id}: its creation was never answered")
        for snapshot_id in storage.snapshot_ids("snap-") - set(backend.snapshots):
            storage.delete_snapshot(snapshot_id)
            said.append(f"deleted snapshot {snapshot_id}: its creation was never answered")
        self._thaw(backend)
        return said

    @contextmanager
    def frozen(self, volumes: list[Volume]):
        """Hold all writes to these volumes: what is copied meanwhile is of one moment.

        File systems are frozen where they are mounted. Of a volume that is attached and not
        mounted anywhere, the hosts that could write to it stand still.
        """
        with self._freezing, ExitStack() as undo:
            mounts = {volume.id: self._mounts(volume) for volume in volumes}
            for volume in volumes:
                for each in attachments(volume) if not mounts[volume.id] else ():
                    if self._pid(each.instance.id):
                        self.cloud.engine.pause(each.instance.id)
                        undo.callback(self.cloud.engine.unpause, each.instance.id)
            os.sync()
            for enter, point in (each for of_volume in mounts.values() for each in of_volume[:1]):
                if (enter, point) in self._frozen:
                    continue  # by a call around this one
                run(*enter, "fsfreeze", "--freeze", point)
                self._frozen.append((enter, point))
                undo.callback(run, *enter, "fsfreeze", "--unfreeze", point)
                undo.callback(self._frozen.remove, (enter, point))
            yield

    def _mounts(self, volume: Volume) -> list[tuple[tuple, str]]:
        """Where a volume's file system is mounted: how to get there, and the place."""
        found = []
        for each in attachments(volume):
            root = self.cloud.storage.upper(each.instance.id).parent
            if _is_root(each) and os.path.ismount(root):
                found.append(((), str(root)))
            pid, device = self._pid(each.instance.id), self.cloud.storage.device(volume.id)
            if pid and device and not _is_root(each):
                enter = ("nsenter", "-t", str(pid), "-m")
                found += [(enter, point) for point in _mounted(pid, device)]
        return found

    def _thaw(self, backend) -> None:
        """Undo what a process that was killed meanwhile has frozen."""
        for volume in list(backend.volumes.values()):
            for enter, point in self._mounts(volume):
                run(*enter, "fsfreeze", "--unfreeze", point, check=False)
            for each in attachments(volume):
                faulty = any(f.host == each.instance.id for f in self.cloud.faults.active)
                if not _is_root(each) and self._pid(each.instance.id) and not faulty:
                    with suppress(CommandError):
                        self.cloud.engine.unpause(each.instance.id)

    def host_started(self, instance) -> None:
        backend = self.cloud.backend("ec2")
        for device in list(instance.block_device_mapping.values()):
            for each in attachments(backend.get_volume(device.volume_id)):
                if each.instance is instance:
                    self.plug(each)
                    self._limit(each)

    def rows(self) -> list[Row]:
        devices = {file: name for name, file in self.cloud.storage.loop_devices().items()}
        rows = []
        for each in self.cloud.backend("ec2").volumes.values():
            file = self.cloud.storage.image(each.id)
            performance = f" {each.iops} IOPS" if each.iops else ""
            rows.append(
                Row(
                    id=each.id,
                    kind=f"volume {each.volume_type} {each.size} GiB{performance}",
                    name=tag(each, "Name"),
                    state=each.status,
                    address=", ".join(
                        f"{one.instance.id} {one.device}" for one in attachments(each)
                    ),
                    real=devices.get(str(file), str(file)),
                    health=self._health(each, file),
                )
            )
        snapshots = list(self.cloud.backend("ec2").snapshots.values())
        # an image's is the image's layer
        return rows + [self._snapshot_row(each) for each in snapshots if not each.from_ami]

    def _snapshot_row(self, snapshot: Snapshot) -> Row:
        file = self.cloud.storage.snapshots / f"{snapshot.id}.img"
        return Row(
            id=snapshot.id,
            kind=f"snapshot {snapshot.volume_size} GiB",
            name=tag(snapshot, "Name"),
            state=snapshot.status,
            address=snapshot.volume.id,
            real=str(file),
            health="ok" if file.exists() else "missing",
        )

    def _health(self, volume: Volume, file: Path) -> str:
        if not file.exists():
            return "missing"
        return "ok, IOPS not limited" if volume.id in self._unlimited else "ok"

    def plug(self, attachment: VolumeAttachment) -> None:
        """Give a running host the volume as the device it was attached as."""
        if _is_root(attachment):
            return
        pid = self._pid(attachment.instance.id)
        if not pid:
            return
        volume_id = attachment.volume.id
        link = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume_id.replace('-', '')}"
        with _api_errors():
            device = self.cloud.storage.attach(volume_id)
            major, minor = _numbers(device).split(":")
            _inside(pid, "mkdir", "-p", "/dev/disk/by-id")
            _inside(pid, "rm", "-f", attachment.device)
            _inside(pid, "mknod", "-m", "660", attachment.device, "b", major, minor)
            _inside(pid, "chgrp", "disk", attachment.device)
            _inside(pid, "ln", "-sfn", attachment.device, link)

    def unplug(self, attachment: VolumeAttachment) -> None:
        """Take the device from its host; refuse while it is mounted there."""
        if _is_root(attachment):
            return
        volume, pid = attachment.volume, self._pid(attachment.instance.id)
        with _api_errors():
            if pid:
                device = self.cloud.storage.device(volume.id)
                if device and _mounted(pid, device):
                    raise CommandError(
                        f"{attachment.device} is mounted on the host: unmount it first"
                    )
                _inside(pid, "rm", "-f", attachment.device)
            if attachments(volume) == [attachment]:
                self.cloud.storage.detach(volume.id)

    def _limit(self, attachment: VolumeAttachment) -> None:
        """Hold the volume to its IOPS and MiB/s where the machine's cgroups can."""
        volume = attachment.volume
        device = self.cloud.storage.device(volume.id)
        pid = self._pid(attachment.instance.id)
        if device and pid:
            bytes_per_second = (volume.throughput or 0) << 20
            if throttle(pid, _numbers(device), volume.iops or 0, bytes_per_second):
                self._unlimited.discard(volume.id)
            else:
                self._unlimited.add(volume.id)

    def _pid(self, instance_id: str) -> int:
        state = self.cloud.engine.containers().get(instance_id)
        return state.pid if state and state.running else 0


def throttle(pid: int, device: str, iops: int, throughput: int) -> bool:
    """Limit a container's use of ``device`` ("7:0"); 0 lifts the limit. False if it cannot be."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        path = path.removesuffix("/init.scope")
        if "blkio" in controllers.split(","):
            group = Path("/sys/fs/cgroup/blkio", path.lstrip("/"))
            values = {"iops": iops, "bps": throughput}
            try:
                for unit, value in values.items():
                    for direction in ("read", "write"):
                        file = group / f"blkio.throttle.{direction}_{unit}_device"
                        file.write_text(f"{device} {value}")
            except OSError:
                return False
            return True
        if not controllers:
            group = Path("/sys/fs/cgroup", path.lstrip("/"))
            limit = " ".join(
                f"{name}={value or 'max'}"
                for name, value in (("riops", iops), ("wiops", iops), ("rbps", throughput),
                                    ("wbps", throughput))
            )  # fmt: skip
            try:
                (group / "io.max").write_text(f"{device} {limit}")
            except OSError:
                continue
            return True
    return False


def _check_type(volume_type: str, size) -> None:
    if volume_type not in SIZES:
        raise EC2ClientError(
            "UnknownVolumeType", f"Unsupported volume type '{volume_type}' for volume creation."
        )
    least, most = SIZES[volume_type]
    if size and not least <= int(size) <= most:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Volume of {size}GiB is too {'small' if int(size) < least else 'big'} for volume type "
            f"{volume_type}; {least} to {most} GiB are possible.",
        )


class _api_errors:
    """Turn a failure of the machine into the API's answer."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, CommandError | OSError):
            raise EC2ClientError("InternalError", str(error)) from error


def _is_root(attachment: VolumeAttachment) -> bool:
    return attachment.device == attachment.instance.root_device_name


def _mounted(pid: int, device: str) -> list[str]:
    """Where a host has the device mounted."""
    lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.split()[2] == _numbers(device)]


def _numbers(device: str) -> str:
    """The device's "major:minor"."""
    return Path("/sys/class/block", Path(device).name, "dev").read_text().strip()


def _inside(pid: int, *command: str) -> None:
    """Run in the host's mount namespace with this machine's rights: a host may not make nodes."""
    run("nsenter", "-t", pid, "-m", *command)
