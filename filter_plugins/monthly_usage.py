"""Ansible filter: what a month's visitors take of a site."""

DOCUMENTATION = r"""
name: monthly_usage
short_description: What a month's visitors take of a site
description:
  - From what visitors do and what a page takes, reckons what AWS bills besides the hours of what
    is there (transfer, requests, storage, capacity units) and what the site has to be able to do.
positional: traffic, capacity, gbit, cpus
options:
  _input:
    description:
      - C(front) and C(stores) of the site, the C(type) of its C(hosts), and the C(class) of its
        C(database), where that is apart. Or, instead of hosts, the C(memory_mb) and the
        C(concurrency) of its C(functions), and the C(rate) of requests a second of the API before
        them.
    type: dict
    required: true
  traffic:
    description: C(pages_per_month), C(pictures_per_month) and C(stored_pictures).
    type: dict
    required: true
  capacity:
    description: The figures of C(group_vars/all/traffic.yml), each with its C(value).
    type: dict
    required: true
  gbit:
    description: Baseline bandwidth by size, of C(burstable) types and of C(other) ones.
    type: dict
    required: true
  cpus:
    description: Processors by size.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say what goes to the internet
  ansible.builtin.debug:
    msg: "{{ (cost_site | monthly_usage(traffic_now, capacity, gbit, cpus)).internet_gib }}"
  vars:
    gbit: "{{ capacity_gbit }}"
    cpus: "{{ prices.burstable_cpus }}"
"""

RETURN = r"""
_value:
  description:
    - What goes to the C(internet_gib), or through CloudFront (C(cdn_gib), C(cdn_requests),
      C(cdn_upload_gib)), between zones (C(zone_gib)) and through a balancer (C(balancer_units),
      on average).
    - What lies in buckets (C(files_gib), C(dumps_gib)), is asked of them (C(file_puts),
      C(file_gets)), and is on disks at least (C(volume_gib), C(database_gib)); millions of
      C(table_reads) and C(table_writes).
    - Hours of processors, of all hosts and of the database (C(host_cpu_hours),
      C(database_cpu_hours)), and seconds of a host's, or of a function's, for a page
      (C(page_seconds)).
    - Of functions C(function_requests), C(function_gib_seconds) and C(api_requests).
    - How many C(hosts) that needs, for their C(processors) and for their C(network) too as
      fractions (C(needs)), and C(limits), how full in the busiest hour is what more hosts do not
      help; 1 is full.
  type: dict
"""

import math

HOURS = 730
GIB = 2**30
KB = 1000
# What a unit of an Application Load Balancer holds: new connections a second, GiB an hour.
UNIT_CONNECTIONS = 25
UNIT_GIB = 1


def gbit_of(kind, gbit):
    family, _, size = kind.rpartition(".")
    return gbit["burstable" if family.startswith("t") else "other"].get(size, math.inf)


def weights(site, pages, figures):
    """GiB that visitors get in all, that the hosts send, and that the database sends them."""
    plain, static = figures["page_kb"], figures["page_static_kb"]
    pictures = figures["page_picture_kb"]
    from_hosts = plain
    from_hosts += static if site["front"] != "cdn" else 0
    from_database = pictures if site["stores"]["files"] == "database" else 0
    return [
        pages * kilobytes * KB / GIB
        for kilobytes in (plain + static + pictures, from_hosts + from_database, from_database)
    ]


def way_out(site, traffic, figures, total, from_hosts, from_database):
    """What is sent to visitors and between zones, and what balancers work on."""
    pages, pictures = traffic["pages_per_month"], traffic["pictures_per_month"]
    cdn, balanced = site["front"] == "cdn", site["front"] != "address" and not site.get("functions")
    uploads = pictures * figures["upload_kb"] * KB / GIB
    requests = 1 + figures["page_picture_requests"] + figures["page_static_requests"]
    connections = pages * figures["connections_per_page"] / HOURS / 3600
    units = max((from_hosts + uploads) / HOURS / UNIT_GIB, connections / UNIT_CONNECTIONS)
    # Of two zones the database is in one, and hosts are in both alike.
    apart = balanced and site["stores"]["rows"] != "instance"
    return {
        "internet_gib": 0 if cdn else total,
        "cdn_gib": total if cdn else 0,
        "cdn_requests": pages * requests + pictures if cdn else 0,
        "cdn_upload_gib": uploads if cdn else 0,
        "zone_gib": from_database / 2 if apart else 0,
        "balancer_units": units if balanced else 0,
    }


