"""What the API's server takes and how it answers, over HTTP."""

import base64
import contextlib
import hashlib
import os
import resource
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

BLOCK = b"0123456789abcdef" * 4096


def sent(connection, path, chunks, **headers):
    """PUT in chunks, without a length."""
    connection.request(
        "PUT", path, body=iter(chunks), encode_chunked=True,
        headers={"Transfer-Encoding": "chunked", **headers},
    )  # fmt: skip
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture
def s3(api):
    client = api.client("s3")
    client.create_bucket(Bucket="kept")
    return client


@pytest.fixture
def put_address(api, s3):
    """The path of an address that may be written to."""
    url = api.client("s3", signature_version="s3v4").generate_presigned_url(
        "put_object", Params={"Bucket": "kept", "Key": "a"}
    )
    return url.partition("//")[2].partition("/")[2].join(("/", ""))


def body(s3, key="a", **options):
    return s3.get_object(Bucket="kept", Key=key, **options)["Body"].read()


def test_a_chunked_body_arrives(api, s3, put_address):
    status, _ = sent(api.connection(), put_address, [BLOCK] * 40)
    assert status == 200
    assert body(s3) == BLOCK * 40


def test_a_body_is_asked_for_when_the_client_waits_to_be(api, s3, put_address):
    connection = api.connection()
    connection.putrequest("PUT", put_address)
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", "5")
    connection.endheaders()
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.send(b"hello")
    assert connection.getresponse().status == 200
    assert body(s3) == b"hello"


def test_an_upload_is_not_held_in_memory(s3, cloud):
    import tracemalloc

    class Zeros:
        """40 MB that are nowhere."""

        size, position = 40_000_000, 0

        def read(self, count=-1):
            count = min(count if count >= 0 else self.size, self.size - self.position)
            self.position += count
            return bytes(count)

        def tell(self):
            return self.position

        def seek(self, position, whence=0):
            self.position = {0: 0, 1: self.position, 2: self.size}[whence] + position

    tracemalloc.start()
    s3.put_object(Bucket="kept", Key="a", Body=Zeros(), ContentLength=Zeros.size)
    streamed = sum(len(block) for block in s3.get_object(Bucket="kept", Key="a")["Body"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert streamed == Zeros.size
    assert peak < 15_000_000
    assert list((cloud.settings.state / "spool").iterdir()) == []


def test_one_connection_serves_many_calls(api):
    connection = api.connection()
    for _ in range(3):
        connection.request("GET", "/_localcloud/status")
        answer = connection.getresponse()
        assert answer.status == 200
        socket = connection.sock
        answer.read()
        assert connection.sock is socket is not None


def test_a_slow_call_does_not_hold_up_others(api, cloud, monkeypatch):
    go = threading.Event()
    settle = cloud.settle
    monkeypatch.setattr(cloud, "settle", lambda: go.wait(10) and settle())
    slow = threading.Thread(target=lambda: api.client("sns").create_topic(Name="a"))
    slow.start()
    time.sleep(0.1)
    assert api.client("ec2").describe_vpcs()["Vpcs"]
    assert slow.is_alive()
    go.set()
    slow.join()


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("Content-MD5", base64.b64encode(bytes(16)).decode(), "BadDigest"),
        ("x-amz-checksum-sha256", base64.b64encode(bytes(32)).decode(), "BadDigest"),
        ("x-amz-content-sha256", "0" * 64, "XAmzContentSHA256Mismatch"),
    ],
)
def test_a_damaged_upload_is_refused_and_leaves_nothing(api, s3, cloud, put_address,
                                                        header, value, code):  # fmt: skip
    before = set((cloud.settings.state / "s3").iterdir())
    connection = api.connection()
    connection.request("PUT", put_address, body=b"data", headers={header: value})
    answer = connection.getresponse()
    assert (answer.status, code in answer.read().decode()) == (400, True)
    assert set((cloud.settings.state / "s3").iterdir()) == before
    with pytest.raises(ClientError, match="NoSuchKey"):
        body(s3)


def test_the_chunks_of_aws_are_taken_apart_and_their_checksum_compared(api, s3, put_address):
    sha = base64.b64encode(hashlib.sha256(b"hello world").digest()).decode()
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-decoded-content-length": "11",
        "x-amz-trailer": "x-amz-checksum-sha256",
        "Content-Encoding": "aws-chunked",
    }
    for trailer, status in ((sha, 200), (sha[::-1], 400)):
        connection = api.connection()
        text = f"6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-sha256:{trailer}\r\n\r\n"
        connection.request("PUT", put_address, body=text.encode(), headers=headers)
        assert connection.getresponse().status == status
        assert body(s3) == b"hello world"


def test_parts_of_an_object_are_put_together_on_disk(s3, cloud):
    upload = s3.create_multipart_upload(Bucket="kept", Key="a")["UploadId"]
    pieces = [BLOCK * 90, b"end"]
    parts = []
    for number, piece in enumerate(pieces, 1):
        answer = s3.upload_part(
            Bucket="kept", Key="a", UploadId=upload, PartNumber=number, Body=piece
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    done = s3.complete_multipart_upload(
        Bucket="kept", Key="a", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert done["ETag"].endswith('-2"')
    assert body(s3) == b"".join(pieces)
    assert body(s3, Range="bytes=5898238-5898241") == (BLOCK * 90)[-2:] + b"en"


def test_metadata_keeps_its_name(s3):
    s3.put_object(Bucket="kept", Key="a", Body=b"", Metadata={"taken_by": "me", "a-b": "c"})
    assert s3.head_object(Bucket="kept", Key="a")["Metadata"] == {"taken_by": "me", "a-b": "c"}


@pytest.mark.parametrize(
    ("service", "call", "options", "code"),
    [
        ("ec2", "describe_vpcs", {}, "InternalError"),
        ("iam", "list_roles", {}, "InternalFailure"),
        ("s3", "list_buckets", {}, "InternalError"),
        ("route53", "list_hosted_zones", {}, "InternalFailure"),
        ("ssm", "describe_parameters", {}, "InternalFailure"),
    ],
)
def test_a_failure_inside_is_an_error_that_clients_read(api, monkeypatch, service, call,
                                                        options, code):  # fmt: skip
    def fail(*_):
        raise RuntimeError("hidden")

    monkeypatch.setattr(api.wsgi, "application", fail)
    with pytest.raises(ClientError) as caught:
        getattr(api.client(service), call)(**options)
    assert caught.value.response["Error"]["Code"] == code
    assert "localcloud logs" in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_a_page_of_moto_becomes_an_error(api, monkeypatch):
    def page(environ, start_response):
        start_response("404 NOT FOUND", [("Content-Type", "text/html")])
        return [b"<!doctype html><title>404</title>"]

    monkeypatch.setattr(api.wsgi, "application", page)
    with pytest.raises(ClientError) as caught:
        api.client("ssm").get_parameter(Name="a")
    assert caught.value.response["Error"]["Code"] == "NotFound"


def test_it_answers_while_the_process_has_many_connections(api, s3):
    """As when many visitors come: the site's connections are the same process's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with contextlib.ExitStack() as held:
        for _ in range(1100):
            held.enter_context(Path(os.devnull).open())
        connection = held.enter_context(contextlib.closing(api.connection()))
        connection.request("GET", "/")
        assert connection.getresponse().status < 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
