"""Pages of a bucket's keys."""

import heapq

from moto.s3.exceptions import InvalidContinuationToken
from moto.s3.models import FakeDeleteMarker, S3Backend

from localcloud.hooks import hook
from localcloud.services.base import Service


class KeyLists(Service):
    """ListObjectsV2 without delimiter: moto would sort every key of the bucket for each page."""

    @hook(
        S3Backend,
        "list_objects_v2",
        "self, bucket, prefix, delimiter, continuation_token, start_after, max_keys",
    )
    def page(
        self,
        original,
        backend,
        bucket,
        prefix,
        delimiter,
        continuation_token,
        start_after,
        max_keys,
    ):
        tokens = backend._pagination_tokens
        if continuation_token and continuation_token not in tokens:
            raise InvalidContinuationToken
        if delimiter:
            return original(
                backend, bucket, prefix, delimiter, continuation_token, start_after, max_keys
            )
        after = (tokens[continuation_token] if continuation_token else start_after) or ""
        prefix = prefix or ""
        names = (
            name
            for name, key in bucket.keys.items()
            if name > after and name.startswith(prefix) and not isinstance(key, FakeDeleteMarker)
        )
        # one more tells that there is a next page
        found = [bucket.keys[name] for name in heapq.nsmallest(max_keys + 1, names)]
        return backend._truncate_result(found, max_keys)
