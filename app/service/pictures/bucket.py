"""A Django storage that keeps files in an S3 bucket, under the paths that they are served at.

Imported only where the settings ask for it: boto3 takes its time.
"""

import threading
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import batched

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, FlexibleChecksumError
from django.conf import settings
from storages.backends.s3 import S3Storage

from service import aws
from service.caching import FOREVER, NOBODY
from service.errors import StoreUnavailable
from service.pictures.originals import CONTENT_TYPES
from service.pictures.storage import PictureStorage
from service.pictures.stores import Damaged, Entry, waits

MEDIA = "media"
AT_ONCE = 8  # requests of a process
MOST_DELETED = 1000  # with one request
NOT_FOUND, CONFLICT, PRECONDITION_FAILED = 404, 409, 412
ATTEMPTS = 3  # to put what someone else puts or deletes at this very moment
# A bucket that is away must cost seconds: threads wait for it that pages are served with.
PATIENCE = aws.PATIENCE.merge(Config(read_timeout=3, max_pool_connections=2 * AT_ONCE))
# A load balancer that asks whether this host is ready waits no longer itself.
IMPATIENCE = PATIENCE.merge(Config(read_timeout=1, retries={"total_max_attempts": 1}))
# Nobody waits for a command: what S3 refuses for a moment must not end one that takes hours.
ENDURANCE = PATIENCE.merge(
    Config(read_timeout=30, retries={"mode": "standard", "total_max_attempts": 8})
)

making = threading.Lock()


@lru_cache(maxsize=1)
def session() -> boto3.Session:
    """With the credentials that boto3 finds, and renews for all who ask."""
    return boto3.Session()


class BucketStorage(PictureStorage, S3Storage):
    """Files in the bucket: `media/...`, and `incoming/...`, which nobody may be served."""

    def get_default_settings(self) -> dict:
        return super().get_default_settings() | {"location": MEDIA, "client_config": PATIENCE}

    def connect(self, config: Config):
        with making:
            return session().resource("s3", region_name=self.region_name, config=config)

    # Made after the fork, and one for all threads: of a connection only the client is used.
    @cached_property
    def connection(self):
        return self.connect(self.client_config)

    @cached_property
    def client(self):
        return self.connection.meta.client

    @cached_property
    def impatient(self):
        return self.connect(IMPATIENCE).meta.client

    @cached_property
    def threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bucket")

    def _normalize_name(self, name: str) -> str:
        key = super()._normalize_name(name)
        relative = key.removeprefix(f"{MEDIA}/")
        return relative if waits(relative) else key

    def object(self, name: str) -> dict:
        return {"Bucket": self.bucket_name, "Key": self._normalize_name(name)}

    @contextmanager
    def told(self, name: str) -> Iterator[None]:
        """What S3 says of a file, in Python's words."""
        try:
            yield
        except ClientError as error:
            if status(error) != NOT_FOUND:
                raise
            # A missing bucket must not look like a missing file.
            self.client.head_bucket(Bucket=self.bucket_name)
            raise FileNotFoundError(name) from error
        except FlexibleChecksumError as error:
            raise Damaged([name]) from error

    def about(self, name: str) -> Entry:
        with self.told(name):
            found = self.client.head_object(**self.object(name))
        return Entry(found["ContentLength"], found["LastModified"])

    def part(self, name: str, start: int, size: int | None) -> bytes:
        asked = {} if size is None else {"Range": f"bytes={start}-{start + size - 1}"}
        with self.told(name):
            return self.client.get_object(**self.object(name), **asked)["Body"].read()

    def entries(self) -> Iterator[tuple[str, Entry]]:
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket_name, Prefix=f"{MEDIA}/"
        )
        for page in pages:
            for found in page.get("Contents", ()):
                name = found["Key"].removeprefix(f"{MEDIA}/")
                yield name, Entry(found["Size"], found["LastModified"])

    def fetch(self, names: Collection[str]) -> dict[str, bytes]:
        def one(name: str) -> bytes | None:
            try:
                return self.part(name, 0, None)
            except FileNotFoundError:
                return None

        found = zip(names, self.threads.map(one, names), strict=True)
        return {name: data for name, data in found if data is not None}

    def keep(self, files: Mapping[str, bytes]) -> None:
        puts = [self.threads.submit(self.put, name, data) for name, data in files.items()]
        wait(puts)  # all of them: whoever tidies up after a failure must not be overtaken
        for put in puts:
            put.result()

    def put(self, name: str, data: bytes) -> None:
        checksum = b64encode(sha256(data).digest()).decode()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self.client.put_object(
                    **self.object(name),
                    **headers(name),
                    Body=data,
                    ChecksumSHA256=checksum,
                    IfNoneMatch="*",
                )
            except ClientError as error:
                if status(error) == PRECONDITION_FAILED:  # it is there, perhaps since the last try
                    return
                if status(error) != CONFLICT or attempt == ATTEMPTS:
                    raise
            else:
                return

    def discard(self, names: Collection[str]) -> None:
        for some in batched(names, MOST_DELETED):
            objects = [{"Key": self._normalize_name(name)} for name in some]
            answer = self.client.delete_objects(
                Bucket=self.bucket_name, Delete={"Objects": objects, "Quiet": True}
            )
            if errors := answer.get("Errors"):
                raise StoreUnavailable(f"{len(errors)} files not deleted: {errors[0]}")

    @cached_property
    def signer(self):
        """Signs only: nothing is sent."""
        return self.connect(Config(signature_version="s3v4")).meta.client

    def form(self, name: str, most: int, seconds: int, back: str) -> tuple[str, dict[str, str]]:
        """Where a visitor sends a file of at most so many bytes, and with which fields.

        Then he comes to the address `back`, if there is one, with more in its query.
        """
        end = {"success_action_redirect": back} if back else {"success_action_status": "204"}
        made = self.signer.generate_presigned_post(
            self.bucket_name,
            self._normalize_name(name),
            Fields=dict(end),
            Conditions=[end, ["content-length-range", 1, most]],
            ExpiresIn=seconds,
        )
        return settings.PICTURE_BUCKET_URL, made["fields"]

    def enduring(self) -> "BucketStorage":
        """The same for a long command."""
        return BucketStorage(
            bucket_name=self.bucket_name, region_name=self.region_name, client_config=ENDURANCE
        )

    def check(self) -> None:
        self.impatient.head_bucket(Bucket=self.bucket_name)


def status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def headers(name: str) -> dict[str, str]:
    """What the file is served with, as media.py says it: straight from the bucket, or by a CDN."""
    kind = CONTENT_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    return {"ContentType": kind, "CacheControl": NOBODY if waits(name) else FOREVER}
