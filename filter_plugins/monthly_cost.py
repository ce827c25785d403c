"""Ansible filter: what a set of AWS resources costs a month, line by line."""

DOCUMENTATION = r"""
name: monthly_cost
short_description: What resources cost a month, line by line
description:
  - Multiplies what is there with a table of list prices, such as C(group_vars/all/prices.yml).
  - What the table has no price for has no line.
positional: prices
options:
  _input:
    description:
      - C(hosts) with C(count), C(type), and the C(type), C(size) and C(iops) of their C(volume),
        and how many of them are on Spot, C(spot);
        C(database) with C(class), C(size) and C(multi_az), or nothing; whether there is a
        C(balancer); how many GiB of pictures are in a bucket, C(pictures_gib); the C(cache) with
        C(type) and C(nodes), and the million C(reads) and C(writes) of a C(table), or nothing.
    type: dict
    required: true
  prices:
    description: The table of prices.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say what a host costs
  ansible.builtin.debug:
    msg: "{{ {'hosts': hosts, 'database': {}, 'balancer': false} | monthly_cost(prices) }}"
  vars:
    hosts: {count: 1, type: t3.small, volume: {type: gp3, size: 20, iops: 3000}}
"""

RETURN = r"""
_value:
  description: C(what) it is, and what it costs a C(month).
  type: list
  elements: dict
  sample: [{what: 1 x t3.small, month: 15.18}]
"""

# AWS puts a node of a load balancer, with an address, into each of two zones.
BALANCER_ADDRESSES = 2


def host_lines(hosts, prices):
    count, volume, spot = int(hosts["count"]), hosts["volume"], int(hosts.get("spot", 0))
    kind, size, iops = volume["type"], int(volume["size"]), int(volume["iops"])
    if (hour := prices["instance_hour"].get(hosts["type"])) is not None:
        demanded, month = count - spot, hour * prices["hours_per_month"]
        if demanded:
            yield f"{demanded} x {hosts['type']}", demanded * month
        if spot:
            yield f"{spot} x {hosts['type']} on Spot", spot * month * prices["spot_share"]
    beyond = max(iops - prices["volume_iops_included"][kind], 0)
    month = size * prices["volume_gib_month"][kind] + beyond * prices["volume_iops_month"][kind]
    yield f"{count} x {size} GiB {kind}", count * month
    address = prices["public_ipv4_hour"] * prices["hours_per_month"]
    yield f"{count} x public IPv4 address", count * address


def database_lines(database, prices):
    twice = database["multi_az"]
    copies, size = (2 if twice else 1), int(database["size"])
    if (hour := prices["database_hour"].get(database["class"])) is not None:
        what = f"RDS {database['class']}" + (", Multi-AZ" if twice else "")
        yield what, copies * hour * prices["hours_per_month"]
    what = f"RDS storage, {size} GiB" + (" in two zones" if twice else "")
    yield what, copies * size * prices["database_gib_month"]


def balancer_lines(prices):
    hour = (
        prices["balancer_hour"]
        + prices["balancer_unit_hour"]
        + BALANCER_ADDRESSES * prices["public_ipv4_hour"]
    )
    what = "load balancer with its addresses and one capacity unit"
    yield what, hour * prices["hours_per_month"]


def cache_lines(cache, prices):
    nodes = int(cache["nodes"])
    if (hour := prices["cache_hour"].get(cache["type"])) is not None:
        what = f"ElastiCache, {nodes} x {cache['type']}"
        yield what, nodes * hour * prices["hours_per_month"]


def table_lines(table, prices):
    reads, writes = table["reads"], table["writes"]
    what = f"DynamoDB, {reads} million reads and {writes} million writes of sessions"
    yield what, reads * prices["table_read_million"] + writes * prices["table_write_million"]


def bucket_lines(gib, prices):
    yield f"S3, {gib} GiB of pictures", gib * prices["s3_gib_month"]


def monthly_cost(resources, prices):
    lines = list(host_lines(resources["hosts"], prices))
    if resources["database"]:
        lines += database_lines(resources["database"], prices)
    if resources["balancer"]:
        lines += balancer_lines(prices)
    if resources.get("cache"):
        lines += cache_lines(resources["cache"], prices)
    if resources.get("table"):
        lines += table_lines(resources["table"], prices)
    if gib := int(resources.get("pictures_gib", 0)):
        lines += bucket_lines(gib, prices)
    lines.append(("hosted zone", prices["hosted_zone_month"]))
    return [{"what": what, "month": month} for what, month in lines]


class FilterModule:
    def filters(self):
        return {"monthly_cost": monthly_cost}
