"""What an ARN says about the resource."""


def kind(arn):
    """Service and type, such as ``rds:db``; only the service for one without types (S3)."""
    _, _, service, _, _, resource = arn.split(":", 5)
    for separator in (":", "/"):
        name, found, rest = resource.partition(separator)
        if found and rest and "/" not in name:
            return f"{service}:{name}"
    return service


def ec2_arn(partition, region, of_type, name):
    """The ARN of something of EC2, without the account, which EC2 does not tell."""
    return f"arn:{partition}:ec2:{region}::{of_type}/{name}"


def left_out(arns, gone):
    """Each resource once, without those whose id is in ``gone``."""
    found = {}
    for arn in arns:
        name = arn.rpartition("/")[2]
        if name not in gone:
            # The same resource may come with and without the account.
            _, partition, service, region, _, resource = arn.split(":", 5)
            found.setdefault((partition, service, region, resource), arn)
    return sorted(found.values())


def by_kind(arns):
    """``{kind: [arn]}``."""
    found = {}
    for arn in arns:
        found.setdefault(kind(arn), []).append(arn)
    return found
