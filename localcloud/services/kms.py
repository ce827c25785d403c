"""KMS: where moto's keys differ from AWS's."""

from moto.kms.models import KmsBackend

from localcloud.hooks import hook
from localcloud.services.base import Service


class Kms(Service):
    """Keys are moto's."""

    @hook(KmsBackend, "schedule_key_deletion", "self, key_id, pending_window_in_days")
    def delete_by_arn(self, original, backend, key_id, pending_window_in_days):
        """amazon.aws.kms_key names the key by its ARN, which AWS takes too."""
        return original(backend, key_id.rsplit("/", 1)[-1], pending_window_in_days)
