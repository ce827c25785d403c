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
        C(balancer); the C(cache) with C(type) and C(nodes), or nothing; and what visitors take in a
        month, C(usage), as P(monthly_usage#filter) says it, or nothing.
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

# What visitors take has no line below this: it is not a cent.
LEAST = 0.005

# CloudFront's requests are billed by so many.
CDN_REQUESTS = 10000

# AWS puts a node of a load balancer, with an address, into each of two zones.
BALANCER_ADDRESSES = 2


def host_lines(hosts, prices):
    count, volume, spot = int(hosts["count"]), hosts["volume"], int(hosts.get("spot", 0))
    kind, size, iops = volume["type"], int(volume["size"]), int(volume["iops"])
    if not count:
        return
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
    hour = prices["balancer_hour"] + BALANCER_ADDRESSES * prices["public_ipv4_hour"]
    yield "load balancer with its addresses", hour * prices["hours_per_month"]


def cache_lines(cache, prices):
    nodes = int(cache["nodes"])
    if (hour := prices["cache_hour"].get(cache["type"])) is not None:
        what = f"ElastiCache, {nodes} x {cache['type']}"
        yield what, nodes * hour * prices["hours_per_month"]


def tiered(amount, tiers):
    """What an amount costs when each step of it has a price of its own."""
    cost, start = 0, 0
    for tier in tiers:
        end = tier.get("to", amount)
        cost += max(min(amount, end) - start, 0) * tier["price"]
        start = end
    return cost


def surplus_lines(usage, resources, prices):
    """Hours of burstable processors beyond what their types earn, on average of the month."""
    hosts, database = resources["hosts"], resources["database"]
    for what, kind, count, hours in (
        ("hosts", hosts["type"], int(hosts["count"]), usage["host_cpu_hours"]),
        ("database", database.get("class", ""), 1, usage["database_cpu_hours"]),
    ):
        family, _, size = kind.rpartition(".")
        if family in prices["credit_cpu_hour"] and size in prices["baseline"]:
            earned = prices["baseline"][size] * prices["burstable_cpus"][size]
            beyond = hours - count * earned * prices["hours_per_month"]
            yield f"credits of the {what}", beyond * prices["credit_cpu_hour"][family]


def disk_lines(usage, resources, prices):
    """What disks have to be larger than they are, for pictures in the database."""
    volume, database = resources["hosts"]["volume"], resources["database"]
    more = usage["volume_gib"] - int(volume["size"])
    yield f"{more} GiB more {volume['type']}", more * prices["volume_gib_month"][volume["type"]]
    if database:
        more = usage["database_gib"] - int(database["size"])
        copies = 2 if database["multi_az"] else 1
        yield f"RDS storage, {more} GiB more", copies * more * prices["database_gib_month"]


def function_lines(usage, prices):
    """What AWS gives every account for nothing is not taken off: others use it too."""
    asked, seconds = usage["function_requests"], usage["function_gib_seconds"]
    month = (
        asked * prices["function_request_million"] / 1e6 + seconds * prices["function_gib_second"]
    )
    yield f"Lambda, {asked:,.0f} requests, {seconds:,.0f} GiB seconds", month
    asked = usage["api_requests"]
    yield f"API Gateway, {asked:,.0f} requests", asked * prices["api_request_million"] / 1e6


def usage_lines(usage, resources, prices):
    """What visitors take; nothing of what costs nothing."""
    sent, cdn = usage["internet_gib"], usage["cdn_gib"]
    yield f"{sent:,.0f} GiB to the internet", tiered(sent, prices["internet_gib"])
    yield f"{usage['zone_gib']:,.0f} GiB between zones", usage["zone_gib"] * prices["zone_gib"]
    yield f"CloudFront, {cdn:,.0f} GiB to visitors", tiered(cdn, prices["cdn_gib"])
    requests = tiered(usage["cdn_requests"], prices["cdn_requests"]) / CDN_REQUESTS
    yield f"CloudFront, {usage['cdn_requests']:,.0f} requests", requests
    uploads = usage["cdn_upload_gib"]
    yield f"CloudFront, {uploads:,.1f} GiB of uploads", uploads * prices["cdn_upload_gib"]
    units = usage["balancer_units"] * prices["hours_per_month"] * prices["balancer_unit_hour"]
    yield f"load balancer, {usage['balancer_units']:,.2f} capacity units", units
    yield (
        f"S3, {usage['files_gib']:,.1f} GiB of pictures",
        usage["files_gib"] * prices["s3_gib_month"],
    )
    asked = (
        usage["file_puts"] * prices["s3_puts_1000"] + usage["file_gets"] * prices["s3_gets_1000"]
    )
    yield "S3, requests for pictures", asked / 1000
    yield f"S3, {usage['dumps_gib']:,.1f} GiB of dumps", usage["dumps_gib"] * prices["s3_gib_month"]
    reads, writes = usage["table_reads"], usage["table_writes"]
    month = reads * prices["table_read_million"] + writes * prices["table_write_million"]
    yield f"DynamoDB, {reads:,.2f} million reads and {writes:,.2f} million writes", month
    yield from function_lines(usage, prices)
    yield from disk_lines(usage, resources, prices)
    yield from surplus_lines(usage, resources, prices)


def monthly_cost(resources, prices):
    lines = list(host_lines(resources["hosts"], prices))
    if resources["database"]:
        lines += database_lines(resources["database"], prices)
    if resources["balancer"]:
        lines += balancer_lines(prices)
    if resources.get("cache"):
        lines += cache_lines(resources["cache"], prices)
    if usage := resources.get("usage"):
        found = usage_lines(usage, resources, prices)
        lines += [(what, month) for what, month in found if month >= LEAST]
    lines.append(("hosted zone", prices["hosted_zone_month"]))
    return [{"what": what, "month": month} for what, month in lines]


class FilterModule:
    def filters(self):
        return {"monthly_cost": monthly_cost}
