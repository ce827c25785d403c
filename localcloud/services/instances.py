"""EC2 instances: each is a Debian container with systemd, booted by the real cloud-init."""

import base64
import copy
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError, InvalidInstanceTypeError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, StateReason
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import filter_iam_instance_profiles

from localcloud.engine import Container, EngineError
from localcloud.hooks import hook
from localcloud.network import NetworkError
from localcloud.services import capacity, launches, market
from localcloud.services.base import Row, Service
from localcloud.services.network_interfaces import NetworkInterfaces, check_request
from localcloud.settings import REGION
from localcloud.shell import CommandError

log = logging.getLogger("localcloud.instances")

REBOOTED = 129  # the kernel ends PID 1 of a namespace by SIGHUP for reboot(2)
POWERED_OFF = {0, 130}
FORGET_AFTER = timedelta(hours=1)  # as EC2 does with terminated instances


def limits(instance_type: str) -> tuple[float, int]:
    """Cores of this machine and MiB for an instance type.

    Memory is the type's own, at most three quarters of the machine. A vCPU is a quarter of this
    machine, at most one core: four vCPUs are all of a small machine and four cores of a big one.
    """
    kind = INSTANCE_TYPES[instance_type]
    cores = os.cpu_count() or 1
    share = float(os.environ.get("LOCALCLOUD_VCPU") or min(1.0, cores / 4))
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return (
        min(cores, kind["VCpuInfo"]["DefaultVCpus"] * share),
        min(machine * 3 // 4, kind["MemoryInfo"]["SizeInMiB"]),
    )


def failure(error: Exception) -> EC2ClientError:
    """The API error for a host that could not be started or changed."""
    return EC2ClientError("InternalError", str(error))


class Instances(Service):
    """RunInstances, Start, Stop, Reboot, Terminate, and what happens behind their back."""

    @hook(InstanceResponse, "run_instances", "self")
    def asked(self, original, response):
        """moto starts MinCount; AWS starts MaxCount when it can, once for each ClientToken."""
        params = dict(response.params)
        market.check(params.get("InstanceMarketOptions") or {})
        token = params.get("ClientToken")
        with self._token_lock(token):
            known = self._reservation(response.ec2_backend, token)
            if known is not None:
                if known.request != launches.digest(params):
                    raise launches.mismatch()
                return ActionResult(known)
            response.params["MinCount"] = response._get_param("MaxCount") or 1
            response.params.pop("IamInstanceProfile", None)  # moto gives it to the first only
            self._request.params = params
            try:
                return original(response)
            finally:
                self._request.params = {}

    @hook(InstanceResponse, "_parse_block_device_mapping", "self")
    def parse_mappings(self, original, response):
        """moto drops MiB/s and asks every mapping for a volume."""
        return [dict(each) for each in response._get_param("BlockDeviceMappings", [])]

    @contextmanager
    def _token_lock(self, token: str | None):
        """Only one call with this token at a time."""
        with self.cloud.lock:
            lock = self._tokens.setdefault(token, threading.Lock()) if token else nullcontext()
        try:
            with lock:
                yield
        finally:
            with self.cloud.lock:
                self._tokens.pop(token, None)

    def _reservation(self, backend, token: str | None):
        """What an earlier call with this token has made."""
        for each in list(backend.reservations.values()):
            if token and getattr(each, "client_token", None) == token:
                return each
        return None

    @hook(Instance, "__init__",
          "self, ec2_backend, image_id, user_data, security_groups, kwargs")  # fmt: skip
    def pending(self, original, instance, *args, **kwargs):
        """moto's are running at once; ours when their host is."""
        original(instance, *args, **kwargs)
        instance._state = InstanceState("pending", 0)
        instance.answered = False
        # moto does not look at interfaces that it was not asked to make
        instance._placement.zone = instance.nics[0].subnet.availability_zone
        instance.security_groups = instance.nics[0]._group_set

    @hook(InstanceBackend, "run_instances",
          "self, image_id, count, user_data, security_group_names, kwargs")  # fmt: skip
    def run(self, original, backend, image_id, count, user_data, security_group_names, **kwargs):
        template = kwargs.get("launch_template")
        data = backend._get_template_from_args(template).data if template else {}
        asked = getattr(self._request, "params", {})
        kwargs = launches.in_default_subnet(launches.complete(kwargs, data, asked), backend)
        image = self._image(backend, image_id or data.get("ImageId"))
        instance_type = kwargs.get("instance_type")
        if kwargs.get("is_instance_type_default"):
            instance_type = data.get("InstanceType") or instance_type
        launches.check_type(instance_type, image)
        capacity.check(
            self.cloud,
            instance_type,
            capacity.zone_of(backend, kwargs),
            bool(kwargs.get("instance_market_options")),
        )
        key_name = kwargs.get("key_name")
        if key_name and key_name not in backend.key_pairs:
            raise EC2ClientError(
                "InvalidKeyPair.NotFound", f"The key pair '{key_name}' does not exist"
            )
        self._check_profile(backend, kwargs)
        check_request(kwargs.get("nics") or [], instance_type, count, backend)
        mappings = kwargs.get("block_device_mappings") or data.get("BlockDeviceMappings") or []
        kwargs["block_device_mappings"] = launches.block_devices(mappings, image, backend)
        self._request.volumes = {
            each["DeviceName"]: each["Ebs"] for each in kwargs["block_device_mappings"]
        }
        with ExitStack() as changing:
            with self.cloud.lock:  # so that the reconciler sees no instance without a host
                before = set(backend.reservations)
                try:
                    reservation = original(
                        backend, image_id, count, user_data, security_group_names, **kwargs
                    )
                except Exception:
                    for key in set(backend.reservations) - before:
                        for instance in backend.reservations.pop(key).instances:
                            instance.terminate()
                    raise
                changing.enter_context(self._changing(reservation.instances))
            error = self._launch(reservation.instances, image, kwargs)
        if error:
            log.error("run %s: %s", image_id, error)
            for instance in reservation.instances:
                instance.disable_api_termination = False
            backend.terminate_instances([each.id for each in reservation.instances])
            raise error
        for instance in reservation.instances:
            instance.answered = True
            instance._state = InstanceState("running", 16)
        if asked.get("ClientToken"):
            reservation.client_token = asked["ClientToken"]
            reservation.request = launches.digest(asked)
        return reservation

    @hook(Instance, "add_block_device",
          "self, size, device_path, snapshot_id, encrypted, delete_on_termination, kms_key_id, "
          "volume_type")  # fmt: skip
    def add_volume(self, original, instance, size, device_path, snapshot_id, encrypted,
                   delete_on_termination, kms_key_id, volume_type):  # fmt: skip
        """moto drops a new volume's IOPS and MiB/s."""
        asked = self._request.volumes[device_path]
        volume = instance.ec2_backend.create_volume(
            size=size,
            zone_name=instance.availability_zone,
            snapshot_id=snapshot_id,
            encrypted=encrypted,
            kms_key_id=kms_key_id,
            volume_type=volume_type,
            iops=int(asked["Iops"]) if asked.get("Iops") else None,
            throughput=int(asked["Throughput"]) if asked.get("Throughput") else None,
        )
        instance.ec2_backend.attach_volume(
            volume.id, instance.id, device_path, delete_on_termination
        )

    def _check_profile(self, backend, kwargs) -> None:
        name, arn = (kwargs[f"iam_instance_profile_{each}"] for each in ("name", "arn"))
        try:
            filter_iam_instance_profiles(backend.account_id, backend.partition, arn, name)
        except ServiceException as error:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ({name or arn}) for parameter iamInstanceProfile is invalid. Invalid IAM "
                "Instance Profile",
            ) from error

    def _launch(self, instances, image, kwargs) -> EC2ClientError | None:
        """Boot new instances; return what went wrong."""
        try:
            for instance in instances:
                instance.layers = image.layers
                _complete(instance, kwargs)
            self._each(self._boot, instances)
        except EC2ClientError as error:
            return error
        except Exception as error:
            log.exception("boot")
            return failure(error)
        return None

    @hook(InstanceBackend, "start_instances", "self, instance_ids")
    def start(self, original, backend, instance_ids):
        stopped = [
            each
            for each in backend.get_multi_instances_by_id(instance_ids)
            if each.state != "running"
        ]
        for each in stopped:
            if each.state == "terminated":
                raise EC2ClientError(
                    "IncorrectInstanceState",
                    f"The instance '{each.id}' is not in a state from which it can be started.",
                )
            capacity.check(self.cloud, each.instance_type, each.availability_zone, False)
        with self._changing(stopped):
            changed = original(backend, instance_ids)
            for each in stopped:
                each._state = InstanceState("pending", 0)
            try:
                self._each(self._boot, stopped)
            except Exception as error:
                raise failure(error) from error
            finally:
                for each in stopped:
                    if self.running(each.id):
                        each._state = InstanceState("running", 16)
                    else:
                        each.stop()
        return changed

    @hook(InstanceBackend, "stop_instances", "self, instance_ids")
    def stop(self, original, backend, instance_ids):
        instances = backend.get_multi_instances_by_id(instance_ids)
        market.check_stop(instances)
        with self._changing(instances):
            changed = original(backend, instance_ids)
            self._each(self._halt, instances)
        return changed

    @hook(InstanceBackend, "reboot_instances", "self, instance_ids")
    def reboot(self, original, backend, instance_ids):
        instances = backend.get_multi_instances_by_id(instance_ids)
        with self._changing(instances):
            self._each(self._halt, instances)
            self._each(self._boot, instances)
            return original(backend, instance_ids)

    @hook(InstanceBackend, "terminate_instances", "self, instance_ids")
    def terminate(self, original, backend, instance_ids):
        instances = backend.get_multi_instances_by_id(instance_ids)
        # terminating twice is no error on AWS
        ended = [each for each in instances if each.state == "terminated"]
        alive = [each for each in instances if each.state != "terminated"]
        with self._changing(alive):
            if not any(each.disable_api_termination for each in alive):
                self._each(self._destroy, alive)
            ids = [each.id for each in alive]
            changed = original(backend, ids) if ids or not instances else []
        return changed + [(each, copy.copy(each._state)) for each in ended]

    @hook(Instance, "terminate", "self")
    def keep_interfaces(self, original, instance):
        """Interfaces that do not end with the instance can be attached again."""
        ended = original(instance)
        for interface in [each for each in instance.nics.values() if each.id in self._enis()]:
            interface.instance = interface.attachment_id = interface.attach_time = None
            interface.status = "available"
        return ended

    def _enis(self):
        return self.cloud.backend("ec2").enis

    @hook(InstanceBackend, "modify_instance_attribute", "self, instance_id, key, value")
    def modify(self, original, backend, instance_id, key, value):
        instance = backend.get_instance(instance_id)
        if key == "instance_type":
            if instance.state != "stopped":
                raise EC2ClientError(
                    "IncorrectInstanceState",
                    f"The instance '{instance_id}' is not in the 'stopped' state.",
                )
            if value not in INSTANCE_TYPES:
                raise InvalidInstanceTypeError(value)
        return original(backend, instance_id, key, value)

    # what runs

    def __init__(self, cloud):
        super().__init__(cloud)
        self._busy: set[str] = set()  # instances that a call is changing right now
        self._request = threading.local()  # .params: what RunInstances is asked in this thread
        self._tokens: dict[str, threading.Lock] = {}

    def all(self) -> list[Instance]:
        return list(self.cloud.backend("ec2").all_instances())

    def running(self, instance_id: str) -> bool:
        state = self.cloud.engine.containers().get(instance_id)
        return bool(state and state.running)

    def by_address(self, address: str) -> Instance | None:
        """The instance that has this private address."""
        return next(
            (
                each
                for each in self.all()
                if each.state != "terminated"
                and any(nic.private_ip_address == address for nic in each.nics.values())
            ),
            None,
        )

    def adopt(self) -> list[str]:
        said = self._end_pending()
        containers = self.cloud.engine.containers()
        wanted = {each.id: each for each in self.all() if each.state == "running"}
        for name, container in containers.items():
            if container.labels.get("kind") == "instance" and name not in wanted:
                self.cloud.engine.remove(name)
                said.append(f"removed host {name}: the API does not know it as running")
        for name in self.cloud.storage.mounted_hosts("i-") - set(wanted):
            self.cloud.storage.unmount_root(name, None)
            said.append(f"unmounted the root of {name}")
        for name, instance in wanted.items():
            if name in containers and containers[name].running:
                said.append(f"adopted host {name}")
                continue
            try:
                self._boot(instance)
                said.append(f"started host {name} again: it was not running")
            except EC2ClientError as error:
                said.append(f"could not start host {name}: {error}")
        known = {*self.cloud.backend("ec2").enis} | {
            host.interface_id for service in self.cloud.services for host in service.hosts()
        }
        interfaces = {self.cloud.network.device(each) for each in known}
        for device in self.cloud.network.namespaces() - interfaces:
            self.cloud.network.remove(device)
            said.append(f"removed interface {device}: the API does not know it")
        return said

    def _end_pending(self) -> list[str]:
        """Undo calls that were never answered: a new instance ends, an old one is stopped again."""
        said = []
        for instance in [each for each in self.all() if each.state == "pending"]:
            if instance.answered:
                instance.stop()
                said.append(f"{instance.id} is stopped: its start was never answered")
            else:
                instance.disable_api_termination = False
                self.cloud.backend("ec2").terminate_instances([instance.id])
                said.append(f"terminated {instance.id}: its creation was never answered")
        return said

    def reconcile(self) -> None:
        settled = [each for each in self.all() if each.id not in self._busy]
        containers = self.cloud.engine.containers()
        for instance in settled:
            try:
                self._look_after(instance, containers.get(instance.id))
            except Exception:
                log.exception("reconcile %s", instance.id)

    def _look_after(self, instance: Instance, container) -> None:
        if instance.state == "running" and not (container and container.running):
            with suppress(EC2ClientError), self._changing([instance]):
                if not self.running(instance.id):
                    self._died(instance, container)
        if instance.state == "terminated":
            self._forget(instance)

    def names(self) -> dict[str, list[str]]:
        names = {}
        for each in self.all():
            if each.state == "terminated":
                continue
            names[each.private_dns_name] = [each.private_ip]
            if each.public_dns_name:
                names[each.public_dns_name] = [each.private_ip]
        return names

    def public_names(self) -> dict[str, list[str]]:
        return {
            each.public_dns_name: [each.public_ip]
            for each in self.all()
            if each.state != "terminated" and each.public_dns_name
        }

    def rows(self) -> list[Row]:
        containers = self.cloud.engine.containers()
        rows = []
        for each in self.all():
            container = containers.get(each.id)
            cpus, memory = limits(each.instance_type)
            rows.append(
                Row(
                    id=each.id,
                    kind=f"instance {each.instance_type}",
                    name=tag(each, "Name"),
                    state=each.state,
                    address=" ".join(filter(None, [each.private_ip, each.public_ip]))
                    if each.state != "terminated"
                    else "",
                    real=f"container pid {container.pid}, {cpus:g} cores, {memory} MiB"
                    if container
                    else "",
                    health=self._health(each, container),
                )
            )
        return rows

    # how

    def _image(self, backend, image_id):
        images = backend.describe_images(ami_ids=[image_id] if image_id else ["ami-"])
        if not hasattr(images[0], "layers"):
            raise EC2ClientError(
                "InvalidAMIID.NotFound",
                f"The image id '[{image_id}]' does not exist in this local cloud: it has Debian 13 "
                "(owner 136693071363, name debian-13-amd64-*) and what is made from it",
            )
        if images[0].state != "available":
            raise EC2ClientError(
                "InvalidAMIID.Unavailable", f"The image ID '{images[0].id}' is {images[0].state}"
            )
        return images[0]

    @contextmanager
    def _changing(self, instances):
        """Keep the reconciler and other calls off these instances meanwhile."""
        ids = {instance.id for instance in instances}
        with self.cloud.lock:
            if ids & self._busy:
                raise EC2ClientError(
                    "IncorrectInstanceState",
                    f"{', '.join(sorted(ids & self._busy))}: another call is still changing it",
                )
            self._busy |= ids
        try:
            yield
        finally:
            with self.cloud.lock:
                self._busy -= ids

    def _each(self, action, instances) -> None:
        """Do ``action`` on all at once; raise the first error after all are done."""
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(action, instances))

    @contextmanager
    def rebooting(self, instance: Instance):
        """Shut an instance down, and boot it again afterwards."""
        with self._changing([instance]):
            self._halt(instance)
            try:
                yield
            finally:
                self._boot(instance)

    def _boot(self, instance: Instance) -> None:
        root_volume = root_volume_id(instance)
        cpus, memory = limits(instance.instance_type)
        cloud = self.cloud
        if cloud.engine.containers().get(instance.id):
            cloud.engine.remove(instance.id)
        try:
            root = cloud.storage.mount_root(
                instance.id, root_volume, [Path(each) for each in instance.layers]
            )
            interfaces = cloud.service(NetworkInterfaces)
            namespace, *_ = [interfaces.plug(instance, index) for index in sorted(instance.nics)]
            cloud.engine.run(
                Container(
                    name=instance.id,
                    root=root,
                    hostname=instance.private_dns_name.split(".")[0],
                    network_namespace=namespace,
                    cpus=cpus,
                    memory=memory,
                    labels={"kind": "instance"},
                    mounts=cloud.lxcfs.mounts(),
                )
            )
        except (EngineError, CommandError, NetworkError, OSError) as error:
            raise failure(error) from error
        for service in cloud.services:
            service.host_started(instance)

    def _halt(self, instance: Instance) -> None:
        self.cloud.engine.stop(instance.id)
        self.cloud.storage.unmount_root(instance.id, root_volume_id(instance))

    def _destroy(self, instance: Instance) -> None:
        self.cloud.engine.remove(instance.id)
        self.cloud.storage.unmount_root(instance.id, root_volume_id(instance))
        for interface in instance.nics.values():
            self.cloud.network.unplug(interface.id)

    def _died(self, instance: Instance, container) -> None:
        code = container.exit_code if container else None
        if code == REBOOTED:
            log.info("%s reboots", instance.id)
            self._halt(instance)
            self._boot(instance)
            return
        self._halt(instance)
        if code in POWERED_OFF and instance.instance_initiated_shutdown_behavior == "terminate":
            self._destroy(instance)
            instance.terminate()
        else:
            instance.stop()
        if code in POWERED_OFF:
            reason = "Client.InstanceInitiatedShutdown"
            message = "Client.InstanceInitiatedShutdown: Instance initiated shutdown"
        else:
            reason = "Server.InternalError"
            how = f"exit code {code}" if container else "container removed"
            message = f"Server.InternalError: the host died ({how})"
        instance._reason = message
        instance.state_reason = StateReason(message, reason)
        log.warning("%s: %s", instance.id, message)

    def _forget(self, instance: Instance) -> None:
        ended = getattr(instance, "ended", None)
        if ended is None:
            instance.ended = utcnow()
        elif utcnow() - ended > FORGET_AFTER:
            backend = self.cloud.backend("ec2")
            for key, reservation in list(backend.reservations.items()):
                if instance in reservation.instances:
                    reservation.instances.remove(instance)
                if not reservation.instances:
                    del backend.reservations[key]

    def _health(self, instance: Instance, container) -> str:
        if instance.state != "running":
            return instance.state_reason.message if instance.state == "stopped" else ""
        if not container or not container.running:
            return "dead"
        return "ok"


def root_volume_id(instance: Instance) -> str | None:
    device = instance.block_device_mapping.get(instance.root_device_name)
    return device.volume_id if device else None


def tag(resource, key: str) -> str:
    return next((each["value"] for each in resource.get_tags() if each["key"] == key), "")


def user_data(instance: Instance) -> bytes | None:
    """The user data as the instance sees it."""
    if not instance.user_data:
        return None
    return base64.b64decode(str(instance.user_data))


def _complete(instance: Instance, kwargs: dict) -> None:
    """Fill in what moto drops: interfaces that end with the instance, their tags, its profile."""
    if instance.region_name != REGION:
        raise EC2ClientError("InvalidRequest", f"This local cloud has hosts in {REGION} only.")
    name = kwargs.get("iam_instance_profile_name")
    arn = kwargs.get("iam_instance_profile_arn")
    if name or arn:
        instance.ec2_backend.associate_iam_instance_profile(
            instance.id, iam_instance_profile_name=name, iam_instance_profile_arn=arn
        )
    given = {each.get("NetworkInterfaceId") for each in kwargs.get("nics") or []}
    for interface in instance.nics.values():
        if interface.id not in given:
            interface.delete_on_termination = True
            interface.add_tags(kwargs["tags"].get("network-interface", {}))
