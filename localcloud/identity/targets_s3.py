"""Rights that S3's calls need: its actions are not called like its operations."""

from collections.abc import Iterator
from urllib.parse import unquote, urlparse

from localcloud.calls import Call
from localcloud.identity.targets import SERVICES, Target

ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}
OF_VERSIONS = ("GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging",
               "DeleteObjectTagging", "GetObjectAcl", "PutObjectAcl")  # fmt: skip


def _s3(cloud, call: Call, parameters: dict) -> Iterator[Target]:
    bucket, key = parameters.get("Bucket"), parameters.get("Key")
    context = _context(call, parameters)
    name = ACTIONS.get(call.operation, call.operation)
    if call.operation == "DeleteObjects":
        for each in parameters.get("Delete", {}).get("Objects", ()):
            version = "Version" if each.get("VersionId") else ""
            yield Target(f"s3:DeleteObject{version}", _arn(bucket, each.get("Key")), context)
        return
    if parameters.get("VersionId") and name in OF_VERSIONS:
        name = name.replace("Object", "ObjectVersion", 1)
    yield Target(f"s3:{name}", _arn(bucket, key) if bucket else "*", context)
    if name == "GetObject" and not _there(cloud, bucket, key):
        # who may not list does not learn what is missing
        yield Target("s3:ListBucket", _arn(bucket), context)
    if parameters.get("CopySource"):
        source = parameters["CopySource"]
        if isinstance(source, str):
            path = unquote(urlparse(source).path).lstrip("/")
            version = "Version" if "versionId=" in source else ""
            yield Target(f"s3:GetObject{version}", f"arn:aws:s3:::{path}")
    if key and parameters.get("Tagging") and isinstance(parameters["Tagging"], str):
        yield Target("s3:PutObjectTagging", _arn(bucket, key), context)
    if key and parameters.get("ACL") and call.operation != "PutObjectAcl":
        yield Target("s3:PutObjectAcl", _arn(bucket, key), context)


def _context(call: Call, parameters: dict) -> dict[str, list[str]]:
    """Condition keys of S3's own, from parameters and headers."""
    names = {
        "s3:prefix": "Prefix",
        "s3:delimiter": "Delimiter",
        "s3:max-keys": "MaxKeys",
        "s3:versionid": "VersionId",
        "s3:locationconstraint": "LocationConstraint",
    }
    found = {key: [str(parameters[name])] for key, name in names.items() if name in parameters}
    found |= {
        f"s3:{name[5:].lower().replace('_', '-')}": [value]
        for name, value in call.environ.items()
        if name.startswith("HTTP_X_AMZ_")
    }
    return found


def _there(cloud, bucket: str, key: str) -> bool:
    """Whether there is such an object; also if there is no such bucket, which is another error."""
    found = cloud.backend("s3", "aws").buckets.get(bucket)
    return found is None or key in found.keys


def _arn(bucket: str, key: str | None = None) -> str:
    return f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")


SERVICES["s3"] = _s3
