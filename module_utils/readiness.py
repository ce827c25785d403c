"""What an account lacks for what is wanted. Pure functions; library/aws_readiness.py asks AWS."""

import re

UNRESERVED = 100  # PutFunctionConcurrency refuses to leave less to the account's other functions


def of_others(resources, tags):
    """Of EC2's ``resources`` those that do not carry all of ``tags``."""
    if not tags:
        return resources
    own = {(key, str(value)) for key, value in tags.items()}
    return [
        each
        for each in resources
        if not own <= {(tag["Key"], tag["Value"]) for tag in each.get("Tags", [])}
    ]


def is_standard(instance_type):
    """Whether it counts for the quota of standard instances: families A, C, D, H, I, M, R, T, Z."""
    return re.match(r"([acdhimrtz]|im|is)\d", instance_type) is not None


def quota(what, limit, used, more):
    """``(findings, problems)`` for a quota; ``limit`` is None when AWS does not tell."""
    if limit is None:
        return [f"{what}: {used} used by others, {more} wanted, the quota is not known"], []
    line = f"{what}: {used} of {limit} used by others, {more} wanted"
    if used + more <= limit:
        return [line], []
    return [line], [f"{line}: ask for more in the Service Quotas console"]


def concurrency(most, others, more):
    """Of Lambda: what nobody has reserved may not be less than ``UNRESERVED``."""
    findings, problems = quota("Lambda functions at once", most, others, more + UNRESERVED)
    return [f"{each}, of which {UNRESERVED} have to stay free" for each in findings], problems


def image(name, owner, images):
    """``images`` as DescribeImages has them."""
    if not images:
        return [], [f"no image {name} of {owner} is visible here"]
    newest = max(images, key=lambda each: each["CreationDate"])
    return [f"image: {newest['ImageId']} {newest['Name']}"], []


def no_hosted_zone(name, state):
    """``state`` says whether it has to be there."""
    if state == "present":
        return [
            f"hosted zone: {name} is to be made; the first run stops with the name servers to give "
            "to the domain's registrar, and goes on once they are known"
        ], []
    return [], [
        f"there is no hosted zone {name}: make it in Route 53 and delegate to it, or set "
        "site_zone_state: present and let the playbooks make it"
    ]


def no_boundary(arn):
    name = arn.rpartition("/")[2]
    return [], [
        f"there is no policy {name}, which bounds what the hosts may do. Whoever owns the account "
        f"makes it: aws iam create-policy --policy-name {name} "
        "--policy-document file://docs/aws-boundary.json. Without one: hosts_boundary: ''"
    ]


def policy(name, found):
    """``found`` as IAM Access Analyzer's ValidatePolicy has them; suggestions are left out."""
    problems = [
        f"{name}: {each['findingDetails']} ({each['issueCode']}, {each['learnMoreLink']})"
        for each in found
        if each["findingType"] in ("ERROR", "SECURITY_WARNING")
    ]
    return ([], problems) if problems else ([f"{name}: nothing found by IAM Access Analyzer"], [])
