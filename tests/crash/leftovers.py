"""What there is on the machine beside what the API names, seen without the cloud's own eyes."""

import hashlib
import json
import subprocess

HALF_MADE = {
    "pending",
    "creating",
    "provisioning",
    "modifying",
    "rebooting",
    "stopping",
    "deleting",
}


class Machine:
    """The machine under ``cloud``, and what its API says should be there."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.id = hashlib.sha256(str(cloud.state).encode()).hexdigest()[:4]

    def problems(self) -> list[str]:
        """What is on the machine and not in the API, or half made, in words."""
        names = self._named()
        found = [
            f"{kind} {each}"
            for kind, present in (
                ("container", self._containers()),
                ("volume", self._files("volumes", ".img")),
                ("mounted", self._directories("hosts")),
            )
            for each in sorted(present - names)
        ]
        found += [f"part {path}" for path in self.cloud.state.rglob("*.part")]
        found += [f"snapshot {each}" for each in sorted(self._files("snapshots", ".img")
                  - self._snapshots())]  # fmt: skip
        found += [f"loop device of {each}" for each in sorted(self._loops() - names)]
        stored = {path.name for path in (self.cloud.state / "s3").glob("*")}
        if len(stored) > self._objects():
            found.append(f"{len(stored)} files of {self._objects()} objects")
        return found + self._half_made()

    # the machine

    def _containers(self) -> set[str]:
        command = ["podman", f"--root={self.cloud.state}/engine",
                   f"--runroot=/run/localcloud/podman-{self.id}", "--storage-driver=vfs",
                   "ps", "--all", "--format={{.Names}}"]  # fmt: skip
        return set(_run(command).split())

    def _files(self, folder: str, ending: str) -> set[str]:
        return {path.stem for path in (self.cloud.state / folder).glob(f"*{ending}")}

    def _directories(self, folder: str) -> set[str]:
        return {path.name for path in (self.cloud.state / folder).glob("*")}

    def _loops(self) -> set[str]:
        listed = json.loads(_run(["losetup", "--list", "--json"]) or '{"loopdevices": []}')
        own = f"{self.cloud.state}/volumes/"
        return {
            each["back-file"].removeprefix(own).removesuffix(".img").split(" ")[0]
            for each in listed["loopdevices"]
            if each["back-file"].startswith(own)
        }

    # the API

    def _named(self) -> set[str]:
        """Ids of instances and volumes, and of the hosts that `status` shows of services."""
        ec2 = self.cloud.client("ec2")
        instances = [
            each
            for page in ec2.get_paginator("describe_instances").paginate()
            for reservation in page["Reservations"]
            for each in reservation["Instances"]
            if each["State"]["Name"] not in ("terminated", "shutting-down")
        ]
        names = {each["InstanceId"] for each in instances}
        names |= {each["VolumeId"] for each in ec2.describe_volumes()["Volumes"]}
        for row in self.cloud.status().values():
            names |= set(row["real"].replace(",", " ").split())
        return names

    def _snapshots(self) -> set[str]:
        ec2 = self.cloud.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
        kept = {each["SnapshotId"] for each in ec2}
        # those of databases have names of their own: as many as there are
        own = {each for each in self._files("snapshots", ".img") if each.startswith("rds-")}
        known = self.cloud.client("rds").describe_db_snapshots()["DBSnapshots"]
        return kept | (own if len(own) <= len(known) else set())

    def _objects(self) -> int:
        s3 = self.cloud.client("s3")
        return sum(
            len(s3.list_object_versions(Bucket=bucket["Name"]).get("Versions", []))
            for bucket in s3.list_buckets()["Buckets"]
        )

    def _half_made(self) -> list[str]:
        rows = self.cloud.status()
        return [
            f"{name} is {row['state']}"
            for name, row in rows.items()
            if set(row["state"].split()) & HALF_MADE
        ]


def _run(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
