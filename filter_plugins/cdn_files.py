"""Ansible filter: what a distribution of CloudFront has of buckets of files."""

DOCUMENTATION = r"""
name: cdn_files
short_description: Origins and behaviours of a distribution for buckets of files
description:
  - Makes of each bucket an origin and of each of its paths a behaviour, in their order.
positional: access_control, policy
options:
  _input:
    description:
      - C(name), C(domain_name) and C(paths) of each bucket, and C(response_headers) if its files
        get some.
    type: list
    elements: dict
    required: true
  access_control:
    description: Id of the origin access control.
    type: str
    required: true
  policy:
    description: What the names of the response headers policies begin with.
    type: str
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say which paths lead to buckets
  ansible.builtin.debug:
    msg: "{{ (buckets | cdn_files('E1ABCDEFGHIJKL', 'shop')).behaviors | map(attribute='path') }}"
  vars:
    buckets: [{name: files, domain_name: shop-files.s3.eu-west-1.amazonaws.com, paths: [/files/*]}]
"""

RETURN = r"""
_value:
  description: C(origins) and C(behaviors) as M(cloudfront_distribution) takes them.
  type: dict
  sample:
    origins: [{id: files, domain_name: shop-files.s3.eu-west-1.amazonaws.com, bucket: true,
               access_control: E1ABCDEFGHIJKL}]
    behaviors: [{path: /files/*, origin: files, cache_policy: CachingOptimized, compress: true}]
"""


def cdn_files(buckets, access_control, policy):
    return {
        "origins": [
            {
                "id": bucket["name"],
                "domain_name": bucket["domain_name"],
                "bucket": True,
                "access_control": access_control,
            }
            for bucket in buckets
        ],
        "behaviors": [
            {
                "path": path,
                "origin": bucket["name"],
                "cache_policy": "CachingOptimized",
                "compress": True,
                **({"response_headers_policy": f"{policy}-{bucket['name']}"}
                   if bucket.get("response_headers") else {}),
            }
            for bucket in buckets
            for path in bucket["paths"]
        ],
    }  # fmt: skip


class FilterModule:
    def filters(self):
        return {"cdn_files": cdn_files}
