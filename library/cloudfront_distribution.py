#!/usr/bin/python
"""Ansible module: a distribution of CloudFront."""

DOCUMENTATION = r"""
module: cloudfront_distribution
short_description: Keep a distribution of CloudFront
description:
  - Makes a distribution what the options say, and waits until every edge has it.
  - An option that is left out leaves its attribute alone. What is listed (an origin, a behaviour,
    an error response) is as it is listed - a suboption that is left out has AWS's default.
  - With O(state=absent) it is disabled, awaited and deleted, as AWS wants it.
notes:
  - "Gap in the collections: M(community.aws.cloudfront_distribution) has no check mode and no diff,
    compares whole structures, so that what AWS adds by itself makes a difference at every run,
    tells origins apart by their domain names, and knows no origin access control, no cache, origin
    request and response headers policies."
  - A distribution is known by its tag C(Name); it is also its caller reference, so that there
    cannot be two. AWS takes some minutes for every change.
options:
  name:
    description: Name, unique in the account.
    type: str
    required: true
  comment:
    description: What it is for.
    type: str
  enabled:
    description: Whether it answers. A new one does.
    type: bool
  aliases:
    description: Names that it answers to beside its own. They need O(certificate_arn).
    type: list
    elements: str
  certificate_arn:
    description: Certificate of ACM in us-east-1 for O(aliases); empty for CloudFront's own.
    type: str
  tls_policy:
    description: Protocols and ciphers of O(certificate_arn).
    type: str
    default: TLSv1.2_2021
  origins:
    description: Whom it asks. Needed when it is made.
    type: list
    elements: dict
    suboptions:
      id:
        description: What behaviours call it.
        type: str
        required: true
      domain_name:
        description: Its name; of a bucket, the regional one.
        type: str
        required: true
      bucket:
        description: Whether it is a bucket of S3, by its REST interface. A website of S3 is none.
        type: bool
        default: false
      access_control:
        description: Id of the origin access control by which it is asked.
        type: str
      path:
        description: What comes before the path of each request.
        type: str
        default: ""
      headers:
        description: Headers that it alone is told.
        type: dict
      protocol:
        description: How it is asked. Not for a bucket.
        type: str
        choices: [https-only, http-only, match-viewer]
        default: https-only
      http_port:
        description: Its port without TLS.
        type: int
        default: 80
      https_port:
        description: Its port with TLS.
        type: int
        default: 443
      tls_protocols:
        description: Versions of TLS to ask it with.
        type: list
        elements: str
        default: [TLSv1.2]
      read_timeout:
        description: Seconds to wait for each part of its answer.
        type: int
        default: 30
      keepalive_timeout:
        description: Seconds to keep a connection to it.
        type: int
        default: 5
      connection_attempts:
        description: How often to try to connect.
        type: int
        default: 3
      connection_timeout:
        description: Seconds for each try.
        type: int
        default: 10
  origin_groups:
    description: Pairs of origins of which the second is asked when the first fails.
    type: list
    elements: dict
    suboptions:
      id:
        description: What behaviours call it.
        type: str
        required: true
      origins:
        description: Ids of the two, in their order.
        type: list
        elements: str
        required: true
      codes:
        description: Status codes that count as a failure.
        type: list
        elements: int
        required: true
  default_behavior:
    description: What is done with requests that no other behaviour is for. Needed when it is made.
    type: dict
    suboptions: &behavior
      origin:
        description: Id of the origin or origin group.
        type: str
        required: true
      viewer_protocol:
        description: What becomes of requests without TLS.
        type: str
        choices: [allow-all, redirect-to-https, https-only]
        default: redirect-to-https
      methods:
        description: Methods that are let through, of which V(all) are seven.
        type: str
        choices: [read, read-options, all]
        default: read
      cached_methods:
        description: Methods whose answers may be kept.
        type: str
        choices: [read, read-options]
        default: read
      compress:
        description: Whether answers are compressed for those who take it.
        type: bool
        default: false
      cache_policy:
        description: Id or name of the cache policy; V(CachingDisabled) and the like are AWS's own.
        type: str
        required: true
      origin_request_policy:
        description: Id or name of the origin request policy.
        type: str
      response_headers_policy:
        description: Id or name of the response headers policy.
        type: str
  behaviors:
    description: What is done with other requests. The first one that matches counts.
    type: list
    elements: dict
    suboptions:
      path:
        description: Pattern of the paths.
        type: str
        required: true
      <<: *behavior
  error_responses:
    description: What is made of errors of origins.
    type: list
    elements: dict
    suboptions:
      code:
        description: The status code.
        type: int
        required: true
      caching_min_ttl:
        description: Seconds for which it is kept at least.
        type: int
        default: 10
      page:
        description: Path of a page that is shown instead.
        type: str
      response_code:
        description: Status code of the O(error_responses[].page); by default the error's own.
        type: int
  logging:
    description: Access logs.
    type: dict
    suboptions:
      bucket:
        description: Domain name of the bucket for them, which must take ACLs; empty for none.
        type: str
        default: ""
      prefix:
        description: How their keys begin.
        type: str
        default: ""
      cookies:
        description: Whether cookies are logged.
        type: bool
        default: false
  price_class:
    description: Which edges take part.
    type: str
    choices: [PriceClass_100, PriceClass_200, PriceClass_All]
  http_version:
    description: The newest version of HTTP.
    type: str
    choices: [http1.1, http2, http3, http2and3]
  ipv6:
    description: Whether it has IPv6 addresses too.
    type: bool
  web_acl_id:
    description: ARN of a web ACL of WAF; empty for none.
    type: str
  default_root_object:
    description: What is shown for C(/).
    type: str
  tags:
    description: Tags beside C(Name); others stay.
    type: dict
    default: {}
  wait:
    description: Whether to wait until every edge has the change. Deleting waits in any case.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 1800
  state:
    description: Whether it exists.
    type: str
    choices: [present, absent]
    default: present
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Keep pages uncached, and files from a bucket for as long as they say
  cloudfront_distribution:
    name: shop
    aliases: [shop.example.com]
    certificate_arn: "{{ certificate.arn }}"
    origins:
      - id: balancer
        domain_name: "{{ balancer.dns_name }}"
        headers: {X-CDN-Secret: "{{ secret }}"}
      - {id: files, domain_name: shop-files.s3.eu-west-1.amazonaws.com, bucket: true,
         access_control: "{{ access.id }}"}
    default_behavior:
      origin: balancer
      methods: all
      cache_policy: CachingDisabled
      origin_request_policy: AllViewerAndCloudFrontHeaders-2022-06
    behaviors:
      - {path: /static/*, origin: files, cache_policy: CachingOptimized, compress: true}
    error_responses:
      - {code: 404, caching_min_ttl: 0}
    tags: {Project: shop}

- name: Remove it
  cloudfront_distribution: {name: shop, state: absent}
"""

