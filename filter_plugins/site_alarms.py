"""Ansible filter: what of a site should wake somebody, as alarms of CloudWatch."""

DOCUMENTATION = r"""
name: site_alarms
short_description: The alarms of a site, from what it is made of
description:
  - Of each host its processors, disk, health, failed units and, where it makes them, dumps; of a
    load balancer its errors and unhealthy hosts; of a database its processors, storage and
    connections.
positional: _input
options:
  _input:
    description: The hosts, C(name) and C(id) of each and whether it makes C(dumps), that may be
      C(dump_hours) old.
    type: list
    elements: dict
    required: true
  balancer:
    description: C(load_balancer) and C(target_group) as CloudWatch names them; empty for none.
    type: dict
    default: {}
  database:
    description: C(identifier), C(storage_gib) and most C(connections) of an RDS instance; empty for
      none.
    type: dict
    default: {}
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Keep the alarms of one host
  cloudwatch_alarms:
    name: shop
    emails: [ops@example.com]
    alarms: "{{ [{'name': 'shop-1', 'id': 'i-0123456789abcdef0'}] | site_alarms }}"
"""

RETURN = r"""
_value:
  description: Alarms as M(cloudwatch_alarms) takes them.
  type: list
  elements: dict
"""

GIB = 2**30
# What roles/monitoring sends of each host.
OWN = "Mustache"


def of_host(host):
    name = host["name"]
    instance, own = {"InstanceId": host["id"]}, {"Host": name}
    yield {
        "name": f"{name}-cpu",
        "description": f"{name} has had no processor to spare for 15 minutes: a bigger "
        "web_instance_type, or more hosts. A burstable one costs more than its price meanwhile",
        "namespace": "AWS/EC2", "metric": "CPUUtilization", "dimensions": instance,
        "threshold": 90, "periods": 3,
    }  # fmt: skip
    yield {
        "name": f"{name}-status",
        "description": f"AWS's checks of {name} fail: stop and start it, which moves it to another "
        "machine",
        "namespace": "AWS/EC2", "metric": "StatusCheckFailed", "dimensions": instance,
        "statistic": "Maximum", "threshold": 0, "period": 60, "periods": 3, "missing": "breaching",
    }  # fmt: skip
    yield {
        "name": f"{name}-disk",
        "description": f"The disk of {name} is nearly full: a bigger web_volume_size grows it",
        "namespace": OWN, "metric": "DiskUsedPercent", "dimensions": own,
        "statistic": "Maximum", "threshold": 85, "periods": 2, "missing": "breaching",
    }  # fmt: skip
    yield {
        "name": f"{name}-units",
        "description": f"Units of {name} have failed, the dump of the database may be one: "
        "systemctl --failed names them",
        "namespace": OWN, "metric": "FailedUnits", "dimensions": own,
        "statistic": "Maximum", "threshold": 0, "missing": "breaching",
    }  # fmt: skip
    if host.get("dump_hours"):
        yield {
            "name": f"{name}-dumps",
            "description": f"The last dump of the database is more than {host['dump_hours']} hours "
            f"old: journalctl -u mustache-backup on {name} says why",
            "namespace": OWN, "metric": "DumpAgeHours", "dimensions": own,
            "statistic": "Minimum", "threshold": host["dump_hours"], "missing": "breaching",
        }  # fmt: skip


def of_balancer(balancer):
    front = {"LoadBalancer": balancer["load_balancer"]}
    hosts = front | {"TargetGroup": balancer["target_group"]}
    for who, metric in (
        ("The load balancer", "HTTPCode_ELB_5XX_Count"),
        ("The app", "HTTPCode_Target_5XX_Count"),
    ):
        yield {
            "name": f"{'balancer' if 'ELB' in metric else 'app'}-errors",
            "description": f"{who} has answered more than ten requests in five minutes with errors",
            "namespace": "AWS/ApplicationELB", "metric": metric, "dimensions": front,
            "statistic": "Sum", "threshold": 10,
        }  # fmt: skip
    yield {
        "name": "unhealthy-hosts",
        "description": "A web host gets no requests, for it is not ready: the others serve",
        "namespace": "AWS/ApplicationELB", "metric": "UnHealthyHostCount", "dimensions": hosts,
        "statistic": "Maximum", "threshold": 0, "period": 60, "periods": 5,
    }  # fmt: skip


def of_database(database):
    instance = {"DBInstanceIdentifier": database["identifier"]}
    low = database["storage_gib"] * GIB // 10
    for name, about, metric, more in (
        ("cpu", "The database has had no processor to spare for 15 minutes: a bigger "
         "db_instance_class", "CPUUtilization", {"threshold": 90, "periods": 3}),
        ("storage", "Less than a tenth of the database's storage is free, and it does not grow by "
         "itself: see db_storage_limit", "FreeStorageSpace",
         {"threshold": low, "comparison": "below", "statistic": "Minimum", "periods": 2}),
        ("connections", "The database has nearly as many connections as it takes",
         "DatabaseConnections", {"threshold": database["connections"], "statistic": "Maximum"}),
    ):  # fmt: skip
        yield {"name": f"database-{name}", "description": about, "namespace": "AWS/RDS",
               "metric": metric, "dimensions": instance, **more}  # fmt: skip


def site_alarms(hosts, balancer=None, database=None):
    found = [alarm for host in hosts for alarm in of_host(host)]
    found += of_balancer(balancer) if balancer else []
    return found + (list(of_database(database)) if database else [])


class FilterModule:
    def filters(self):
        return {"site_alarms": site_alarms}
