#!/usr/bin/python
"""Ansible module: the alarms of a site, and whom they tell."""

DOCUMENTATION = r"""
module: cloudwatch_alarms
short_description: Keep all alarms of a site, with the topic that tells people
description:
  - Makes the O(alarms) the only ones whose names begin with O(name), and lets each tell a topic of
    that name when it starts and when it ends.
  - AWS writes to a new address once and waits for its answer; until then it gets no alarm.
notes:
  - "Gap in the collections: M(amazon.aws.cloudwatch_metric_alarm) and M(community.aws.sns_topic)
    take one alarm and one topic a call (a site has some twenty alarms), and nothing removes those
    that are not listed any more."
options:
  name:
    description: Name of the topic; names of the alarms begin with it and a hyphen.
    type: str
    required: true
  emails:
    description: Addresses that are told.
    type: list
    elements: str
    default: []
  alarms:
    description: The alarms.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name, without the site's.
        type: str
        required: true
      description:
        description: What it means, and what to do.
        type: str
        required: true
      namespace:
        description: Namespace of the metric.
        type: str
        required: true
      metric:
        description: The metric.
        type: str
        required: true
      dimensions:
        description: What it is of.
        type: dict
        default: {}
      statistic:
        description: What is taken of the values of a period.
        type: str
        choices: [Average, Maximum, Minimum, Sum]
        default: Average
      comparison:
        description: When it breaches.
        type: str
        choices: [above, below]
        default: above
      threshold:
        description: The value that must not be passed.
        type: float
        required: true
      period:
        description: Seconds of a period.
        type: int
        default: 300
      periods:
        description: How many periods it has to breach one after another.
        type: int
        default: 1
      missing:
        description: What a period without values is taken for.
        type: str
        choices: [breaching, notBreaching, ignore, missing]
        default: notBreaching
  tags:
    description: Tags that a new alarm and the topic get.
    type: dict
    default: {}
  state:
    description: Whether there are any, and the topic.
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
- name: Tell somebody when the database gets full
  cloudwatch_alarms:
    name: shop-production
    emails: [ops@example.com]
    alarms:
      - name: database-storage
        description: Less than 2 GiB are free
        namespace: AWS/RDS
        metric: FreeStorageSpace
        dimensions: {DBInstanceIdentifier: shop-production}
        comparison: below
        threshold: 2147483648
"""

RETURN = r"""
topic:
  description: ARN of the topic; in check mode empty when it would be made.
  returned: always
  type: str
  sample: arn:aws:sns:us-east-1:123456789012:shop-production
unconfirmed:
  description: Addresses that have not answered AWS's question yet.
  returned: always
  type: list
  elements: str
alarms:
  description: State of each alarm by its name, before this run changed any.
  returned: always
  type: dict
  sample: {shop-production-database-storage: OK}
"""

from ansible.module_utils import alarms
from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

MOST_A_CALL = 100
PENDING = "PendingConfirmation"


def topic_arn(module):
    """What the topic is called, whether or not it is there."""
    account = module.client("sts").get_caller_identity()["Account"]
    sns = module.client("sns")
    name = module.params["name"]
    return f"arn:{sns.meta.partition}:sns:{sns.meta.region_name}:{account}:{name}"


def subscriptions(sns, topic):
    """``{address: ARN}`` of who is told by mail; None without the topic."""
    try:
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        return {
            each["Endpoint"]: each["SubscriptionArn"]
            for page in pages
            for each in page["Subscriptions"]
            if each["Protocol"] == "email"
        }
    except is_boto3_error_code(["NotFound", "NotFoundException"]):
        return None


def read_alarms(cloudwatch, prefix):
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
    )
    return {each["AlarmName"]: each for page in pages for each in page["MetricAlarms"]}


def write(module, topic, told, emails, puts, deletes):
    """Make it so: the topic first, for alarms name it."""
    sns, cloudwatch = module.client("sns"), module.client("cloudwatch")
    tags = [{"Key": key, "Value": str(value)} for key, value in module.params["tags"].items()]
    present = module.params["state"] == "present"
    if present and told is None:
        sns.create_topic(Name=module.params["name"], Tags=tags)
    for address in sorted(set(emails) - set(told or {})):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    for put, new in puts:
        cloudwatch.put_metric_alarm(**put, **({"Tags": tags} if new else {}))
    for start in range(0, len(deletes), MOST_A_CALL):
        cloudwatch.delete_alarms(AlarmNames=deletes[start : start + MOST_A_CALL])
    if not present and told is not None:
        sns.delete_topic(TopicArn=topic)
        return
    for address, arn in sorted((told or {}).items()):
        # One that was never confirmed cannot be ended; it does so by itself after two days.
        if address not in emails and arn != PENDING:
            sns.unsubscribe(SubscriptionArn=arn)


def ensure(module):
    present = module.params["state"] == "present"
    prefix, topic = f"{module.params['name']}-", topic_arn(module)
    emails = module.params["emails"] if present else []
    listed = module.params["alarms"] if present else []
    told = subscriptions(module.client("sns"), topic)
    current = read_alarms(module.client("cloudwatch"), prefix)
    wanted = {prefix + item["name"]: alarms.wanted(prefix, item, topic) for item in listed}
    puts = [
        (put, name not in current)
        for name, put in wanted.items()
        if name not in current or alarms.differs(current[name], put)
    ]
    deletes = sorted(set(current) - set(wanted))
    ended = {each for each, arn in (told or {}).items() if each not in emails and arn != PENDING}
    changed = bool(puts or deletes or ended or set(emails) - set(told or {}))
    changed |= present != (told is not None)
    before = {"told": sorted(told or {}), "alarms": alarms.shown(current)}
    after = {
        "told": sorted((set(told or {}) - ended) | set(emails)) if present else [],
        "alarms": alarms.shown(wanted),
    }
    if changed and not module.check_mode:
        write(module, topic, told, emails, puts, deletes)
    return {
        "changed": changed,
        "topic": topic if told is not None or (present and not module.check_mode) else "",
        "unconfirmed": sorted(
            each for each in emails if (told or {}).get(each, PENDING) == PENDING
        ),
        "alarms": {name: each["StateValue"] for name, each in sorted(current.items())},
        "diff": {"before": before, "after": after},
    }


def main():
    alarm = {
        "name": {"type": "str", "required": True},
        "description": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "metric": {"type": "str", "required": True},
        "dimensions": {"type": "dict", "default": {}},
        "statistic": {
            "type": "str",
            "choices": ["Average", "Maximum", "Minimum", "Sum"],
            "default": "Average",
        },
        "comparison": {"type": "str", "choices": ["above", "below"], "default": "above"},
        "threshold": {"type": "float", "required": True},
        "period": {"type": "int", "default": 300},
        "periods": {"type": "int", "default": 1},
        "missing": {
            "type": "str",
            "choices": ["breaching", "notBreaching", "ignore", "missing"],
            "default": "notBreaching",
        },
    }
    module = AnsibleAWSModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "emails": {"type": "list", "elements": "str", "default": []},
            "alarms": {"type": "list", "elements": "dict", "default": [], "options": alarm},
            "tags": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = ensure(module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot keep the alarms of {module.params['name']}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
