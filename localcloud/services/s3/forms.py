"""Uploads by a form of a browser (POST), which a signed policy allows within its conditions."""

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit
from xml.sax.saxutils import escape

from moto.core.request import PRESERVED_HEADER_NAMES_ENVIRON_KEY
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from localcloud.calls import FORM
from localcloud.errors import Refusal
from localcloud.services.s3.files import BLOCK, Upload

LARGEST_FIELDS = 20 * 1024  # of all fields but the file
# Fields that need no condition.
FREE = ("file", "policy", "x-amz-signature")
# Fields that are headers of the object, and those that would be ignored.
HEADERS = ("cache-control", "content-disposition", "content-encoding", "content-type", "expires")
REFUSED = ("tagging", "x-amz-checksum-", "x-amz-server-side-encryption-customer-")


@dataclass(frozen=True)
class Form:
    """The fields by their names in small letters, and the file, which lies on the disk."""

    fields: dict[str, str]
    upload: Upload

    @property
    def key(self) -> str:
        return self.fields["key"]


def read(environ: dict, path: Path) -> Form:
    """Take a form apart; its file goes to ``path``, synced."""
    kind, options = parse_options_header(environ.get("CONTENT_TYPE", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise Refusal((412, "PreconditionFailed"), "Bucket POST must be multipart/form-data.")
    try:
        return _read(environ["wsgi.input"], options["boundary"].encode("latin-1"), path)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, ValueError):
            raise Refusal(
                (400, "MalformedPOSTRequest"),
                "The body of your POST request is not well-formed multipart/form-data.",
            ) from error
        raise


def _read(stream, boundary: bytes, path: Path) -> Form:
    decoder = MultipartDecoder(boundary, max_parts=100)
    fields: dict[str, str] = {}
    md5, size, length = hashlib.md5(usedforsecurity=False), 0, 0
    part: File | Field | None = None
    value, file_name = b"", None
    with path.open("xb") as file:
        while True:
            event = decoder.next_event()
            if isinstance(event, NeedData):
                decoder.receive_data(stream.read(BLOCK) or None)
            elif isinstance(event, Field | File) and event.name.lower() == "file":
                part, file_name = event, getattr(event, "filename", "")
            elif isinstance(event, Field | File):
                part, value = event, b""
            elif isinstance(event, Data) and part.name.lower() == "file":
                file.write(event.data)
                md5.update(event.data)
                size += len(event.data)
                if not event.more_data:
                    break  # what comes after the file is ignored
            elif isinstance(event, Data):
                value += event.data
                length += len(event.data)
                if length > LARGEST_FIELDS:
                    raise Refusal(
                        (400, "MaxPostPreDataLengthExceeded"),
                        "Your POST request fields preceding the upload file were too large.",
                    )
                if not event.more_data:
                    fields[part.name.lower()] = value.decode()
            elif isinstance(event, Epilogue):
                break
        file.flush()
        os.fsync(file.fileno())
    if file_name is None:
        raise _invalid("POST requires exactly one file upload per request.")
    if not fields.get("key"):
        raise _invalid("Bucket POST must contain a field named 'key'.")
    name = file_name.replace("\\", "/").rpartition("/")[2]
    fields["key"] = fields["key"].replace("${filename}", name)
    return Form(fields, Upload(path, size, md5.hexdigest()))


def check(form: Form, bucket: str) -> None:
    """Raise unless the form is as its policy wants it; who signed that is the gate's to find."""
    fields = form.fields
    try:
        policy = json.loads(base64.b64decode(fields["policy"], validate=True))
        until = datetime.fromisoformat(policy["expiration"])
        conditions = [test for each in policy["conditions"] for test in _tests(each)]
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        raise Refusal(
            (400, "InvalidPolicyDocument"), "Invalid Policy: the policy is no valid JSON."
        ) from None
    if until.replace(tzinfo=until.tzinfo or UTC) < datetime.now(UTC):
        raise _denied("Policy expired.")
    values = {**fields, "bucket": bucket}
    for operator, name, wanted in conditions:
        if operator == "content-length-range":
            _check_length(form.upload.size, int(name), int(wanted))
        elif not _holds(operator, values.get(name, ""), wanted, name == "content-type"):
            raise _denied(f'Policy Condition failed: ["{operator}", "${name}", "{wanted}"]')
    named = {name for operator, name, _ in conditions if operator != "content-length-range"}
    extra = sorted(
        name for name in fields
        if name not in (*FREE, *named) and not name.startswith("x-ignore-")
    )  # fmt: skip
    if extra:
        raise _denied(f"Extra input fields: {', '.join(extra)}")


def put_request(environ: dict, form: Form, bucket: str) -> dict:
    """The request of PutObject that a form stands for, without a signature."""
    refused = [name for name in form.fields if name.startswith(REFUSED)]
    if refused:
        raise Refusal("not supported", f"The local cloud refuses {refused[0]} in a form.")
    path = f"/{bucket}/{form.key}"
    headers = {
        name: value
        for name, value in form.fields.items()
        if name in HEADERS or name.startswith(("x-amz-meta-", "x-amz-storage", "x-amz-website",
                                               "x-amz-server-side"))
    }  # fmt: skip
    if "acl" in form.fields:
        headers["x-amz-acl"] = form.fields["acl"]
    made = {
        name: value
        for name, value in environ.items()
        if not name.startswith("HTTP_") or name in ("HTTP_HOST", "HTTP_ORIGIN", "HTTP_USER_AGENT")
    }
    for name, value in headers.items():
        variable = name.upper().replace("-", "_")
        made[variable if name == "content-type" else f"HTTP_{variable}"] = value.encode().decode(
            "latin-1"
        )
    if "content-type" not in headers:
        made["CONTENT_TYPE"] = "binary/octet-stream"
    return made | {
        FORM: True,
        "REQUEST_METHOD": "PUT",
        "HTTP_HOST": "127.0.0.1",
        "PATH_INFO": path.encode().decode("latin-1"),
        "RAW_URI": quote(path),
        "QUERY_STRING": "",
        PRESERVED_HEADER_NAMES_ENVIRON_KEY: {},
    }


def answer(environ: dict, form: Form, bucket: str, etag: str) -> tuple[str, dict, bytes]:
    """Status, headers and body of an upload that was taken."""
    address = f"http://{environ.get('HTTP_HOST', '')}/{bucket}/{quote(form.key)}"
    headers = {"ETag": etag, "Location": address}
    target = form.fields.get("success_action_redirect") or form.fields.get("redirect", "")
    parts = urlsplit(target)
    if parts.scheme in ("http", "https") and parts.netloc:
        query = [*parse_qsl(parts.query, keep_blank_values=True),
                 ("bucket", bucket), ("key", form.key), ("etag", etag)]  # fmt: skip
        headers["Location"] = urlunsplit(parts._replace(query=urlencode(query)))
        return "303 See Other", headers, b""
    wanted = form.fields.get("success_action_status")
    if wanted == "200":
        return "200 OK", headers, b""
    if wanted == "201":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>'
            f"<Location>{escape(address)}</Location><Bucket>{bucket}</Bucket>"
            f"<Key>{escape(form.key)}</Key><ETag>{escape(etag)}</ETag></PostResponse>"
        )
        return "201 Created", {**headers, "Content-Type": "application/xml"}, body.encode()
    return "204 No Content", headers, b""


