"""AMIs: Debian's own, and images made from hosts as a further read-only layer."""

import shutil
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.responses.amis import AmisResponse

from localcloud import image, shell
from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.instances import Instances, root_volume_id
from localcloud.services.volumes import Volumes
from localcloud.settings import DEBIAN_ACCOUNT

ROOT_DEVICE = "/dev/xvda"
# What must differ between hosts made from one image.
PRIVATE = (
    "etc/machine-id", "etc/ssh/ssh_host_*", "home/*/.ssh/authorized_keys",
    "root/.ssh/authorized_keys", "var/lib/dbus/machine-id", "var/lib/systemd/random-seed",
    "var/lib/cloud/*", "var/log/journal/*", "var/log/cloud-init*", "tmp/*", "var/tmp/*",
)  # fmt: skip


class Images(Service):
    """DescribeImages finds Debian 13 as on AWS; CreateImage keeps what a host wrote."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._request = threading.local()  # .params: what this thread's call asks for
        self._sweeping = threading.Lock()  # a call and a round would delete the same

    def adopt(self) -> list[str]:
        """Offer the Debian image; earlier ones stay while the API's state names them."""
        backend = self.cloud.backend("ec2")
        built = datetime.fromtimestamp(self.cloud.base_image.stat().st_mtime, UTC)
        image_id = f"ami-{image.recipe()}"
        if image_id not in backend.amis:
            debian = Ami(
                backend,
                image_id,
                name=f"debian-13-amd64-{built:%Y%m%d}-{built:%H%M}",
                description="Debian 13 (built by this local cloud)",
                owner_id=DEBIAN_ACCOUNT,
                public=True,
                virtualization_type="hvm",
                architecture="x86_64",
                hypervisor="xen",
                image_location=f"{DEBIAN_ACCOUNT}/debian-13",
                root_device_type="ebs",
                root_device_name=ROOT_DEVICE,
                creation_date=built.replace(tzinfo=None),
                region_name=f"{backend.region_name}a",
            )
            debian.layers = [str(self.cloud.base_image)]
            _describe_root(debian, ROOT_DEVICE, 8)
            backend.amis[image_id] = debian
        for part in self.directory.glob("*.part"):
            shutil.rmtree(part)  # of a process that was killed
        return []

    @property
    def directory(self) -> Path:
        return self.cloud.settings.state / "images"

    @hook(AmisResponse, "create_image", "self")
    def create_by_request(self, original, response):
        """moto drops whether to reboot, and which volumes to take along."""
        self._request.params = dict(response.params)
        try:
            return original(response)
        finally:
            self._request.params = {}

    @hook(AmiBackend, "create_image", "self, instance_id, name, description, tag_specifications")
    def create(self, original, backend, instance_id, name, description, tag_specifications):
        _check_name(backend, name)
        asked = getattr(self._request, "params", {})
        instance = backend.get_instance(instance_id)
        root = instance.root_device_name
        volumes, added = _volumes(instance, asked.get("BlockDeviceMappings", []))
        # moto knows no tags for the snapshot beside the image's
        image_tags = [each for each in tag_specifications if each["ResourceType"] == "image"]
        made = original(backend, instance_id, name, description, image_tags)
        # before the layer is there: what no image has is swept away
        made.layers = [str(self._layer(made.id)), *instance.layers]
        snapshots = {}
        try:
            with self._still(instance, reboot=not asked.get("NoReboot")):
                self._copy(instance, made.id)
                for device, (volume, _) in volumes.items():
                    snapshots[device] = backend.create_snapshot(
                        volume.id, f"Created by CreateImage({instance_id})"
                    )
        except (shell.CommandError, OSError, EC2ClientError) as error:
            # the host that does not start again is one of these too
            backend.deregister_image(made.id)
            for snapshot in (made.ebs_snapshot, *snapshots.values()):
                backend.delete_snapshot(snapshot.id)
            raise EC2ClientError(
                "InternalError", f"the image could not be made: {error}"
            ) from error
        for specification in tag_specifications:
            if specification["ResourceType"] == "snapshot":
                tags = {each["Key"]: each["Value"] for each in specification["Tags"]}
                for snapshot in (made.ebs_snapshot, *snapshots.values()):
                    snapshot.add_tags(tags)
        _describe_root(made, root, backend.get_volume(root_volume_id(instance)).size)
        made.volumes = [
            {"DeviceName": device, "Ebs": {**ebs, "SnapshotId": snapshots[device].id}}
            for device, (_, ebs) in volumes.items()
        ] + added
        return made

    @contextmanager
    def _still(self, instance, reboot: bool):
        """Let the instance stand still: shut down, unless it may not be rebooted."""
        instances, backend = self.cloud.service(Instances), self.cloud.backend("ec2")
        devices = instance.block_device_mapping.values()
        volumes = [backend.get_volume(each.volume_id) for each in devices]
        if reboot and instance.state == "running":
            with instances.rebooting(instance):
                yield
        else:
            with self.cloud.service(Volumes).frozen(volumes):
                yield

    @hook(AmisResponse, "register_image", "self")
    def register_by_request(self, original, response):
        self._request.params = dict(response.params)
        try:
            return original(response)
        finally:
            self._request.params = {}

    @hook(AmiBackend, "register_image", "self, name, description")
    def register(self, original, backend, name=None, description=None):
        """An image out of snapshots; its root's must be of a host's root volume."""
        asked = getattr(self._request, "params", {})
        _check_name(backend, name)
        mappings = {each["DeviceName"]: each.get("Ebs") or {}
                    for each in asked.get("BlockDeviceMappings", [])}  # fmt: skip
        device = asked.get("RootDeviceName") or ROOT_DEVICE
        root = mappings.pop(device, {})
        snapshot = backend.get_snapshot(root["SnapshotId"]) if root.get("SnapshotId") else None
        if not hasattr(snapshot, "layers"):
            raise EC2ClientError(
                "InvalidBlockDeviceMapping",
                f"The root device {device} needs a snapshot of a root volume: no host of this "
                "local cloud could start from another one.",
            )
        made = original(backend, name, description)
        made.layers = [str(self._layer(made.id)), *snapshot.layers]
        with self.cloud.storage.snapshot_mounted(snapshot.id) as volume:
            self._copy_layer(volume / "upper", made.id)
        made.architecture, made.virtualization_type = "x86_64", "hvm"
        backend.snapshots.pop(made.ebs_snapshot.id)
        made.ebs_snapshot = snapshot
        _describe_root(made, device, int(root.get("VolumeSize") or snapshot.volume_size))
        made.volumes = [{"DeviceName": name, "Ebs": ebs} for name, ebs in mappings.items()]
        return made

    @hook(AmiBackend, "copy_image", "self, source_image_id, source_region, name, description")
    def copy(self, original, backend, source_image_id, source_region, *args, **kwargs):
        source = backend.amis.get(source_image_id)
        if source_region != backend.region_name or source is None:
            raise EC2ClientError(
                "InvalidAMIID.NotFound",
                f"The image id '[{source_image_id}]' does not exist in {source_region} of this "
                "local cloud",
            )
        made = original(backend, source_image_id, source_region, *args, **kwargs)
        made.layers = source.layers
        made.volumes = list(getattr(source, "volumes", ()))
        _describe_root(made, source.root_device_name, source.root_size)
        return made

    @hook(Ami, "block_device_mappings", "self")
    def mappings(self, original, image):
        """moto's root has 15 GiB, whatever it is."""
        root = {
            "SnapshotId": image.ebs_snapshot.id,
            "VolumeSize": getattr(image, "root_size", 8),
            "VolumeType": "gp3",
            "DeleteOnTermination": True,
            "Encrypted": False,
        }
        return [{"DeviceName": image.root_device_name, "Ebs": root}, *getattr(image, "volumes", ())]

    @hook(AmiBackend, "deregister_image", "self, ami_id")
    def deregister(self, original, backend, ami_id):
        result = original(backend, ami_id)
        self._sweep()
        return result

    def reconcile(self) -> None:
        self._sweep()

    def rows(self) -> list[Row]:
        return [
            Row(
                id=each.id,
                kind="AMI",
                name=each.name or "",
                state=each.state,
                address="",
                real=str(each.layers[0]),
                health="ok" if Path(each.layers[0]).exists() else "missing",
            )
            for each in self.cloud.backend("ec2").amis.values()
            if hasattr(each, "layers")
        ]

    def _layer(self, image_id: str) -> Path:
        return self.directory / image_id

    def _copy(self, instance, image_id: str) -> None:
        """Copy what the host wrote into a layer of its own, without what identifies the host."""
        storage = self.cloud.storage
        upper = storage.upper(instance.id)
        mounted = upper.exists()
        if not mounted:
            storage.mount_root(
                instance.id, root_volume_id(instance), [Path(each) for each in instance.layers]
            )
        try:
            self._copy_layer(upper, image_id)
        finally:
            if not mounted:
                storage.unmount_root(instance.id, root_volume_id(instance))

    def _copy_layer(self, upper: Path, image_id: str) -> None:
        layer = self._layer(image_id)
        part = layer.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        # -a keeps the overlay's whiteouts and attributes, which make deletions visible
        shell.run("cp", "--archive", f"{upper}/.", part, timeout=600)
        for pattern in PRIVATE:
            for path in part.glob(pattern):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        part.rename(layer)

    def _sweep(self) -> None:
        """Delete layers that neither an image nor a host needs any more."""
        backend = self.cloud.backend("ec2")
        with self._sweeping:
            if not self.directory.exists():
                return
            owners: list[TaggedEC2Resource] = [*backend.amis.values()]
            owners += [each for each in backend.all_instances() if each.state != "terminated"]
            needed = {layer for each in owners for layer in getattr(each, "layers", ())}
            for path in self.directory.iterdir():
                if path.suffix != ".part" and str(path) not in needed:
                    shutil.rmtree(path)


