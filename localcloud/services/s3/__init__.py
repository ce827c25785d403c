"""S3: objects are files below the state directory, so they survive the process."""

import threading
import uuid
from pathlib import Path
from types import SimpleNamespace

from moto.iam.access_control import PermissionResult
from moto.s3 import models
from moto.s3.models import FakeBucket, FakeKey, FakeMultipart
from moto.s3.responses import S3Response

from localcloud.calls import DOWNLOAD, UPLOAD
from localcloud.hooks import hook
from localcloud.services.base import Row, Service
from localcloud.services.s3 import forms
from localcloud.services.s3.files import DISCARDED, BorrowedFile, Download, ObjectFile, Upload
from localcloud.services.s3.keys import Keys, Tags
from localcloud.services.s3.multipart import join
from localcloud.services.s3.receive import receive
from localcloud.services.s3.website import ENDPOINT, Websites
from localcloud.shelves import LOCK
from localcloud.state import saving


class S3(Service):
    """Buckets are moto's; the bytes are ours."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.directory = cloud.settings.state / "s3"
        self.directory.mkdir(parents=True, exist_ok=True)
        self._sending = threading.local()
        self._asked = threading.local()  # .environ: the request that this thread answers
        self._discarded: list[Path] = []
        # moto.s3.models makes every buffer by tempfile.SpooledTemporaryFile
        models.tempfile = SimpleNamespace(SpooledTemporaryFile=lambda *_, **__: self._new_file())

    def _new_file(self) -> ObjectFile:
        return ObjectFile(self.directory / uuid.uuid4().hex)

    def asked(self) -> dict:
        """The WSGI environment of what this thread answers; empty if that is no call of S3's."""
        return getattr(self._asked, "environ", {})

    def receive(self, environ: dict) -> Upload:
        """Take the bytes of a request from the network to their file; moto gets its name."""
        return receive(environ, self.directory / uuid.uuid4().hex)

    def receive_form(self, environ: dict) -> forms.Form:
        """The same for a form of a browser."""
        return forms.read(environ, self.directory / uuid.uuid4().hex)

    @hook(S3Response, "setup_class", "self, request, full_url, headers")
    def take_upload(self, original, response, request, *args, **kwargs):
        self._asked.environ = request.environ
        original(response, request, *args, **kwargs)
        upload = request.environ.get(UPLOAD)
        if upload is not None:
            response.body = upload

    @hook(S3Response, "_handle_encoded_body", "self, body")
    def decoded(self, original, response, body):
        return original(response, body) if response.request.environ.get(UPLOAD) is None else b""

    @hook(S3Response, "_handle_v4_chunk_signatures", "self, body, content_length")
    def decoded_and_signed(self, original, response, body, content_length):
        if response.request.environ.get(UPLOAD) is not None:
            return b""
        return original(response, body, content_length)

    @hook(S3Response, "_get_checksum", "self, response_headers")
    def checksum(self, original, response, response_headers):
        """The checksum that was compared while the bytes came."""
        if not isinstance(response.body, Upload):
            return original(response, response_headers)
        for algorithm, value in response.body.checksums.items():
            response_headers[f"x-amz-checksum-{algorithm}"] = value
            return algorithm.upper(), value
        return "", None

    @hook(S3Response, "get_object", "self")
    def sent(self, original, response):
        """Leave an object's file to the server, which sends it block by block."""
        environ = response.request.environ
        if DOWNLOAD not in environ:
            return original(response)
        self._sending.now = True
        try:
            status, headers, body = original(response)
        finally:
            self._sending.now = False
        if isinstance(body, Download):
            environ[DOWNLOAD] = body
        return status, headers, body

    @hook(FakeBucket, "get_permission", "self, action, resource")
    def decided(self, original, bucket, action, resource):
        """The gate has let the call pass by Principal and Condition; moto knows actions only."""
        return PermissionResult.PERMITTED

    @hook(FakeKey, "value", "self")
    def value(self, original, key):
        if getattr(self._sending, "now", False):
            return Download(key._value_buffer.path, key.size)
        return original(key)

    @hook(FakeKey, "etag", "self")
    def etag(self, original, key):
        """moto would read all of an upload again."""
        key._etag = key._etag or key._value_buffer.md5 or None
        return original(key)

    @hook(FakeMultipart, "complete", "self, body")
    def complete(self, original, multipart, body):
        """Put the parts together on disk."""
        return join(multipart, list(body), self.directory / uuid.uuid4().hex)

    @hook(FakeBucket, "__init__", "self, name, account_id, region_name, bucket_namespace")
    def on_shelf(self, original, bucket, *args, **kwargs):
        original(bucket, *args, **kwargs)
        bucket.keys = Keys()

    @hook(S3Response, "key_response", "self, request, full_url, headers")
    def changed(self, original, response, request, *args, **kwargs):
        """Whatever a call does to an object is written before it is answered.

        moto looks and then writes: of several that put what is not there one only may win.
        """
        if request.method in ("GET", "HEAD"):
            return original(response, request, *args, **kwargs)
        try:
            with LOCK:
                return original(response, request, *args, **kwargs)
        finally:
            bucket = self._buckets().get(response.bucket_name)
            if bucket is not None:
                bucket.keys.changed.add(response.parse_key_name())

    def save(self) -> None:
        with LOCK:
            self._discarded, DISCARDED[:] = [*self._discarded, *DISCARDED], []
            self.cloud.store.write(self.shelves(), self._entry)

    def tidy(self) -> None:
        for path in self._discarded:
            path.unlink(missing_ok=True)
        self._discarded = []

    def _entry(self, keys: Keys, name: str) -> tuple[list, dict]:
        """The versions of an object, and their tags by ARN."""
        versions, tags = keys.getlist(name), self.cloud.backend("s3", "aws").tagger.tags
        arns = [key.arn for key in versions if isinstance(key, FakeKey)]
        return versions, {arn: tags[arn] for arn in arns if arn in tags}

    def _fill(self) -> None:
        """Read every bucket's objects; take those over that an older state file has."""
        tagger = self.cloud.backend("s3", "aws").tagger
        tagger.tags = Tags(tagger.tags)
        for bucket in self._buckets().values():
            if not isinstance(bucket.keys, Keys):
                bucket.keys = Keys(entries=dict(bucket.keys.lists()))
                continue
            self.cloud.store.fill(bucket.keys)
            for name, (versions, tags) in list(dict.items(bucket.keys)):
                dict.__setitem__(bucket.keys, name, versions)
                tagger.tags.update(tags)

    def shelves(self) -> list[Keys]:
        return [bucket.keys for bucket in list(self._buckets().values())]

    def _buckets(self) -> dict:
        return self.cloud.backend("s3", "aws").buckets

    @hook(FakeKey, "__getstate__", "self")
    def saved(self, original, key):
        """Keep the file's name, not its bytes. moto copies objects to list their versions."""
        state = {name: value for name, value in vars(key).items() if name != "lock"}
        if not getattr(saving, "now", False):
            state["_value_buffer"] = BorrowedFile(key._value_buffer.path)
        return state

    @hook(FakeKey, "__setstate__", "self, state")
    def loaded(self, original, key, state):
        vars(key).update(state, lock=threading.Lock())

    def adopt(self) -> list[str]:
        """Delete files that no object has: their API call was never answered."""
        DISCARDED.clear()
        self._fill()
        buckets = self._buckets().values()
        known = {
            key._value_buffer.path
            for bucket in buckets
            for keys in (
                [version for _, versions in bucket.keys.lists() for version in versions],
                [part for upload in bucket.multiparts.values() for part in upload.parts.values()],
            )
            for key in keys
            if isinstance(key, FakeKey)
        }
        for path in self.directory.glob("*"):
            if path not in known:
                path.unlink()
        return []

    def _website(self, bucket) -> str:
        """The name and the address on this machine of a bucket that is a website."""
        if not bucket.website_configuration:
            return ""
        return f"{bucket.name}.{ENDPOINT} {self.cloud.service(Websites).address}"

    def rows(self) -> list[Row]:
        return [
            Row(
                id=bucket.name,
                kind="bucket",
                name="",
                state=bucket.region_name,
                address=self._website(bucket),
                real=f"{len(bucket.keys)} objects in {self.directory}",
                health="ok",
            )
            for bucket in list(self._buckets().values())
        ]