def _tests(condition) -> list[tuple[str, str, str]]:
    """A condition as (operator, field, value)."""
    if isinstance(condition, dict):
        return [("eq", name.lower(), str(value)) for name, value in condition.items()]
    operator, name, wanted = condition
    if operator == "content-length-range":
        return [(operator, str(int(name)), str(int(wanted)))]
    if operator not in ("eq", "starts-with") or not name.startswith("$"):
        raise ValueError(operator)
    return [(operator, name[1:].lower(), wanted)]


def _holds(operator: str, value: str, wanted: str, several: bool) -> bool:
    if operator == "eq":
        return value == wanted
    values = value.split(",") if several else [value]
    return all(each.strip().startswith(wanted) for each in values)


def _check_length(size: int, least: int, most: int) -> None:
    if size > most:
        raise Refusal(
            (400, "EntityTooLarge"), "Your proposed upload exceeds the maximum allowed size"
        )
    if size < least:
        raise Refusal(
            (400, "EntityTooSmall"), "Your proposed upload is smaller than the minimum allowed size"
        )


def _denied(reason: str) -> Refusal:
    return Refusal((403, "AccessDenied"), f"Invalid according to Policy: {reason}")


def _invalid(message: str) -> Refusal:
    return Refusal((400, "InvalidArgument"), message)
