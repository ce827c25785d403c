"""What 169.254.169.254 tells each instance."""

import threading
from datetime import timedelta

from moto.core.utils import utcnow

from localcloud.metadata import PublicKeys, document
from localcloud.services.base import Service
from localcloud.services.instances import Instances, user_data
from localcloud.settings import ACCOUNT, REGION

ROLE_SESSION = 6 * 3600
# Of an instance of an Auto Scaling group, by its state; others go into service.
TARGETS = {
    "Terminating": "Terminated",
    "Terminating:Wait": "Terminated",
    "Terminating:Proceed": "Terminated",
    "EnteringStandby": "Standby",
    "Standby": "Standby",
    "Detaching": "Detached",
}


class InstanceMetadata(Service):
    """Builds the tree of metadata of the instance that asks."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self._credentials: dict[str, tuple[str, object]] = {}  # of an instance: role and session
        self._lock = threading.Lock()

    def tree(self, address: str) -> dict | None:
        """Paths below / for the instance with this private address."""
        instance = self.cloud.service(Instances).by_address(address)
        if instance is None or instance.metadata_options.http_endpoint == "disabled":
            return None
        data = user_data(instance)
        return {
            "http_tokens": instance.metadata_options.http_tokens,
            "latest": {
                "meta-data": self._meta_data(instance),
                "user-data": data,
                "dynamic": {"instance-identity": {"document": self._identity(instance)}},
            },
        }

    def _meta_data(self, instance) -> dict:
        interface = instance.nics[0]
        vpc = instance.ec2_backend.get_vpc(instance.vpc_id)
        groups = [group.name for group in interface.group_set]
        tags = {each["key"]: each["value"] for each in instance.get_tags()}
        return {
            "ami-id": instance.image_id,
            "ami-launch-index": str(instance.ami_launch_index),
            "autoscaling": self._autoscaling(instance),
            "block-device-mapping": {
                "ami": instance.root_device_name.removeprefix("/dev/"),
                "root": instance.root_device_name,
            },
            "events": self._events(instance),
            "hostname": instance.private_dns_name,
            "iam": self._iam(instance),
            "instance-action": "none",
            "instance-id": instance.id,
            "instance-life-cycle": instance.lifecycle or "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip,
            "mac": interface.mac_address,
            "network": {
                "interfaces": {
                    "macs": {
                        each.mac_address: self._interface(instance, each, vpc)
                        for each in instance.nics.values()
                    }
                }
            },
            "placement": {
                "availability-zone": instance.availability_zone,
                "availability-zone-id": interface.subnet._availability_zone.zone_id,
                "region": REGION,
            },
            "profile": "default-hvm",
            "public-hostname": instance.public_dns_name,
            "public-ipv4": instance.public_ip,
            "public-keys": self._keys(instance),
            "reservation-id": self._reservation(instance),
            "security-groups": "\n".join(groups),
            "services": {"domain": "amazonaws.com", "partition": "aws"},
            "spot": self._spot(instance),
            "tags": {"instance": tags}
            if instance.metadata_options.instance_metadata_tags == "enabled"
            else None,
        }

    def _interface(self, instance, interface, vpc) -> dict:
        return {
            "device-number": str(interface.device_index),
            "interface-id": interface.id,
            "local-hostname": instance.private_dns_name,
            "local-ipv4s": interface.private_ip_address,
            "mac": interface.mac_address,
            "owner-id": ACCOUNT,
            "public-hostname": instance.public_dns_name if interface.device_index == 0 else None,
            "public-ipv4s": interface.public_ip,
            "security-group-ids": "\n".join(group.id for group in interface.group_set),
            "security-groups": "\n".join(group.name for group in interface.group_set),
            "subnet-id": interface.subnet.id,
            "subnet-ipv4-cidr-block": interface.subnet.cidr_block,
            "vpc-id": vpc.id,
            "vpc-ipv4-cidr-block": vpc.cidr_block,
            "vpc-ipv4-cidr-blocks": vpc.cidr_block,
        }

    def _keys(self, instance) -> dict | None:
        pair = instance.ec2_backend.key_pairs.get(instance.key_name)
        if pair is None:
            return None
        return PublicKeys(**{pair.key_name: pair.material_public.decode().strip()})

    def _events(self, instance) -> dict | None:
        """That a Spot instance is likely to be interrupted, once EC2 says so."""
        notice = getattr(instance, "rebalance_notice", None)
        if notice is None:
            return None
        return {"recommendations": {"rebalance": document(noticeTime=_time(notice))}}

    def _spot(self, instance) -> dict | None:
        """The two-minute notice, once something has set it on the instance."""
        notice = getattr(instance, "spot_notice", None)
        if notice is None:
            return None
        return {
            "instance-action": document(action="terminate", time=f"{notice:%Y-%m-%dT%H:%M:%SZ}"),
            "termination-time": f"{notice:%Y-%m-%dT%H:%M:%SZ}",
        }

    def _autoscaling(self, instance) -> dict | None:
        """Where an instance of a group is on its way to; it acts on that for lifecycle hooks."""
        group = getattr(instance, "autoscaling_group", None)
        member = group.member(instance.id) if group else None
        if member is None:
            return None
        return {"target-lifecycle-state": TARGETS.get(member.lifecycle_state, "InService")}

    def _iam(self, instance) -> dict | None:
        association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
        profile = association.iam_instance_profile if association else None
        if profile is None or not profile.roles:
            return None
        role = profile.roles[0]
        return {
            "info": document(
                Code="Success",
                LastUpdated=_time(utcnow()),
                InstanceProfileArn=profile.arn,
                InstanceProfileId=profile.id,
            ),
            "security-credentials": {role.name: lambda: self._role(instance, role)},
        }

    def _role(self, instance, role) -> str:
        """Credentials that moto's STS knows, renewed an hour before they end."""
        with self._lock:
            owner, session = self._credentials.get(instance.id, (None, None))
            if owner != role.id or session.expiration - utcnow() < timedelta(hours=1):
                session = self.cloud.backend("sts", "aws").assume_role(
                    REGION, instance.id, role.arn, "", ROLE_SESSION, ""
                )
                session.issued = utcnow()
                self._credentials[instance.id] = (role.id, session)
        return document(
            Code="Success",
            LastUpdated=_time(session.issued),
            Type="AWS-HMAC",
            AccessKeyId=session.access_key_id,
            SecretAccessKey=session.secret_access_key,
            Token=session.session_token,
            Expiration=_time(session.expiration),
        )

    def _reservation(self, instance) -> str:
        reservations = instance.ec2_backend.reservations.values()
        return next((each.id for each in reservations if instance in each.instances), "")

    def _identity(self, instance) -> str:
        return document(
            accountId=ACCOUNT,
            architecture="x86_64",
            availabilityZone=instance.availability_zone,
            imageId=instance.image_id,
            instanceId=instance.id,
            instanceType=instance.instance_type,
            pendingTime=_time(instance.launch_time),
            privateIp=instance.private_ip,
            region=REGION,
            version="2017-09-30",
        )


def _time(moment) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
