"""What an account lacks for what is wanted. Pure functions; library/aws_readiness.py asks AWS."""


def quota(what, limit, used, more):
    """``(findings, problems)`` for a quota; ``limit`` is None when AWS does not tell."""
    if limit is None:
        return [f"{what}: {used} used, the quota is not known"], []
    line = f"{what}: {used} of {limit} used, {more} more wanted"
    if used + more <= limit:
        return [line], []
    return [line], [f"{line}: ask for more in the Service Quotas console"]


def zones(wanted, available):
    missing = sorted(set(wanted) - set(available))
    if missing:
        there = ", ".join(sorted(available))
        return [], [f"zones {', '.join(missing)} are not there; the region has {there}"]
    return [f"zones: {', '.join(sorted(wanted))}"], []


def offered(instance_type, wanted, offering):
    """``offering`` are the zones that have the instance type."""
    missing = sorted(set(wanted) - set(offering))
    if missing:
        return [], [f"{instance_type} is not offered in {', '.join(missing)}"]
    return [f"instance type: {instance_type}"], []


def image(name, owner, images):
    """``images`` as DescribeImages has them."""
    if not images:
        return [], [f"no image {name} of {owner} is visible here"]
    newest = max(images, key=lambda each: each["CreationDate"])
    return [f"image: {newest['ImageId']} {newest['Name']}"], []


def hosted_zone(name, names):
    """``names`` of the account's public zones, with the dot at the end as Route 53 has them."""
    if f"{name.rstrip('.')}." in names:
        return [f"hosted zone: {name}"], []
    return [], [
        f"there is no hosted zone {name}: make it in Route 53 and delegate to it, or set "
        "site_zone_state: present and let the playbooks make it"
    ]