def kept(site, traffic, figures):
    """What lies in buckets and on disks, and what is asked of buckets and tables."""
    pages, pictures = traffic["pages_per_month"], traffic["pictures_per_month"]
    stores, gib = site["stores"], traffic["stored_pictures"] * figures["stored_kb"] * KB / GIB
    in_bucket, on_host = stores["files"] == "s3", stores["rows"] == "instance"
    in_tables = stores["rows"] == "dynamodb"
    in_database = 0 if in_bucket else gib
    room = in_database / (1 - figures["free_share"])
    dumps = figures["hourly_dumps" if on_host else "daily_dumps"]
    fetched = pages * figures["page_picture_requests"] * (1 - figures["cdn_hits"])
    sessions = stores["sessions"] == "dynamodb"
    reads = pages * (
        figures["session_reads_per_page"] * sessions + figures["row_reads_per_page"] * in_tables
    )
    writes = pictures * (
        figures["session_writes_per_picture"] * sessions
        + figures["row_writes_per_picture"] * in_tables
    )
    return {
        "files_gib": gib if in_bucket else 0,
        "file_puts": pictures * figures["stored_files"] if in_bucket else 0,
        "file_gets": fetched if in_bucket else 0,
        "dumps_gib": dumps * in_database,
        "volume_gib": math.ceil(figures["system_gib"] + room) if on_host else 0,
        "database_gib": 0 if on_host or in_tables else math.ceil(room),
        "table_reads": reads / 1e6,
        "table_writes": writes / 1e6,
        "dump_seconds": in_database * 1024 / figures["dump_mib_second"],
    }


def pages_of_a_core(site, figures):
    if site["stores"]["files"] == "s3":
        return figures["light_pages"]
    if site["front"] != "address":
        return figures["balanced_pages"]
    return figures["box_pages" if site["stores"]["rows"] == "instance" else "apart_pages"]


def of_functions(functions, traffic, figures):
    """What functions are billed for, and how full their concurrency is in the busiest hour."""
    pages, pictures = traffic["pages_per_month"], traffic["pictures_per_month"]
    seconds = pages * figures["function_page_seconds"]
    seconds += pictures * figures["function_picture_seconds"]
    at_once, asked = (figures["peak"] * each / HOURS / 3600 for each in (seconds, pages + pictures))
    return {
        "function_requests": pages + pictures,
        "function_gib_seconds": seconds * int(functions["memory_mb"]) / 1024,
        "api_requests": pages + pictures,
        "page_seconds": figures["function_page_seconds"],
        "hosts": 0,
        "needs": {},
        "host_cpu_hours": 0,
        "limits": {
            # On average of the hour: at moments it is more.
            "concurrency of the functions": at_once
            / figures["busy"]
            / int(functions["concurrency"]),
            "requests to the API": asked / (1 - figures["free_share"]) / int(functions["rate"]),
        },
    }


NO_FUNCTIONS = {"function_requests": 0, "function_gib_seconds": 0, "api_requests": 0}


def monthly_usage(site, traffic, capacity, gbit, cpus):
    figures = {name: figure["value"] for name, figure in capacity.items()}
    traffic = {name: int(number) for name, number in traffic.items()}
    pages = traffic["pages_per_month"]
    total, from_hosts, from_database = weights(site, pages, figures)
    used = way_out(site, traffic, figures, total, from_hosts, from_database)
    used |= kept(site, traffic, figures)
    if functions := site.get("functions"):
        used |= of_functions(functions, traffic, figures)
    else:
        used |= NO_FUNCTIONS | of_hosts(site, pages, figures, from_hosts, gbit, cpus)
    return with_database(site, pages, figures, cpus, used)


def of_hosts(site, pages, figures, from_hosts, gbit, cpus):
    """How many hosts it takes, what their processors do, and what more of them do not help."""
    used = {}
    a_second, peak = pages / HOURS / 3600, figures["peak"]
    kind = site["hosts"]["type"]
    used["page_seconds"] = 1 / pages_of_a_core(site, figures)
    cores = a_second * used["page_seconds"]
    used["host_cpu_hours"] = cores * HOURS
    busy = peak * cores / figures["busy"] / cpus[kind.rpartition(".")[2]]
    sent = peak * from_hosts * GIB * 8 / HOURS / 3600 / 1e9 / gbit_of(kind, gbit)
    used["needs"] = {"processors": busy, "network": sent}
    used["hosts"] = max(math.ceil(max(busy, sent)), 1)
    limits = {}
    if site["front"] == "address":
        limits |= {"processors of the host": busy, "network of the host": sent}
    return used | {"limits": limits}


def with_database(site, pages, figures, cpus, used):
    """What is used, with what a database does and what fills it; tables are never full."""
    stores, limits = site["stores"], used["limits"]
    dump_seconds = used.pop("dump_seconds")
    if stores["rows"] == "dynamodb":
        return used | {"database_cpu_hours": 0}
    a_second, peak = pages / HOURS / 3600, figures["peak"]
    on_host = stores["rows"] == "instance"
    share = figures["cached_share"] if stores["cache"] == "elasticache" else 1
    cores = 0 if on_host else a_second * share / figures["database_pages"]
    used["database_cpu_hours"] = cores * HOURS
    if not on_host:
        size = site["database"]["class"].rpartition(".")[2]
        limits["processors of the database"] = peak * cores / figures["busy"] / cpus[size]
        limits["disk of the database"] = used["database_gib"] / figures["database_gib_most"]
    else:
        limits["disk of the host"] = used["volume_gib"] / figures["volume_gib_most"]
    limits["time for a dump"] = dump_seconds / (3600 if on_host else 24 * 3600)
    return used


class FilterModule:
    def filters(self):
        return {"monthly_usage": monthly_usage}
