"""What an ARN says about the resource."""


def kind(arn):
    """Service and type, such as ``rds:db``; only the service for one without types (S3)."""
    _, _, service, _, _, resource = arn.split(":", 5)
    for separator in (":", "/"):
        name, found, rest = resource.partition(separator)
        if found and rest and "/" not in name:
            return f"{service}:{name}"
    return service


def by_kind(arns):
    """``{kind: [arn]}``."""
    found = {}
    for arn in arns:
        found.setdefault(kind(arn), []).append(arn)
    return found
