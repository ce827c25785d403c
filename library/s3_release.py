#!/usr/bin/python
"""Ansible module: the files of a release in a bucket, beside those of the releases before."""

DOCUMENTATION = r"""
module: s3_release
short_description: Keep the files of the last releases in a bucket
description:
  - Brings the files of a folder whose names carry a hash of their content, so that what is there
    under a name is never other than what is brought. Nothing is brought twice.
  - Notes which files the release has, and removes what none of the last releases has. A release
    that is brought again is the last one.
notes:
  - "Gap in the collections: M(community.aws.s3_sync) knows the files of one folder, not of several
    releases, and has neither check mode nor diff."
  - Of files that are brought, what they are (C(Content-Type)) is told by how their names end.
options:
  bucket:
    description: The bucket.
    type: str
    required: true
  folder:
    description: Folder on this machine with the files of the release.
    type: path
    required: true
  prefix:
    description: How the keys of all files begin; it ends with a slash.
    type: str
    required: true
  release:
    description: Name of the release.
    type: str
    required: true
  keep:
    description: How many releases keep their files.
    type: int
    default: 3
  notes:
    description: How the keys begin under which the files of each release are noted.
    type: str
    default: releases/
  cache_control:
    description: What caches are told of the files.
    type: str
    required: true
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Bring the static files of a release
  s3_release:
    bucket: shop-static
    folder: build/static
    prefix: static/
    release: 1.4.0-0f3a5c1e
    cache_control: public, max-age=31536000, immutable
"""

RETURN = r"""
brought:
  description: Keys of the files that were not there.
  returned: always
  type: list
  elements: str
  sample: [static/site.55e7cbb9ba48.css]
removed:
  description: Keys of the files that none of the last releases has.
  returned: always
  type: list
  elements: str
  sample: [static/site.acbd18db4cc2.css]
releases:
  description: The releases that keep their files, the last one first.
  returned: always
  type: list
  elements: str
  sample: [1.4.0-0f3a5c1e, 1.3.2-88ab01cd]
"""

import json
import mimetypes
from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# S3 deletes at most that many in one call.
BATCH = 1000
# Not of whatever machine this runs on.
TYPES = mimetypes.MimeTypes(filenames=())
for ending, kind in {
    ".avif": "image/avif", ".ico": "image/x-icon", ".js": "text/javascript",
    ".map": "application/json", ".webmanifest": "application/manifest+json",
    ".webp": "image/webp", ".woff2": "font/woff2", ".yaml": "application/yaml",
}.items():  # fmt: skip
    TYPES.add_type(kind, ending)
TEXT = {"text/javascript", "application/json", "application/manifest+json", "image/svg+xml"}


def content_type(name):
    kind = TYPES.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind in TEXT else kind


def plan(there, noted, release, files, keep):
    """What has to be done: ``(brought, removed, releases, forgotten)``.

    ``there`` are the keys of the files in the bucket, ``noted`` the keys of each release before,
    the last one first, ``files`` those of ``release``.
    """
    releases = [release, *(each for each in noted if each != release)]
    kept, forgotten = releases[:keep], releases[keep:]
    needed = set(files).union(*(noted[each] for each in kept if each != release))
    return sorted(set(files) - set(there)), sorted(set(there) - needed), kept, forgotten


def listed(client, bucket, prefix, missing=()):
    """Each object's key and time."""
    try:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {
            each["Key"]: each["LastModified"] for page in pages for each in page.get("Contents", [])
        }
    except is_boto3_error_code(missing):
        return {}


def read_notes(client, bucket, prefix, missing):
    """The keys of each release, the last one first."""
    found = listed(client, bucket, prefix, missing)
    newest = sorted(found, key=lambda key: (found[key], key), reverse=True)
    return {
        key.removeprefix(prefix).removesuffix(".json"): json.loads(
            client.get_object(Bucket=bucket, Key=key)["Body"].read()
        )
        for key in newest
    }


def bring(client, module, keys):
    bucket, prefix = module.params["bucket"], module.params["prefix"]
    for key in keys:
        client.put_object(
            Bucket=bucket, Key=key,
            Body=Path(module.params["folder"], key.removeprefix(prefix)).read_bytes(),
            ContentType=content_type(key), CacheControl=module.params["cache_control"],
        )  # fmt: skip


def remove(client, bucket, keys):
    for start in range(0, len(keys), BATCH):
        batch = [{"Key": key} for key in keys[start : start + BATCH]]
        client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})


def ensure(client, module):
    wanted = module.params
    bucket, prefix, release = wanted["bucket"], wanted["prefix"], wanted["release"]
    folder = Path(wanted["folder"])
    files = sorted(
        prefix + path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    missing = ["NoSuchBucket"] if module.check_mode else []
    there = listed(client, bucket, prefix, missing)
    noted = read_notes(client, bucket, wanted["notes"], missing)
    brought, removed, releases, forgotten = plan(there, noted, release, files, wanted["keep"])
    last = list(noted)[:1] == [release] and noted[release] == files
    if not module.check_mode:
        # A release is noted when all of it is there, and what nobody needs goes last.
        bring(client, module, brought)
        if not last:
            note = {"Key": f"{wanted['notes']}{release}.json", "Body": json.dumps(files).encode()}
            client.put_object(Bucket=bucket, ContentType="application/json", **note)
        remove(client, bucket, removed + [f"{wanted['notes']}{each}.json" for each in forgotten])
    return {
        "changed": bool(brought or removed or forgotten or not last),
        "brought": brought,
        "removed": removed,
        "releases": releases,
        "diff": {
            "before": {"releases": list(noted), "files": sorted(there)},
            "after": {"releases": releases, "files": sorted({*there, *brought} - {*removed})},
        },
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "bucket": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "prefix": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "keep": {"type": "int", "default": 3},
            "notes": {"type": "str", "default": "releases/"},
            "cache_control": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    if not Path(module.params["folder"]).is_dir():
        module.fail_json(msg=f"There is no folder {module.params['folder']}")
    if module.params["keep"] < 1:
        module.fail_json(msg=f"keep: {module.params['keep']} releases are none")
    try:
        result = ensure(module.client("s3"), module)
    except (BotoCoreError, ClientError, OSError) as error:
        module.fail_json(msg=f"Cannot bring {module.params['release']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
