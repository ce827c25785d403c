"""What can be changed of an instance that is there: its groups, its metadata, its behaviour."""

from moto.ec2.exceptions import EC2ClientError, InvalidSecurityGroupNotFoundError
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.instances import InstanceBackend, MetadataOptions
from moto.ec2.responses.instances import InstanceResponse

from localcloud.hooks import hook
from localcloud.services.base import Service


class InstanceAttributes(Service):
    """An instance's groups are its first interface's; what is not asked for stays."""

    @hook(NetworkInterface, "group_set", "self")
    def groups(self, original, interface):
        """moto adds the instance's at launch, which could so never be taken away."""
        return interface._group_set

    @hook(NetworkInterfaceBackend, "modify_network_interface_attribute",
          "self, eni_id, group_ids, source_dest_check, description")  # fmt: skip
    def modify_interface(self, original, backend, eni_id, group_ids, *args, **kwargs):
        _check_groups(backend, group_ids)
        original(backend, eni_id, group_ids, *args, **kwargs)
        interface = backend.get_network_interface(eni_id)
        if interface.instance and interface.device_index == 0:
            interface.instance.security_groups = interface._group_set

    @hook(InstanceBackend, "modify_instance_security_groups",
          "self, instance_id, new_group_id_list")  # fmt: skip
    def modify_groups(self, original, backend, instance_id, new_group_id_list):
        _check_groups(backend, new_group_id_list)
        instance = original(backend, instance_id, new_group_id_list)
        instance.nics[0]._group_set = instance.security_groups
        return instance

    @hook(InstanceResponse, "_dot_value_instance_attribute_handler", "self")
    def modify_behaviour(self, original, response):
        value = response._get_param("InstanceInitiatedShutdownBehavior.Value")
        if value is None:
            return original(response)
        if value not in ("stop", "terminate"):
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ({value}) for parameter instanceInitiatedShutdownBehavior is invalid.",
            )
        response.error_on_dryrun()
        response.ec2_backend.modify_instance_attribute(
            response._get_param("InstanceId"), "instance_initiated_shutdown_behavior", value
        )
        return True

    @hook(InstanceResponse, "_security_grp_instance_attribute_handler", "self")
    def modify_nothing_else(self, original, response):
        """moto takes every attribute that it does not know for an empty list of groups."""
        if not response._get_param("Groups"):
            raise EC2ClientError(
                "InvalidParameterCombination",
                "No attributes specified that this local cloud can change.",
            )
        return original(response)

    @hook(InstanceBackend, "modify_instance_metadata_options",
          "self, instance_id, http_tokens, hop_limit, http_endpoint, dry_run, http_protocol, "
          "metadata_tags")  # fmt: skip
    def modify_metadata(self, original, backend, instance_id, http_tokens=None, hop_limit=None,
                        http_endpoint=None, dry_run=False, http_protocol=None,
                        metadata_tags=None):  # fmt: skip
        instance = backend.get_instance(instance_id)
        now = instance.metadata_options
        instance.metadata_options = MetadataOptions(
            {
                "HttpTokens": http_tokens or now.http_tokens,
                "HttpPutResponseHopLimit": hop_limit or now.http_put_response_hop_limit,
                "HttpEndpoint": http_endpoint or now.http_endpoint,
                "HttpProtocolIpv6": http_protocol or now.http_protocol_ipv6,
                "InstanceMetadataTags": metadata_tags or now.instance_metadata_tags,
            }
        )
        return instance.metadata_options


def _check_groups(backend, group_ids) -> None:
    for group_id in group_ids or ():
        if backend.get_security_group_from_id(group_id) is None:
            raise InvalidSecurityGroupNotFoundError(group_id)
