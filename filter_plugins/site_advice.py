"""Ansible filter: whether a site needs another stage, and which."""

DOCUMENTATION = r"""
name: site_advice
short_description: Whether a site needs another stage, and which
description:
  - Compares how busy a site is with what each stage carries. What the site itself shows (how much
    of their processors its hosts and its database take for this load) corrects what is modelled
    of the other stages.
positional: stage, offers, capacity, limits
options:
  _input:
    description: C(load), as M(site_load) returns it, or as P(load_result#filter) reads it from a
      file.
    type: dict
    required: true
  stage:
    description: Where the site is.
    type: int
    required: true
  offers:
    description: Of each stage what it costs in a C(month), what it C(adds), how many hosts it has
      at most (C(hosts), none on functions) and what one costs (C(host_month)), the C(concurrency)
      of its C(functions), if any, and the C(rate) of their API, and the C(usage) that this load
      is there, as P(monthly_usage#filter) says it.
    type: list
    elements: dict
    required: true
  capacity:
    description: The figures of C(group_vars/all/traffic.yml), each with its C(value).
    type: dict
    required: true
  limits:
    description: How many C(connections) the database takes, and how many C(gbit) a host sends.
    type: dict
    required: true
author: Simple Mustache Service
"""

EXAMPLES = r"""
- name: Say what to do
  ansible.builtin.debug:
    msg: "{{ site.load | site_advice(3, offers, capacity, {'connections': 79, 'gbit': 0.128}) }}"
"""

RETURN = r"""
_value:
  description:
    - The C(verdict), C(climb) (visitors notice, or soon do), C(prepare) (above what is to be used
      in a busy hour), C(stay) or C(descend) (the stage below would be half idle and costs less);
      C(why); the C(stage) to go to, if any; C(hosts), how many would do at this stage, if more
      would; C(settings), the variables of a stage on functions, the one to go to or else this
      one, that would hold it back, each with a value that would do; and C(cheapest), the cheapest
      stage that carries this load.
    - C(resources), what is measured, the fullest first, each with its C(share) and what of it may
      be used, C(most).
    - C(stages), each with C(full) (1 is all that may be used), C(fullest), C(change) of the bill,
      its C(settings), and whether it C(carries) the load, at most with these.
    - C(saturated), whether there may be more load than the site could serve.
  type: dict
"""

import math

# What a site promises, as benchmarks/capacity.py holds a load test to it.
P95_SECONDS = 1.0
FAILED_SHARE = 0.01
# A processor that is so busy has no more to give.
SATURATED = 0.95
# The stage below has to have so much room left.
DESCEND = 0.5
# Below that there is nothing to compare: processors are busy with themselves.
LEAST_REQUESTS = 1
LEAST_CPU = 5

HOSTS, DATABASE = "processors of the hosts", "processors of the database"
NETWORK = "network of the hosts"
CONCURRENCY, REQUESTS = "concurrency of the functions", "requests to the API"
# What a site on functions has of that is a setting, and costs nothing: it can be raised.
SETTINGS = {CONCURRENCY: "page_concurrency", REQUESTS: "api_rate_limit"}
# Of one host: there, more hosts do not help; of many it is reckoned with their number.
OF_ONE_HOST = ("processors of the host", "network of the host")


def served(load):
    """What is known of requests, by who hands them to the site; nothing of a host alone."""
    return load["balancer"] or load["api"]


def resources(load, figures, limits):
    """What is measured of the site, the fullest first."""
    busy, room = figures["busy"], 1 - figures["free_share"]
    hosts, group, database = load["hosts"], load["group"], load["database"]
    # A group is full when it has grown.
    grown = group["in_service"] / group["most"] if group else 1
    found = []

    def note(what, value, most):
        if value is not None:
            found.append({"what": what, "share": value, "most": most, "full": value / most})

    if hosts["cpu"] is not None:
        note(HOSTS, hosts["cpu"] / 100 * grown, busy)
    if hosts.get("gbit") is not None and limits["gbit"]:
        note(NETWORK, hosts["gbit"] / limits["gbit"] * grown, 1)
    for what, most in function_limits(load["functions"] | load["api"]).items():
        value = load["api"]["requests"] if what == REQUESTS else load["functions"]["concurrent"]
        note(what, None if value is None else value / most, room)
    if database:
        cpu, connections, free = (database[key] for key in ("cpu", "connections", "free_gib"))
        note(DATABASE, None if cpu is None else cpu / 100, busy)
        if connections is not None:
            note("connections of the database", connections / limits["connections"], room)
        if free is not None:
            note("disk of the database", 1 - free / database["gib"], room)
    if load["cache"] and load["cache"]["cpu"] is not None:
        note("processors of the cache", load["cache"]["cpu"] / 100, busy)
    return sorted(found, key=lambda each: -each["full"])


def function_limits(has):
    """What functions and their API take at most; tables take what comes."""
    found = {CONCURRENCY: has.get("concurrency"), REQUESTS: has.get("rate")}
    return {what: int(most) for what, most in found.items() if most}


