"""Attachments of EBS volumes: to one instance, or to several where EBS allows Multi-Attach."""

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import EBSBackend, Volume, VolumeAttachment
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance

from localcloud.hooks import hook
from localcloud.services.base import Service

MULTI_ATTACH = ("io1", "io2")
MOST = 16  # instances that a volume can be attached to at once


class VolumeAttachments(Service):
    """moto knows one attachment of a volume; the further ones are kept beside it."""

    @hook(Volume, "attachments", "self")
    def all(self, original, volume):
        return attachments(volume)

    @hook(EBSBackend, "attach_volume",
          "self, volume_id, instance_id, device_path, delete_on_termination")  # fmt: skip
    def attach(self, original, backend, volume_id, instance_id, device_path,
               delete_on_termination=False):  # fmt: skip
        volume, instance = backend.get_volume(volume_id), backend.get_instance(instance_id)
        _check(volume, instance, device_path)
        before = volume.attachment
        attachment = original(backend, volume_id, instance_id, device_path, delete_on_termination)
        if before:
            volume.others = [*getattr(volume, "others", ()), before]
        try:
            self._volumes().plug(attachment)
        except EC2ClientError:
            del instance.block_device_mapping[device_path]
            _bring_forward(volume, attachment)
            _drop(volume)
            raise
        return attachment

    @hook(EBSBackend, "detach_volume", "self, volume_id, instance_id, device_path")
    def detach(self, original, backend, volume_id, instance_id, device_path):
        volume = backend.get_volume(volume_id)
        found = [
            each
            for each in attachments(volume)
            if (not instance_id or each.instance.id == instance_id)
            and (not device_path or each.device == device_path)
        ]
        if len(found) > 1:
            raise EC2ClientError(
                "InvalidParameterCombination",
                f"Volume {volume_id} is attached to several instances: name one.",
            )
        if not found:
            instance_id = instance_id or "the instance"
            raise EC2ClientError(
                "IncorrectState", f"Volume '{volume_id}' is not attached to '{instance_id}'."
            )
        (attachment,) = found
        self._volumes().unplug(attachment)
        _bring_forward(volume, attachment)
        detached = original(backend, volume_id, attachment.instance.id, attachment.device)
        _drop(volume)
        return detached

    @hook(Instance, "teardown_defaults", "self")
    def end(self, original, instance):
        """What is attached to others too stays with them."""
        backend = instance.ec2_backend
        for device, mapping in list(instance.block_device_mapping.items()):
            backend.detach_volume(mapping.volume_id, instance.id, device)
            if mapping.delete_on_termination and not attachments(
                backend.get_volume(mapping.volume_id)
            ):
                backend.delete_volume(mapping.volume_id)

    def _volumes(self):
        from localcloud.services.volumes import Volumes

        return self.cloud.service(Volumes)


def attachments(volume: Volume) -> list[VolumeAttachment]:
    return [volume.attachment, *getattr(volume, "others", ())] if volume.attachment else []


def _bring_forward(volume: Volume, attachment: VolumeAttachment) -> None:
    """Make this attachment the one that moto sees."""
    volume.others = [each for each in attachments(volume) if each is not attachment]
    volume.attachment = attachment


def _drop(volume: Volume) -> None:
    """Forget the attachment that moto sees; another one takes its place."""
    others = list(getattr(volume, "others", ()))
    volume.attachment = others.pop(0) if others else None
    volume.others = others


def _check(volume: Volume, instance, device: str) -> None:
    """Refuse what EC2 refuses."""
    if instance.state not in ("running", "stopped", "pending"):
        raise EC2ClientError(
            "IncorrectState", f"Instance '{instance.id}' is {instance.state}, not 'running'."
        )
    if volume.zone.name != instance.availability_zone:
        raise EC2ClientError(
            "InvalidVolume.ZoneMismatch",
            f"The volume '{volume.id}' is not in the same availability zone as instance "
            f"'{instance.id}'",
        )
    if device in instance.block_device_mapping:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
        )
    there = attachments(volume)
    if not there:
        return
    if not volume.multi_attach_enabled or any(each.instance is instance for each in there):
        raise EC2ClientError("VolumeInUse", f"{volume.id} is already attached to an instance")
    if INSTANCE_TYPES[instance.instance_type]["Hypervisor"] != "nitro":
        raise EC2ClientError(
            "InvalidParameterCombination",
            f"{instance.instance_type} cannot have a volume that is attached to several instances.",
        )
    if len(there) >= MOST:
        raise EC2ClientError(
            "AttachmentLimitExceeded", f"{volume.id} is attached to {MOST} instances already."
        )
