"""What every new bucket has on AWS: no public access, no ACLs, encryption; and who pays."""

import re

from moto.s3.exceptions import S3ClientError
from moto.s3.models import PublicAccessBlock, S3Backend
from moto.s3.responses import S3Response

from localcloud.hooks import hook
from localcloud.services.base import Service

ENFORCED = "BucketOwnerEnforced"
HARMLESS = ("private", "bucket-owner-full-control")
ENCRYPTION = {
    "Rule": {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": "false",
    }
}
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class BucketDefaults(Service):
    """Settings that buckets have from the start."""

    @hook(S3Backend, "create_bucket", "self, bucket_name, region_name, bucket_namespace")
    def create(self, original, backend, *args, **kwargs):
        bucket = original(backend, *args, **kwargs)
        bucket.public_access_block = PublicAccessBlock(True, True, True, True)
        bucket.ownership_rule = ENFORCED
        bucket.encryption = ENCRYPTION
        return bucket

    @hook(S3Backend, "delete_bucket_encryption", "self, bucket_name")
    def encrypted_all_the_same(self, original, backend, bucket_name):
        backend.get_bucket(bucket_name).encryption = ENCRYPTION

    @hook(S3Response, "_bucket_response_put", "self, request, bucket_name, querystring")
    def put(self, original, response, request, bucket_name, querystring):
        bucket = response.backend.buckets.get(bucket_name)
        if bucket is not None and "requestPayment" in querystring:
            payer = re.search(rb"<Payer>(\w+)</Payer>", response.body or b"")
            if not payer or payer[1] not in (b"BucketOwner", b"Requester"):
                raise S3ClientError("MalformedXML", "Payer is BucketOwner or Requester.")
            bucket.payer = payer[1].decode()
            return 200, {}, ""
        if bucket is None and not querystring:
            owner = request.headers.get("x-amz-object-ownership", ENFORCED)
            if owner == ENFORCED and _wants_acl(request.headers):
                raise S3ClientError(
                    "InvalidBucketAclWithObjectOwnership",
                    f"Bucket cannot have ACLs set with ObjectOwnership's {ENFORCED} setting",
                )
        elif bucket is not None and "acl" in querystring:
            _refuse_acl(bucket, request)
        return original(response, request, bucket_name, querystring)

    @hook(S3Response, "_bucket_response_get", "self, bucket_name, querystring")
    def get(self, original, response, bucket_name, querystring):
        if "requestPayment" not in querystring:
            return original(response, bucket_name, querystring)
        payer = getattr(response.backend.get_bucket(bucket_name), "payer", "BucketOwner")
        return (
            200,
            {},
            (
                f'<RequestPaymentConfiguration xmlns="{NAMESPACE}"><Payer>{payer}</Payer>'
                "</RequestPaymentConfiguration>"
            ),
        )

    @hook(S3Response, "_key_response_put", "self, query, key_name")
    def put_key(self, original, response, query, key_name):
        bucket = response.backend.buckets.get(response.bucket_name)
        if bucket is not None and ("acl" in query or _wants_acl(response.request.headers)):
            _refuse_acl(bucket, response.request)
        return original(response, query, key_name)


def _wants_acl(headers) -> bool:
    return headers.get("x-amz-acl", "private") not in HARMLESS or any(
        name.lower().startswith("x-amz-grant-") for name, _ in headers.items()
    )


def _refuse_acl(bucket, request) -> None:
    """As S3 does where ACLs are off, and where public ones are blocked."""
    harmless = "x-amz-acl" in request.headers and not _wants_acl(request.headers)
    if getattr(bucket, "ownership_rule", None) == ENFORCED and not harmless:
        raise S3ClientError("AccessControlListNotSupported", "The bucket does not allow ACLs")
    block = bucket.public_access_block
    if block and block.block_public_acls and "public" in request.headers.get("x-amz-acl", ""):
        raise Denied("AccessDenied", "Access Denied")


class Denied(S3ClientError):
    code = 403