def modelled(offer):
    """How full a stage would be, by what; 1 is all that may be used."""
    usage, count = offer["usage"], offer["hosts"]
    shares = {name: full for name, full in usage["limits"].items() if name not in OF_ONE_HOST}
    shares |= {f"{what} of the hosts": need / count for what, need in usage["needs"].items()}
    return shares


def corrections(load, measured, model):
    """By how much this site's processors do, and its hosts send, more than the model thinks."""
    seen = {each["what"]: each["full"] for each in measured}
    quiet = served(load) and served(load)["requests"] < LEAST_REQUESTS
    found = {}
    for what, cpu in ((HOSTS, load["hosts"]["cpu"]), (DATABASE, load["database"].get("cpu"))):
        if not quiet and model.get(what) and cpu is not None and cpu >= LEAST_CPU:
            found[what] = seen[what] / model[what]
    if not quiet and model.get(NETWORK) and seen.get(NETWORK) and HOSTS in found:
        found[NETWORK] = seen[NETWORK] / model[NETWORK]
    # Nobody has seen a database that is not there: it is taken for as fast as the hosts are.
    return {DATABASE: found.get(HOSTS, 1)} | found


def compared(stage, offers, load, measured):
    """Each stage under this load."""
    here = next(offer for offer in offers if offer["stage"] == stage)
    factors = corrections(load, measured, modelled(here))
    for offer in offers:
        shares = {what: full * factors.get(what, 1) for what, full in modelled(offer).items()}
        if offer is here:
            shares = {each["what"]: each["full"] for each in measured} or shares
        fullest = max(shares, key=shares.get)
        limits = function_limits(offer["functions"])
        least = 1
        if offer is here:
            # What is taken up does not show how much more there is to do.
            limits, least = function_limits(load["functions"] | load["api"]), 2
        needs = offer["usage"]["needs"]
        yield {
            **{key: offer[key] for key in ("stage", "adds", "users", "month", "hosts", "most")},
            "change": offer["month"] - here["month"],
            "full": shares[fullest],
            "fullest": fullest,
            "carries": all(share <= 1 or what in SETTINGS for what, share in shares.items()),
            "settings": {
                SETTINGS[what]: math.ceil(limits[what] * max(share, least))
                for what, share in shares.items()
                if share > 1 and what in limits
            },
            "needs": max(
                needs.get("processors", 0) * factors.get(HOSTS, 1),
                needs.get("network", 0) * factors.get(NETWORK, 1),
            ),
        }


def complaints(load, measured):
    """What visitors notice."""
    front = served(load)
    if front and front["p95"] is not None and front["p95"] >= P95_SECONDS:
        took = f"{front['p95']:.2f} s"
        yield f"95 of 100 requests took up to {took}, promised is {P95_SECONDS:g} s"
    if front and front["failed"] > FAILED_SHARE:
        yield f"{front['failed']:.1%} of the requests failed"
    if (throttled := load["functions"].get("throttled", 0)) > 0:
        yield f"{throttled:.1%} of the functions' runs were one too many at once"
    for each in measured:
        if each["share"] >= SATURATED:
            yield f"{each['what']}: {each['share']:.0%} in use"


def site_advice(load, stage, offers, capacity, limits):
    figures = {name: figure["value"] for name, figure in capacity.items()}
    measured = resources(load, figures, limits)
    stages = list(compared(stage, offers, load, measured))
    here = next(each for each in stages if each["stage"] == stage)
    why = list(complaints(load, measured))
    above = [each for each in stages if each["stage"] > stage]
    below = [each for each in stages if each["stage"] < stage]
    to, hosts, verdict = None, 0, "stay"
    carrying = [each for each in stages if each["carries"]]
    cheapest = min(carrying, key=lambda each: each["month"], default=None)
    if why or here["full"] > 1:
        verdict = "climb" if why else "prepare"
        better = min(above, key=lambda each: each["full"], default=None)
        to = next((each for each in above if each["carries"]), better)
        if to and not to["carries"] and to["full"] >= here["full"]:
            to = None
        if here["most"] == 0 and here["fullest"].endswith("of the hosts"):
            # Full hosts do not show how much more there is to do.
            hosts = max(math.ceil(here["needs"]), here["hosts"] + 1)
    elif below and below[-1]["full"] <= DESCEND and below[-1]["change"] < 0:
        verdict, to = "descend", below[-1]
    if not why:
        full = {"what": here["fullest"], "full": here["full"]}
        why = [f"{full['what']}: {full['full']:.0%} of what may be used in a busy hour"]
    return {
        "verdict": verdict,
        "why": why,
        "stage": to["stage"] if to else None,
        "hosts": hosts,
        "settings": (to or here)["settings"],
        "cheapest": cheapest["stage"] if cheapest else None,
        "resources": measured,
        "stages": stages,
        "saturated": any(each["share"] >= SATURATED for each in measured),
    }


class FilterModule:
    def filters(self):
        return {"site_advice": site_advice}
