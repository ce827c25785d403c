"""A list of versions goes on where its page ended, also when that one has been deleted since."""

from moto.core.utils import unix_time_millis
from moto.s3.models import S3Backend

from localcloud.hooks import hook
from localcloud.services.base import Service

PARAMETERS = "self, bucket_name, delimiter, key_marker, max_keys, prefix, version_id_marker"


class Versions(Service):
    """Whoever empties a bucket deletes page by page: moto would call the second one empty."""

    @hook(S3Backend, "list_object_versions", PARAMETERS)
    def goes_on(self, original, backend, bucket_name, *args, **kwargs):
        key = kwargs.get("key_marker")
        version = kwargs.get("version_id_marker")
        if key and version:
            there = sorted_versions(backend.get_bucket(bucket_name), key)
            if version not in [each.version_id for each in there if each.name == key]:
                # where in the key it was nobody knows: all that is left of it comes
                before = [each for each in there if each.name < key]
                kwargs["key_marker"] = before[-1].name if before else None
                kwargs["version_id_marker"] = before[-1].version_id if before else None
        return original(backend, bucket_name, *args, **kwargs)


def sorted_versions(bucket, key: str) -> list:
    """Those up to the key, in the order of the list: by key, the newest first."""
    found = [
        version for name, versions in bucket.keys.iterlists() if name <= key for version in versions
    ]
    return sorted(found, key=lambda each: (each.name, -unix_time_millis(each.last_modified)))
