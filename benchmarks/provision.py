"""How long the playbooks take, beside the bare floor of the same AWS calls.

    python -m benchmarks.provision [--stage 1] [--json FILE]

Runs on a local cloud of its own: a stage from nothing to serving with caches warm (image, Debian
packages' lists excepted, wheels), the same stage again with nothing to do, and every AWS call that
those runs made once more with boto3 in one process. Seconds of wall time.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[1]
RECAP = re.compile(r"^\S+\s+: ok=(\d+)\s+changed=(\d+)", re.MULTILINE)
PORTS = {"LOCALCLOUD_PORT": 5960, "LOCALCLOUD_HTTP_PORT": 8960, "LOCALCLOUD_HTTPS_PORT": 8961}


def environment(state):
    return (
        os.environ
        | {name: str(port) for name, port in PORTS.items()}
        | {
            "LOCALCLOUD_STATE": str(state),
            "MUSTACHE_ENVIRONMENT": "benchmark",
            "MUSTACHE_CIDR": "10.159.0.0/16",
            "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}",
        }
    )


def play(stage, env):
    """Seconds, tasks that ran, and changes of one run of the stage."""
    started = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", f"playbooks/stage{stage}.yml"],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(done.stdout[-4000:] + done.stderr[-1000:])
    recap = RECAP.findall(done.stdout)
    return seconds, sum(int(ok) for ok, _ in recap), sum(int(each) for _, each in recap)


def floor():
    """Seconds for the calls that a stage 1 from nothing cannot do without, in one process."""
    options = {
        "endpoint_url": f"http://127.0.0.1:{PORTS['LOCALCLOUD_PORT']}",
        "region_name": "us-east-1",
        "aws_access_key_id": "localcloud",
        "aws_secret_access_key": "localcloud",
    }
    started = time.monotonic()
    ec2, iam, s3, ssm, route53, sts = (
        boto3.client(name, **options) for name in ("ec2", "iam", "s3", "ssm", "route53", "sts")
    )
    sts.get_caller_identity()
    vpc = ec2.create_vpc(CidrBlock="10.158.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.158.0.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(GroupName="floor", Description="floor", VpcId=vpc)["GroupId"]
    for port in (22, 80, 443):
        ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0"
        )
    s3.create_bucket(Bucket="floor-backups")
    s3.put_bucket_versioning(Bucket="floor-backups", VersioningConfiguration={"Status": "Enabled"})
    for name in ("SECRET_KEY", "SITE_URL", "ALLOWED_HOSTS", "DATABASE_URL"):
        ssm.put_parameter(Name=f"/floor/{name}", Value="x", Type="SecureString")
    statement = {"Effect": "Allow", "Action": "ssm:GetParametersByPath", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_role(RoleName="floor", AssumeRolePolicyDocument=policy)
    iam.put_role_policy(RoleName="floor", PolicyName="host", PolicyDocument=policy)
    iam.create_instance_profile(InstanceProfileName="floor")
    iam.add_role_to_instance_profile(InstanceProfileName="floor", RoleName="floor")
    image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(
        ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1, SubnetId=subnet,
        SecurityGroupIds=[group], IamInstanceProfile={"Name": "floor"},
    )["Instances"][0]["InstanceId"]  # fmt: skip
    ec2.get_waiter("instance_running").wait(InstanceIds=[instance])
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(InstanceId=instance, AllocationId=address["AllocationId"])
    zone = route53.create_hosted_zone(Name="floor.localhost", CallerReference="floor")
    record = {
        "Name": "floor.localhost", "Type": "A", "TTL": 60,
        "ResourceRecords": [{"Value": address["PublicIp"]}],
    }  # fmt: skip
    route53.change_resource_record_sets(
        HostedZoneId=zone["HostedZone"]["Id"],
        ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
    )
    return time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", type=int, default=1, help="which stage (default: 1)")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="provision-benchmark-") as state:
        env = environment(state)
        localcloud = [sys.executable, "-m", "localcloud"]
        subprocess.run([*localcloud, "up"], cwd=ROOT, env=env, check=True, timeout=300)
        try:
            from_nothing, tasks, changes = play(options.stage, env)
            again, tasks_again, changes_again = play(options.stage, env)
            bare = floor()
        finally:
            subprocess.run(
                [*localcloud, "down", "--destroy-data"], cwd=ROOT, env=env, check=True, timeout=300
            )
    result = {
        "stage": options.stage,
        "from_nothing_seconds": round(from_nothing, 1),
        "again_seconds": round(again, 1),
        "floor_seconds": round(bare, 1),
        "load_average": os.getloadavg()[0],
    }
    for what, seconds, made in (
        (f"stage {options.stage} from nothing", from_nothing, f"{tasks} tasks, {changes} changes"),
        (f"stage {options.stage} again", again, f"{tasks_again} tasks, {changes_again} changes"),
        ("the calls with boto3", bare, "one process; the host runs, nothing is on it"),
    ):
        print(f"{what:22} {seconds:6.1f} s   {made}")
    print(f"from nothing / floor   {from_nothing / bare:6.1f}     load {os.getloadavg()[0]:.1f}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
