"""Lookup plugin: the region that the caller's shell and AWS configuration name."""

DOCUMENTATION = r"""
name: aws_region
short_description: Region of the shell, else of the profile, else us-east-1
description:
  - >-
    C(AWS_REGION), which the AWS CLI and the collections read; then what boto3 finds, which is
    C(AWS_DEFAULT_REGION) and the region of the profile in the configuration file.
author: Simple Mustache Service
"""

EXAMPLES = r"""
aws_region: "{{ lookup('aws_region') }}"
"""

RETURN = r"""
_raw:
  description: Name of the region.
  type: list
  elements: str
"""

import os

import boto3
from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from botocore.exceptions import BotoCoreError

DEFAULT = "us-east-1"


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **options):
        named = os.environ.get("AWS_REGION")
        if named:
            return [named]
        try:
            return [boto3.session.Session().region_name or DEFAULT]
        except BotoCoreError as error:
            # a profile that does not exist, say
            raise AnsibleError(f"{error}. See AWS_PROFILE and docs/aws.md.") from error
