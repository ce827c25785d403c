#!/usr/bin/python
"""Ansible module: how busy a site is."""

DOCUMENTATION = r"""
module: site_load
short_description: Look how busy a site is, and since when it is at its stage
description:
  - Asks CloudWatch once about hosts, balancer, API, functions, tables, database and cache of a
    site, and says of each what it was at most in the busiest five minutes of the time looked at,
    which are those with about the most requests, or without a balancer or an API all. Five
    minutes that have not ended do not count.
  - Where CloudWatch has nothing, as of a host that has just started, or of a function that nobody
    has invoked, there is V(null).
notes:
  - "Gap in the collections: M(amazon.aws.cloudwatch_metric_alarm_info) reads alarms; no module
    reads metrics."
  - What comes back is an C(_info) result, so check mode changes nothing and there is no diff.
options:
  tags:
    description: Tags that the hosts carry.
    type: dict
    required: true
  stage_parameter:
    description: Name of the parameter of SSM that notes the stage.
    type: str
    required: true
  balancer:
    description: Name of the load balancer, if there is one.
    type: str
    default: ""
  api:
    description: Name of the HTTP API, if there is one.
    type: str
    default: ""
  function:
    description: Name of the function that is behind the API, if there is one.
    type: str
    default: ""
  tables:
    description: Names of the tables of DynamoDB.
    type: list
    elements: str
    default: []
  database:
    description: Identifier of the RDS instance, if there is one.
    type: str
    default: ""
  cache:
    description: Id of the replication group, if there is one.
    type: str
    default: ""
  group:
    description: Name of the Auto Scaling group, if there is one.
    type: str
    default: ""
  minutes:
    description: How far back to look.
    type: int
    default: 1440
author: Simple Mustache Service
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Look how busy the site was in the last hour
  site_load:
    tags: {Project: shop, Environment: production}
    stage_parameter: /shop/production/state/stage
    balancer: shop-production
    database: shop-production
    minutes: 60
  register: site

- name: Say so
  ansible.builtin.debug:
    msg: "{{ site.load.balancer.requests }} requests a second, p95 {{ site.load.balancer.p95 }} s"
"""

RETURN = r"""
since:
  description: When the stage was noted.
  returned: always
  type: str
  sample: 2026-11-29 04:05 UTC
load:
  description: The busiest five minutes of each metric; what there is not is empty.
  returned: always
  type: dict
  contains:
    start:
      description: From when on was looked.
      type: str
    end:
      description: Until when.
      type: str
    hosts:
      description: How many run (C(count)), their C(type), the percent of the mean host's
        processors (C(cpu)) and the Gbit/s that it sends (C(gbit)).
      type: dict
    group:
      description: How many hosts are C(in_service), and how many there can be at C(most).
      type: dict
    balancer:
      description: C(requests) a second, the share that C(failed) with 5xx, and the 95th
        percentile of the hosts' answers in seconds, C(p95).
      type: dict
    api:
      description: C(requests) a second, the share that C(failed) with 5xx, and the 95th percentile
        of the API's answers in seconds, C(p95); and how many requests a second it takes, C(rate).
      type: dict
    functions:
      description: The C(concurrency) that is reserved for the function, how many runs of it there
        were at once at most (C(concurrent)), the mean C(seconds) of a run, and the share that was
        C(throttled) as there were too many.
      type: dict
    tables:
      description: Units of capacity that all tables took in a second, C(reads) and C(writes).
      type: dict
    database:
      description: C(class), C(multi_az), C(gib) of its disk, C(cpu) in percent, C(connections),
        and C(free_gib).
      type: dict
    cache:
      description: C(type), C(nodes), and C(cpu) of the busiest node's engine in percent.
      type: dict
"""

from ansible.module_utils import site_load
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says so

# Of an HTTP API, the one that needs no name in its paths.
STAGE = "$default"
WHEN = "%Y-%m-%d %H:%M UTC"


def find_hosts(client, tags):
    filters = [{"Name": f"tag:{key}", "Values": [str(tags[key])]} for key in sorted(tags)]
    filters.append({"Name": "instance-state-name", "Values": ["running"]})
    pages = client.get_paginator("describe_instances").paginate(Filters=filters)
    return [
        instance
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]