def _check_name(backend, name: str) -> None:
    for each in backend.amis.values():
        if each.name == name and each.owner_id == backend.account_id:
            raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use")


def _describe_root(image: Ami, device: str, size: int) -> None:
    image.root_device_name, image.root_device_type, image.root_size = device, "ebs", size
    image.ebs_snapshot.size = size


def _volumes(instance, mappings: list[dict]) -> tuple[dict, list[dict]]:
    """Volumes that go into an image: by device those of the instance, and new ones."""
    asked = {each["DeviceName"]: each for each in mappings}
    volumes = {}
    for device, mapping in instance.block_device_mapping.items():
        if device == instance.root_device_name or "NoDevice" in asked.get(device, {}):
            continue
        volume = instance.ec2_backend.get_volume(mapping.volume_id)
        ebs = {
            "VolumeSize": volume.size,
            "VolumeType": volume.volume_type,
            "DeleteOnTermination": mapping.delete_on_termination,
            **({"Iops": volume.iops} if volume.volume_type in ("io1", "io2") else {}),
            **(asked.get(device, {}).get("Ebs") or {}),
        }
        volumes[device] = volume, ebs
    added = [
        {"DeviceName": device, "Ebs": dict(each["Ebs"])}
        for device, each in asked.items()
        if device not in instance.block_device_mapping and each.get("Ebs")
    ]
    return volumes, added
