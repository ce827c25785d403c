"""Other firewalls on this machine: Docker, ufw, firewalld, an administrator's own.

A packet has to pass every chain at a hook, so one that drops what it does not know (Docker sets the
forward chain's policy so, ufw both) cuts hosts off whatever our table says. Such chains get rules
of ours, which let our interfaces through; our own table still has the last word on them. A chain
may be filled anew at any time, so this is looked after, not done once.
"""

import json
import logging
import shutil
from pathlib import Path

from localcloud import shell

log = logging.getLogger("localcloud.neighbours")

# Hook, or iptables' chain, and how a rule there names our interfaces.
HOOKS = {"forward": ("iifname", "oifname"), "input": ("iifname",)}
LEGACY = {"FORWARD": ("--in-interface", "--out-interface"), "INPUT": ("--in-interface",)}
# Tables of iptables' older kind, which nft does not show.
LEGACY_TABLES = Path("/proc/net/ip_tables_names")


class Neighbours:
    """Rules of one local cloud in the chains of others."""

    def __init__(self, cloud_id: str):
        self.devices = f"lc{cloud_id}"
        self.mark = f"localcloud_{cloud_id}"

    def settle(self) -> list[str]:
        """Put our rules where they are missing; return the chains that take none."""
        refused = []
        for chain in base_chains():
            where = place(chain)
            rules = rules_of(chain)
            if not drops(chain, rules) or any(self._is_ours(rule) for rule in rules):
                continue
            try:
                for side in HOOKS[chain["hook"]]:
                    shell.run("nft", "insert", "rule", *where, side, f'"{self.devices}*"',
                              "accept", "comment", f'"{self.mark}"')  # fmt: skip
            except shell.CommandError as error:
                # firewalld owns its table: its administrator may have let us through
                if f'"{self.devices}*"' not in shell.run("nft", "list", "table", *where[:2]):
                    log.warning("%s", error)
                    refused.append(" ".join(where))
            else:
                log.info("let our hosts through the chain %s", " ".join(where))
        for chain, sides in self._legacy():
            listed = shell.run("iptables-legacy", "--list-rules", chain)
            if f"-P {chain} DROP" in listed and self.mark not in listed:
                for side in sides:
                    shell.run("iptables-legacy", "--insert", chain, *self._rule(side))
                log.info("let our hosts through the older iptables' chain %s", chain)
        return refused

    def remove(self) -> None:
        """Take our rules out again, wherever they are."""
        for chain in base_chains():
            for rule in rules_of(chain):
                if self._is_ours(rule):
                    shell.run("nft", "delete", "rule", *place(chain), "handle", rule["handle"])
        for chain, sides in self._legacy():
            if self.mark in shell.run("iptables-legacy", "--list-rules", chain):
                for side in sides:
                    shell.run("iptables-legacy", "--delete", chain, *self._rule(side))

    def places(self) -> list[str]:
        """Chains that have rules of ours."""
        return [
            *(
                " ".join(place(chain))
                for chain in base_chains()
                if any(self._is_ours(rule) for rule in rules_of(chain))
            ),
            *(
                f"iptables-legacy {chain}"
                for chain, _ in self._legacy()
                if self.mark in shell.run("iptables-legacy", "--list-rules", chain)
            ),
        ]

    def _is_ours(self, rule: dict) -> bool:
        return rule.get("comment") == self.mark

    def _rule(self, side: str) -> list[str]:
        comment = ["--match", "comment", "--comment", self.mark]
        return [side, f"{self.devices}+", *comment, "--jump", "ACCEPT"]

    def _legacy(self):
        """Chains of the older iptables, where it is in use, with the sides of their rules."""
        in_use = LEGACY_TABLES.exists() and "filter" in LEGACY_TABLES.read_text().split()
        return LEGACY.items() if in_use and shutil.which("iptables-legacy") else ()


def base_chains() -> list[dict]:
    """Filter chains of others that packets of our hosts come through."""
    listed = _listed("chains")
    return [
        chain
        for chain in listed
        if chain.get("hook") in HOOKS
        and chain.get("type") == "filter"
        and chain["family"] in ("ip", "inet")
        and not chain["table"].startswith("localcloud_")
    ]


def place(chain: dict) -> tuple[str, str, str]:
    return chain["family"], chain["table"], chain["name"]


def rules_of(chain: dict) -> list[dict]:
    return _listed("chain", *place(chain), kind="rule")


def drops(chain: dict, rules: list[dict]) -> bool:
    """Whether what no rule names is dropped: by policy, or by a last rule as firewalld's."""
    return chain.get("policy") == "drop" or any(_unconditional(rule) for rule in rules)


def _unconditional(rule: dict) -> bool:
    said = [each for each in rule.get("expr", []) if not {"counter", "log"} & set(each)]
    return len(said) == 1 and bool({"drop", "reject"} & set(said[0]))


def _listed(*what: str, kind: str = "chain") -> list[dict]:
    # a chain of others may go while we look
    answer = shell.run("nft", "--json", "list", *what, check=False) or '{"nftables": []}'
    return [each[kind] for each in json.loads(answer)["nftables"] if kind in each]