RETURN = r"""
id:
  description: Its id; empty if there is none.
  returned: always
  type: str
  sample: E2QWRUHAPOMQZL
arn:
  description: Its ARN, which policies of buckets name.
  returned: always
  type: str
  sample: arn:aws:cloudfront::123456789012:distribution/E2QWRUHAPOMQZL
domain_name:
  description: Its own name.
  returned: always
  type: str
  sample: d111111abcdef8.cloudfront.net
status:
  description: Whether every edge has the last change, as CloudFront names it.
  returned: always
  type: str
  sample: Deployed
"""

import time

from ansible.module_utils.cloudfront import comparable, problem, shown, wanted_config
from ansible.module_utils.cloudfront_policies import find_policies
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 2
# Options of behaviours that name a policy, and its kind.
POLICIES = {
    "cache_policy": "cache",
    "origin_request_policy": "origin_request",
    "response_headers_policy": "response_headers",
}
NOTHING = {"id": "", "arn": "", "domain_name": "", "status": ""}


def find(client, name, comment):
    """Id and tags of the distribution of that name, or (None, {})."""
    pages = client.get_paginator("list_distributions").paginate()
    found = [each for page in pages for each in page["DistributionList"].get("Items", [])]
    # Tags cost a call each: the likeliest first.
    for each in sorted(found, key=lambda each: each.get("Comment") != comment):
        tags = client.list_tags_for_resource(Resource=each["ARN"])["Tags"].get("Items", [])
        carried = {tag["Key"]: tag.get("Value", "") for tag in tags}
        if carried.get("Name") == name:
            return each["Id"], carried
    return None, {}


