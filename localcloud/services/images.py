"""AMIs: Debian's own, and images made from hosts as a further read-only layer."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.core import TaggedEC2Resource

from localcloud import image, shell
from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.instances import root_volume_id
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
            debian.root_size = 8
            backend.amis[image_id] = debian
        for part in self.directory.glob("*.part"):
            shutil.rmtree(part)  # of a process that was killed
        return []

    @property
    def directory(self) -> Path:
        return self.cloud.settings.state / "images"

    @hook(AmiBackend, "create_image", "self, instance_id, name, description, tag_specifications")
    def create(self, original, backend, instance_id, name, description, tag_specifications):
        if any(each.name == name and each.owner_id == backend.account_id
               for each in backend.amis.values()):  # fmt: skip
            raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use")
        instance = backend.get_instance(instance_id)
        # moto knows no tags for the snapshot beside the image's
        image_tags = [each for each in tag_specifications if each["ResourceType"] == "image"]
        made = original(backend, instance_id, name, description, image_tags)
        try:
            layer = self._copy(instance, made.id)
        except (shell.CommandError, OSError) as error:
            backend.deregister_image(made.id)
            raise EC2ClientError(
                "InternalError", f"the image could not be made: {error}"
            ) from error
        for specification in tag_specifications:
            if specification["ResourceType"] == "snapshot":
                made.ebs_snapshot.add_tags(
                    {each["Key"]: each["Value"] for each in specification["Tags"]}
                )
        made.layers = [str(layer), *instance.layers]
        made.root_device_name = instance.root_device_name
        made.root_device_type = "ebs"
        made.root_size = backend.get_volume(root_volume_id(instance)).size
        return made

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

    def _copy(self, instance, image_id: str) -> Path:
        """Copy what the host wrote into a layer of its own, without what identifies the host."""
        storage = self.cloud.storage
        upper = storage.upper(instance.id)
        mounted = upper.exists()
        if not mounted:
            storage.mount_root(
                instance.id, root_volume_id(instance), [Path(each) for each in instance.layers]
            )
        layer = self.directory / image_id
        part = layer.with_suffix(".part")
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            # -a keeps the overlay's whiteouts and attributes, which make deletions visible
            shell.run("cp", "--archive", f"{upper}/.", part, timeout=600)
        finally:
            if not mounted:
                storage.unmount_root(instance.id, root_volume_id(instance))
        for pattern in PRIVATE:
            for path in part.glob(pattern):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        part.rename(layer)
        return layer

    def _sweep(self) -> None:
        """Delete layers that neither an image nor a host needs any more."""
        if not self.directory.exists():
            return
        backend = self.cloud.backend("ec2")
        owners: list[TaggedEC2Resource] = [*backend.amis.values()]
        owners += [each for each in backend.all_instances() if each.state != "terminated"]
        needed = {layer for each in owners for layer in getattr(each, "layers", ())}
        for path in self.directory.iterdir():
            if path.suffix != ".part" and str(path) not in needed:
                shutil.rmtree(path)
