#!/usr/bin/python
"""Ansible module: a certificate that ACM issues for a domain name."""

DOCUMENTATION = r"""
module: acm_public_certificate
short_description: Request a certificate from ACM
description:
  - Requests a certificate that is validated by DNS, or finds the one that was requested, and says
    which record proves that the domain is yours.
  - ACM renews it by itself for as long as that record stays.
notes:
  - "Gap in the collections: M(community.aws.acm_certificate) only imports certificates that were
    issued elsewhere."
options:
  domain:
    description: The domain name.
    type: str
    required: true
  wait:
    description: Whether to wait until the certificate is issued. It needs the record for that.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait.
    type: int
    default: 600
  tags:
    description: Tags. A certificate without these is not ours and not looked at.
    type: dict
    required: true
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
- name: Request a certificate
  acm_public_certificate: {domain: shop.example.com, tags: {Project: shop}}
  register: certificate

- name: Prove that the domain is ours
  amazon.aws.route53:
    zone: example.com
    record: "{{ certificate.validation.name }}"
    type: "{{ certificate.validation.type }}"
    value: "{{ certificate.validation.value }}"
    ttl: 300
    state: present
  when: certificate.status != 'ISSUED'

- name: Wait until it is issued
  acm_public_certificate: {domain: shop.example.com, tags: {Project: shop}, wait: true}
"""

RETURN = r"""
arn:
  description: ARN of the certificate.
  returned: always
  type: str
  sample: arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012
status:
  description: Status as ACM names it.
  returned: always
  type: str
  sample: ISSUED
validation:
  description: Name, type and value of the record that proves that the domain is yours; empty in
    check mode when there is no certificate yet.
  returned: always
  type: dict
  sample: {name: _0123.shop.example.com., type: CNAME, value: _4567.acm-validations.aws.}
"""

import secrets
import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

POLL_SECONDS = 1


def find(client, domain, tags):
    """Descriptions of the certificates for ``domain`` that carry ``tags``, issued ones first."""
    pages = client.get_paginator("list_certificates").paginate(
        CertificateStatuses=["ISSUED", "PENDING_VALIDATION"]
    )
    arns = [
        each["CertificateArn"]
        for page in pages
        for each in page["CertificateSummaryList"]
        if each["DomainName"] == domain
    ]
    found = []
    for arn in arns:
        listed = client.list_tags_for_certificate(CertificateArn=arn)["Tags"]
        if tags.items() <= {tag["Key"]: tag.get("Value", "") for tag in listed}.items():
            found.append(client.describe_certificate(CertificateArn=arn)["Certificate"])
    return sorted(found, key=lambda each: each["Status"] != "ISSUED")


def request(client, domain, tags):
    return client.request_certificate(
        DomainName=domain,
        ValidationMethod="DNS",
        # Makes one of what botocore sends again. A token of the name's own would for an hour answer
        # with a certificate that was deleted meanwhile.
        IdempotencyToken=secrets.token_hex(16),
        Tags=[{"Key": key, "Value": tags[key]} for key in sorted(tags)],
    )["CertificateArn"]


def record_of(certificate):
    """The validation record; ACM may know it only some seconds after the request."""
    for option in certificate.get("DomainValidationOptions", []):
        if "ResourceRecord" in option:
            record = option["ResourceRecord"]
            return {"name": record["Name"], "type": record["Type"], "value": record["Value"]}
    return {}


def settle(client, module, arn, done):
    """Describe the certificate until ``done`` says so or the time is up."""
    deadline = time.monotonic() + module.params["wait_timeout"]
    while True:
        certificate = client.describe_certificate(CertificateArn=arn)["Certificate"]
        if done(certificate):
            return certificate
        if certificate["Status"] == "FAILED" or time.monotonic() > deadline:
            module.fail_json(
                msg=f"The certificate for {module.params['domain']} is {certificate['Status']}"
                f" {certificate.get('FailureReason', '')}. Its validation record is "
                f"{record_of(certificate)}; `dig CNAME` must find it from the internet."
            )
        time.sleep(POLL_SECONDS)


def known_or_issued(certificate):
    return certificate["Status"] == "ISSUED" or record_of(certificate)


def issued(certificate):
    return certificate["Status"] == "ISSUED"


def ensure_present(client, module):
    domain, tags = module.params["domain"], module.params["tags"]
    found = find(client, domain, tags)
    if not found and module.check_mode:
        return {"changed": True, "arn": "", "status": "PENDING_VALIDATION", "validation": {},
                "diff": {"before": "", "after": f"certificate for {domain}"}}  # fmt: skip
    arn = found[0]["CertificateArn"] if found else request(client, domain, tags)
    certificate = found[0] if found else {"Status": ""}
    done = issued if module.params["wait"] else known_or_issued
    if not done(certificate) and not module.check_mode:
        certificate = settle(client, module, arn, done)
    return {
        "changed": not found,
        "arn": arn,
        "status": certificate["Status"],
        "validation": record_of(certificate),
        "diff": {
            "before": f"certificate for {domain}" if found else "",
            "after": f"certificate for {domain}",
        },
    }


def ensure_absent(client, module):
    found = find(client, module.params["domain"], module.params["tags"])
    # A balancer that was deleted a moment ago may still count as using it.
    retry = AWSRetry.jittered_backoff(
        retries=20, catch_extra_error_codes=["ResourceInUseException"]
    )
    for certificate in found:
        if not module.check_mode:
            retry(client.delete_certificate)(CertificateArn=certificate["CertificateArn"])
    return {
        "changed": bool(found),
        "arn": "",
        "status": "",
        "validation": record_of(found[0]) if found else {},
        "diff": {"before": [each["CertificateArn"] for each in found], "after": []},
    }


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "domain": {"type": "str", "required": True},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 600},
            "tags": {"type": "dict", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    module.params["tags"] = {key: str(value) for key, value in module.params["tags"].items()}
    client = module.client("acm")
    ensure = ensure_present if module.params["state"] == "present" else ensure_absent
    try:
        result = ensure(client, module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the certificate {module.params['domain']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
