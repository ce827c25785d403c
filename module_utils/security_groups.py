"""Rules of security groups as sets: what is there, what is wanted, what has to be done."""

from collections import namedtuple

# One port range from one source. ``kind`` is "cidr", "group" or "prefix"; ports are None for all.
Rule = namedtuple("Rule", "proto first last kind source")


def wanted_rules(rules, ids):
    """The module's ``rules`` as ``{Rule: description}``.

    ``ids`` maps the name of a group or of a managed prefix list to its id.
    """
    found = {}
    for rule in rules:
        sources = [("cidr", cidr) for cidr in rule["cidr_ip"] or []]
        if rule["group"]:
            sources.append(("group", ids[rule["group"]]))
        if rule["prefix_list"]:
            sources.append(("prefix", ids[rule["prefix_list"]]))
        for ports in rule["ports"]:
            first, _, last = str(ports).partition("-")
            for kind, source in sources:
                key = Rule(rule["proto"], int(first), int(last or first), kind, source)
                found[key] = rule["rule_desc"] or ""
    return found


def current_rules(permissions):
    """``IpPermissions`` of the API as ``{Rule: description}``."""
    found = {}
    for entry in permissions:
        ports = (entry["IpProtocol"], entry.get("FromPort"), entry.get("ToPort"))
        for source in entry.get("IpRanges", []):
            found[Rule(*ports, "cidr", source["CidrIp"])] = source.get("Description", "")
        for source in entry.get("Ipv6Ranges", []):
            found[Rule(*ports, "cidr", source["CidrIpv6"])] = source.get("Description", "")
        for source in entry.get("UserIdGroupPairs", []):
            found[Rule(*ports, "group", source["GroupId"])] = source.get("Description", "")
        for source in entry.get("PrefixListIds", []):
            found[Rule(*ports, "prefix", source["PrefixListId"])] = source.get("Description", "")
    return found


def plan(current, wanted, purge):
    """``(add, remove, describe, after)``, each ``{Rule: description}``."""
    add = {rule: text for rule, text in wanted.items() if rule not in current}
    describe = {rule: text for rule, text in wanted.items() if current.get(rule, text) != text}
    remove = {rule: text for rule, text in current.items() if purge and rule not in wanted}
    after = {rule: text for rule, text in current.items() if rule not in remove} | wanted
    return add, remove, describe, after


def permissions(rules):
    """``{Rule: description}`` as ``IpPermissions`` for the API."""
    entries = []
    for rule, text in sorted(rules.items()):
        entry = {"IpProtocol": rule.proto}
        if rule.first is not None:
            entry |= {"FromPort": rule.first, "ToPort": rule.last}
        described = {"Description": text} if text else {}
        if rule.kind == "group":
            entry["UserIdGroupPairs"] = [{"GroupId": rule.source, **described}]
        elif rule.kind == "prefix":
            entry["PrefixListIds"] = [{"PrefixListId": rule.source, **described}]
        elif ":" in rule.source:
            entry["Ipv6Ranges"] = [{"CidrIpv6": rule.source, **described}]
        else:
            entry["IpRanges"] = [{"CidrIp": rule.source, **described}]
        entries.append(entry)
    return entries


def shown(rules, names):
    """One line a rule for people; ``names`` maps the id of a source to its name."""
    return sorted(
        f"{rule.proto} {rule.first}{'' if rule.first == rule.last else f'-{rule.last}'}"
        f" from {names.get(rule.source, rule.source)}"
        for rule in rules
    )