def settled(client, module, identity, what):
    """The distribution when every edge has it; ``what`` is waited for, for people."""
    deadline = time.monotonic() + module.params["wait_timeout"]
    while True:
        found = client.get_distribution(Id=identity)
        if found["Distribution"]["Status"] == "Deployed":
            return found
        if time.monotonic() > deadline:
            module.fail_json(
                msg=f"After {module.params['wait_timeout']} s not every edge of CloudFront has "
                f"{what} ({identity} is {found['Distribution']['Status']}). Nothing is lost: run "
                "it again, or raise wait_timeout."
            )
        time.sleep(POLL_SECONDS)


def with_policies(client, module):
    """The module's options, with the ids of policies where they have names."""
    options = dict(module.params)
    behaviours = [*(options["behaviors"] or []), *filter(None, [options["default_behavior"]])]
    for option, kind in POLICIES.items():
        names = {each[option] for each in behaviours if each[option]}
        ids = find_policies(client, kind, names)
        missing = names - ids.keys()
        if missing and not module.check_mode:
            module.fail_json(msg=f"There is no {kind} policy {', '.join(sorted(missing))}.")
        for each in behaviours:
            # What `--check` only announced has no id yet.
            each[option] = ids.get(each[option], each[option])
    return options


def tag_list(tags):
    return {"Items": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}


def create(client, config, tags):
    made = client.create_distribution_with_tags(
        DistributionConfigWithTags={"DistributionConfig": config, "Tags": tag_list(tags)}
    )
    return made["Distribution"]["Id"]


def ensure_present(client, module):
    options = with_policies(client, module)
    tags = {**options["tags"], "Name": options["name"]}
    identity, carried = find(client, options["name"], options["comment"])
    there = client.get_distribution(Id=identity) if identity else None
    before = there["Distribution"]["DistributionConfig"] if there else None
    config = wanted_config(options, before)
    if message := problem(config):
        module.fail_json(msg=message)

    differs = there is None or comparable(before) != comparable(config)
    untagged = {key: tags[key] for key in tags if carried.get(key) != tags[key]}
    if not module.check_mode:
        if there is None:
            identity = create(client, config, tags)
        elif differs:
            client.update_distribution(
                Id=identity, IfMatch=there["ETag"], DistributionConfig=config
            )
        if there is not None and untagged:
            client.tag_resource(Resource=there["Distribution"]["ARN"], Tags=tag_list(untagged))
        if options["wait"]:
            there = settled(client, module, identity, f"the distribution {options['name']}")
        else:
            there = client.get_distribution(Id=identity)
    return {
        "changed": differs or bool(untagged),
        **(about(there["Distribution"]) if there else NOTHING),
        "diff": {
            "before": {**shown(before or {}), "tags": carried},
            "after": {**shown(config), "tags": carried | tags},
        },
    }


def about(distribution):
    return {
        "id": distribution["Id"],
        "arn": distribution["ARN"],
        "domain_name": distribution["DomainName"],
        "status": distribution["Status"],
    }


def ensure_absent(client, module):
    name = module.params["name"]
    identity, _ = find(client, name, module.params["comment"])
    if identity is None:
        return {"changed": False, **NOTHING}
    there = client.get_distribution(Id=identity)
    before = there["Distribution"]["DistributionConfig"]
    if not module.check_mode:
        if before["Enabled"]:
            client.update_distribution(
                Id=identity, IfMatch=there["ETag"], DistributionConfig=before | {"Enabled": False}
            )
        there = settled(client, module, identity, f"that {name} is disabled")
        retry = AWSRetry.jittered_backoff(
            retries=20, catch_extra_error_codes=["DistributionNotDisabled"]
        )
        try:
            retry(client.delete_distribution)(Id=identity, IfMatch=there["ETag"])
        except is_boto3_error_code("NoSuchDistribution"):
            pass  # somebody else was faster
    return {"changed": True, **NOTHING, "diff": {"before": shown(before), "after": {}}}


