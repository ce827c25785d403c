"""Whose an access key is, and which policies say what its owner may."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from moto.core.utils import utcnow

from localcloud.errors import Refusal
from localcloud.identity.policy import Policies
from localcloud.services.pace.pace import Pace
from localcloud.settings import ACCOUNT, ROOT_KEY, ROOT_SECRET

ROOT_ARN = f"arn:aws:iam::{ACCOUNT}:root"


@dataclass(frozen=True)
class Caller:
    """Who signed. ``names`` is what policies may call them, ``context`` their condition keys."""

    arn: str
    secret: str
    policies: Policies
    token: str = ""
    names: tuple[str, ...] = ()
    context: dict[str, list[str]] = field(default_factory=dict)


def find(cloud, access_key: str, here: bool) -> Caller:
    """The owner of a key; that of the account itself is for callers on this machine (``here``)."""
    if access_key == ROOT_KEY and here:
        return Caller(
            ROOT_ARN, ROOT_SECRET, Policies(everything=True), names=(ROOT_ARN,),
            context=_context(ROOT_ARN, "Account", ACCOUNT),
        )  # fmt: skip
    iam = cloud.backend("iam", "aws")
    for user in list(iam.users.values()):
        for key in user.access_keys:
            if key.access_key_id == access_key and key.status == "Active":
                return _user(iam, user, key.secret_access_key)
    for session in list(cloud.backend("sts", "aws").assumed_roles):
        if session.access_key_id == access_key:
            if session.expiration < utcnow():
                raise Refusal("expired", "The security token included in the request is expired.")
            return _session(cloud, iam, session)
    raise Refusal("unknown key", "The AWS access key Id you provided does not exist here.")


def _user(iam, user, secret: str) -> Caller:
    groups = [group for group in iam.groups.values() if user in group.users]
    own = [
        document
        for holder in (user, *groups)
        for document in _documents(holder.policies, holder.managed_policies)
    ]
    context = _context(user.arn, "User", user.id)
    context["aws:username"] = [user.name]
    context |= _tags(getattr(user, "tags", None))
    return Caller(user.arn, secret, Policies(own=tuple(own)), names=(user.arn, user.id),
                  context=context)  # fmt: skip


def _session(cloud, iam, session) -> Caller:
    role = next((each for each in iam.roles.values() if each.arn == session.role_arn), None)
    if role is None:
        raise Refusal("unknown key", "The role of these credentials is gone.")
    policies = _of_role(cloud, iam, role)
    if session.policy:
        policies = replace(policies, bounds=(*policies.bounds, (session.policy,)))
    context = _context(session.arn, "AssumedRole", session.user_id)
    context["aws:principalarn"] = [role.arn]
    context |= _tags(role.tags)
    return Caller(
        session.arn,
        session.secret_access_key,
        policies,
        token=session.session_token,
        names=(role.arn, session.arn),
        context=context,
    )


def of_role(cloud, arn: str) -> Policies | None:
    """What a role may; None when there is no such role."""
    iam = cloud.backend("iam", "aws")
    role = next((each for each in list(iam.roles.values()) if each.arn == arn), None)
    return role and _of_role(cloud, iam, role)


def _of_role(cloud, iam, role) -> Policies:
    own = tuple(_documents(*cloud.service(Pace).policies(role)))
    if not role.permissions_boundary_arn:
        return Policies(own=own)
    return Policies(own=own, bounds=(tuple(_managed(iam, role.permissions_boundary_arn)),))


def _documents(inline: dict, attached: dict) -> Iterable[str]:
    """Policies of a user, a group or a role."""
    yield from inline.values()
    for policy in attached.values():
        yield _current(policy)


def _managed(iam, arn: str) -> Iterable[str]:
    policy = iam.managed_policies.get(arn)
    # a boundary that is gone allows nothing
    return [_current(policy)] if policy is not None else []


def _current(policy) -> str:
    return next(each.document for each in policy.versions if each.is_default)


def _context(arn: str, kind: str, user_id: str) -> dict[str, list[str]]:
    return {
        "aws:principalarn": [arn],
        "aws:principalaccount": [ACCOUNT],
        "aws:principaltype": [kind],
        "aws:userid": [user_id],
    }


def _tags(tags) -> dict[str, list[str]]:
    pairs = tags.values() if isinstance(tags, dict) else tags or ()
    return {
        f"aws:principaltag/{each['Key'].lower()}": [each["Value"]]
        for each in pairs
        if isinstance(each, dict)
    }