def find_group(client, name):
    [group] = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    serving = [each for each in group["Instances"] if each["LifecycleState"] == "InService"]
    return {"in_service": len(serving), "most": group["MaxSize"]}


def find_balancer(client, name):
    """As CloudWatch names it."""
    [balancer] = client.describe_load_balancers(Names=[name])["LoadBalancers"]
    return balancer["LoadBalancerArn"].partition("loadbalancer/")[2]


def find_api(client, name):
    """Its id, and how many requests a second its stage takes."""
    pages = client.get_paginator("get_apis").paginate()
    [found] = [each["ApiId"] for page in pages for each in page["Items"] if each["Name"] == name]
    stage = client.get_stage(ApiId=found, StageName=STAGE)
    return found, {"rate": stage.get("DefaultRouteSettings", {}).get("ThrottlingRateLimit")}


def find_function(client, name):
    reserved = client.get_function_concurrency(FunctionName=name)
    return {"concurrency": reserved.get("ReservedConcurrentExecutions")}


def find_database(client, identifier):
    [found] = client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
    return {
        "class": found["DBInstanceClass"],
        "multi_az": found["MultiAZ"],
        "gib": found["AllocatedStorage"],
    }


def find_cache(client, name):
    [group] = client.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    nodes = group["MemberClusters"]
    return {"type": group["CacheNodeType"], "nodes": len(nodes)}, nodes


def read(module, now=None):
    given = module.params
    hosts = find_hosts(module.client("ec2"), given["tags"])
    group = find_group(module.client("autoscaling"), given["group"]) if given["group"] else {}
    balancer = find_balancer(module.client("elbv2"), given["balancer"]) if given["balancer"] else ""
    api_id, api = (
        find_api(module.client("apigatewayv2"), given["api"]) if given["api"] else ("", {})
    )
    function = (
        find_function(module.client("lambda"), given["function"]) if given["function"] else {}
    )
    database = find_database(module.client("rds"), given["database"]) if given["database"] else {}
    cache, nodes = (
        find_cache(module.client("elasticache"), given["cache"]) if given["cache"] else ({}, [])
    )
    asked = site_load.queries(
        [each["InstanceId"] for each in hosts], given["group"], balancer, given["database"], nodes,
        api_id, given["function"], given["tables"],
    )  # fmt: skip
    start, end = site_load.window(given["minutes"], now)
    pages = module.client("cloudwatch").get_paginator("get_metric_data")
    named = site_load.lines(
        pages.paginate(MetricDataQueries=asked, StartTime=start, EndTime=end) if asked else []
    )
    whiles = site_load.busy_whiles(named) if balancer or api else None
    kinds = sorted({each["InstanceType"] for each in hosts})
    sharing = max(group.get("in_service", 1), 1)
    return {
        "start": f"{start:{WHEN}}",
        "end": f"{end:{WHEN}}",
        "hosts": {"count": len(hosts), "type": ", ".join(kinds)}
        | site_load.host_load(named, sharing, whiles),
        "group": group,
        "balancer": site_load.balancer_load(named, whiles) if balancer else {},
        "api": api | site_load.api_load(named, whiles) if api else {},
        "functions": function | site_load.function_load(named, whiles) if function else {},
        "tables": site_load.table_load(named, whiles) if given["tables"] else {},
        "database": database | site_load.database_load(named, whiles) if database else {},
        "cache": cache | site_load.cache_load(named, whiles) if cache else {},
    }


def noted(client, name):
    at = client.get_parameter(Name=name)["Parameter"]["LastModifiedDate"]
    return f"{at.astimezone(site_load.UTC):{WHEN}}"


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "tags": {"type": "dict", "required": True},
            "stage_parameter": {"type": "str", "required": True},
            "balancer": {"type": "str", "default": ""},
            "api": {"type": "str", "default": ""},
            "function": {"type": "str", "default": ""},
            "tables": {"type": "list", "elements": "str", "default": []},
            "database": {"type": "str", "default": ""},
            "cache": {"type": "str", "default": ""},
            "group": {"type": "str", "default": ""},
            "minutes": {"type": "int", "default": 1440},
        },
        supports_check_mode=True,
    )
    try:
        since = noted(module.client("ssm"), module.params["stage_parameter"])
        load = read(module)
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg="Cannot look how busy the site is")
    module.exit_json(changed=False, since=since, load=load)


if __name__ == "__main__":
    main()