def specification():
    behavior = {
        "origin": {"type": "str", "required": True},
        "viewer_protocol": {
            "type": "str",
            "choices": ["allow-all", "redirect-to-https", "https-only"],
            "default": "redirect-to-https",
        },
        "methods": {
            "type": "str", "choices": ["read", "read-options", "all"], "default": "read",
        },
        "cached_methods": {
            "type": "str", "choices": ["read", "read-options"], "default": "read",
        },
        "compress": {"type": "bool", "default": False},
        "cache_policy": {"type": "str", "required": True},
        "origin_request_policy": {"type": "str"},
        "response_headers_policy": {"type": "str"},
    }  # fmt: skip
    origin = {
        "id": {"type": "str", "required": True},
        "domain_name": {"type": "str", "required": True},
        "bucket": {"type": "bool", "default": False},
        "access_control": {"type": "str"},
        "path": {"type": "str", "default": ""},
        "headers": {"type": "dict", "no_log": True},
        "protocol": {
            "type": "str",
            "choices": ["https-only", "http-only", "match-viewer"],
            "default": "https-only",
        },
        "http_port": {"type": "int", "default": 80},
        "https_port": {"type": "int", "default": 443},
        "tls_protocols": {"type": "list", "elements": "str", "default": ["TLSv1.2"]},
        "read_timeout": {"type": "int", "default": 30},
        "keepalive_timeout": {"type": "int", "default": 5},
        "connection_attempts": {"type": "int", "default": 3},
        "connection_timeout": {"type": "int", "default": 10},
    }
    group = {
        "id": {"type": "str", "required": True},
        "origins": {"type": "list", "elements": "str", "required": True},
        "codes": {"type": "list", "elements": "int", "required": True},
    }
    error = {
        "code": {"type": "int", "required": True},
        "caching_min_ttl": {"type": "int", "default": 10},
        "page": {"type": "str"},
        "response_code": {"type": "int"},
    }
    logging = {
        "bucket": {"type": "str", "default": ""},
        "prefix": {"type": "str", "default": ""},
        "cookies": {"type": "bool", "default": False},
    }
    path = {"path": {"type": "str", "required": True}}
    return {
        "name": {"type": "str", "required": True},
        "comment": {"type": "str"},
        "enabled": {"type": "bool"},
        "aliases": {"type": "list", "elements": "str"},
        "certificate_arn": {"type": "str"},
        "tls_policy": {"type": "str", "default": "TLSv1.2_2021"},
        "origins": {"type": "list", "elements": "dict", "options": origin},
        "origin_groups": {"type": "list", "elements": "dict", "options": group},
        "default_behavior": {"type": "dict", "options": behavior},
        "behaviors": {"type": "list", "elements": "dict", "options": path | behavior},
        "error_responses": {"type": "list", "elements": "dict", "options": error},
        "logging": {"type": "dict", "options": logging},
        "price_class": {
            "type": "str",
            "choices": ["PriceClass_100", "PriceClass_200", "PriceClass_All"],
        },
        "http_version": {"type": "str", "choices": ["http1.1", "http2", "http3", "http2and3"]},
        "ipv6": {"type": "bool"},
        "web_acl_id": {"type": "str"},
        "default_root_object": {"type": "str"},
        "tags": {"type": "dict", "default": {}},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 1800},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def main():
    module = AnsibleAWSModule(argument_spec=specification(), supports_check_mode=True)
    module.params["tags"] = {key: str(value) for key, value in module.params["tags"].items()}
    client = module.client("cloudfront")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the distribution {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
