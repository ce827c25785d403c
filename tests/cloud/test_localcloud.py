"""The local cloud as a user of AWS meets it: hosts, networks, volumes, addresses and names."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from cloud.conftest import ROOT, allow, describe, opens, wait_until

pytestmark = pytest.mark.cloud


def states_of(ec2) -> list[str]:
    return [
        each["State"]["Name"]
        for reservation in ec2.describe_instances()["Reservations"]
        for each in reservation["Instances"]
    ]


def root_volume(instance: dict) -> str:
    return instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]


def test_a_new_instance_is_a_debian_host_booted_by_cloud_init(cloud, launch):
    instance = launch(UserData="#!/bin/sh\necho from user data > /root/proof\n")
    assert instance["State"]["Name"] == "running"
    address = instance["PublicIpAddress"]
    assert address.startswith("127.")
    said = cloud.ssh(address, ". /etc/os-release; echo $VERSION_ID $(whoami) $(hostname)")
    assert said == f"13 admin {instance['PrivateDnsName'].split('.')[0]}"
    cloud.ssh(address, "cloud-init status --wait")
    assert cloud.ssh(address, "sudo cat /root/proof") == "from user data"
    assert cloud.ssh(address, "systemctl is-system-running --wait") == "running"


def test_a_closed_port_is_closed_and_an_opened_one_is_open(cloud, host, site):
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=site.vpc)["GroupId"]
    ec2.modify_instance_attribute(InstanceId=host["InstanceId"], Groups=[site.group, group])
    address = host["PublicIpAddress"]
    cloud.ssh(address, "sudo systemd-run --quiet python3 -m http.server 8000")
    cloud.ssh(address, "until curl -s localhost:8000 >/dev/null; do sleep 0.1; done")
    assert not opens(address, 8000)
    allow(ec2, group, 8000)
    assert opens(address, 8000)
    ec2.revoke_security_group_ingress(
        GroupId=group,
        IpPermissions=ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0][
            "IpPermissions"
        ],
    )
    assert not opens(address, 8000)


def test_a_group_as_source_admits_its_members_only(cloud, launch, host, site):
    ec2 = cloud.client("ec2")
    groups = {
        name: ec2.create_security_group(GroupName=name, Description=name, VpcId=site.vpc)["GroupId"]
        for name in ("app", "database")
    }
    allow(ec2, groups["database"], 5432, groups["app"])
    database = launch(SecurityGroupIds=[site.group, groups["database"]])
    member = launch(SecurityGroupIds=[site.group, groups["app"]])
    cloud.ssh(
        database["PublicIpAddress"], "sudo systemd-run --quiet python3 -m http.server 5432; sleep 1"
    )
    ask = f"curl -s -m 2 -o /dev/null {database['PrivateIpAddress']}:5432 && echo yes || echo no"
    assert cloud.ssh(member["PublicIpAddress"], ask) == "yes"
    assert cloud.ssh(host["PublicIpAddress"], ask) == "no"


def test_a_bigger_box_keeps_its_data_and_really_is_bigger(cloud, launch):
    ec2 = cloud.client("ec2")
    instance = launch(InstanceType="t3.micro")
    ids = [instance["InstanceId"]]
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=ids[0])
    address = elastic["PublicIp"]
    size = "awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo; df -BG --output=size / | tail -1"
    assert cloud.ssh(address, size).split() == ["1024", "8G"]
    cloud.ssh(address, "echo kept | sudo tee /root/data")

    ec2.stop_instances(InstanceIds=ids)
    stopped = describe(ec2, ids[0])
    assert stopped["State"]["Name"] == "stopped"
    assert stopped["PublicIpAddress"] == address
    assert not opens(address, 22)
    ec2.modify_instance_attribute(InstanceId=ids[0], InstanceType={"Value": "t3.medium"})
    ec2.modify_volume(VolumeId=root_volume(instance), Size=12)
    ec2.start_instances(InstanceIds=ids)

    assert cloud.ssh(address, size).split() == ["4096", "12G"]
    assert cloud.ssh(address, "sudo cat /root/data") == "kept"
    ec2.modify_volume(VolumeId=root_volume(instance), Size=16, VolumeType="io2", Iops=4000)
    assert cloud.ssh(address, size).split() == ["4096", "16G"]
    (association,) = ec2.describe_addresses(PublicIps=[address])["Addresses"]
    ec2.disassociate_address(AssociationId=association["AssociationId"])
    ec2.release_address(AllocationId=elastic["AllocationId"])


def test_a_disk_that_is_full_is_full(cloud, launch):
    instance = launch(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}])
    said = cloud.ssh(
        instance["PublicIpAddress"], "sudo fallocate -l 9G /root/big 2>&1 || echo refused"
    )
    assert "No space left on device" in said


def test_volumes_outlive_hosts_and_snapshots_carry_them(cloud, launch):
    ec2 = cloud.client("ec2")
    first = launch()
    zone = first["Placement"]["AvailabilityZone"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1, VolumeType="gp3")["VolumeId"]
    ec2.attach_volume(VolumeId=volume, InstanceId=first["InstanceId"], Device="/dev/sdf")
    cloud.ssh(
        first["PublicIpAddress"],
        "sudo mkfs.ext4 -q /dev/sdf && sudo mount /dev/sdf /mnt && echo kept | sudo tee /mnt/data",
    )
    with pytest.raises(ClientError, match="is mounted on the host"):
        ec2.detach_volume(VolumeId=volume)
    cloud.ssh(first["PublicIpAddress"], "sudo umount /mnt")
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.terminate_instances(InstanceIds=[first["InstanceId"]])

    second = launch()
    copy = ec2.create_volume(AvailabilityZone=zone, SnapshotId=snapshot)["VolumeId"]
    for each, device in ((volume, "/dev/sdf"), (copy, "/dev/sdg")):
        ec2.attach_volume(VolumeId=each, InstanceId=second["InstanceId"], Device=device)
        said = cloud.ssh(
            second["PublicIpAddress"],
            f"sudo mount {device} /mnt && cat /mnt/data && sudo umount /mnt",
        )
        assert said == "kept"
        ec2.detach_volume(VolumeId=each)
        ec2.delete_volume(VolumeId=each)


def test_an_image_carries_what_was_installed_and_no_identity(cloud, launch):
    ec2 = cloud.client("ec2")
    original = launch()
    identity = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub"
    before = cloud.ssh(
        original["PublicIpAddress"], f"sudo touch /opt/baked /run/booted; {identity}"
    )
    image = ec2.create_image(InstanceId=original["InstanceId"], Name="baked")["ImageId"]
    with pytest.raises(ClientError, match="already in use"):
        ec2.create_image(InstanceId=original["InstanceId"], Name="baked")
    assert cloud.ssh(original["PublicIpAddress"], "ls /run/booted || echo rebooted") == "rebooted"
    copy = launch(ImageId=image)
    after = cloud.ssh(copy["PublicIpAddress"], f"ls /opt/baked && {identity}").splitlines()
    assert after[0] == "/opt/baked"
    assert not set(after) & set(before.splitlines())
    ec2.deregister_image(ImageId=image)
    assert cloud.ssh(copy["PublicIpAddress"], "ls /opt/baked") == "/opt/baked"


def test_images_and_snapshots_of_a_busy_host_are_of_one_moment(cloud, launch):
    """A host writes a number to its root, then to a data volume, on and on."""
    ec2 = cloud.client("ec2")
    original = launch(BlockDeviceMappings=[{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}])
    address = original["PublicIpAddress"]
    write = "for n in $(seq 1000000); do echo $n >> /opt/first; echo $n >> /mnt/second; done"
    cloud.ssh(
        address,
        "sudo mkfs.ext4 -q /dev/sdf && sudo mount /dev/sdf /mnt && sudo touch /run/booted &&"
        f"sudo systemd-run --quiet --unit=writer sh -c '{write}'; sleep 1",
    )
    image = ec2.create_image(InstanceId=original["InstanceId"], Name="busy", NoReboot=True)
    assert cloud.ssh(address, "ls /run/booted; systemctl is-active writer").split() == [
        "/run/booted",
        "active",
    ]
    root = ec2.create_snapshot(VolumeId=root_volume(original))["SnapshotId"]
    registered = ec2.register_image(
        Name="registered",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": root}}],
    )
    last = "tail -n1 /opt/first"
    copy = launch(ImageId=image["ImageId"])
    first, second = cloud.ssh(
        copy["PublicIpAddress"], f"sudo mount /dev/sdf /mnt; {last}; tail -n1 /mnt/second"
    ).split()
    assert int(second) in (int(first), int(first) - 1)
    from_snapshot = launch(ImageId=registered["ImageId"])
    assert int(cloud.ssh(from_snapshot["PublicIpAddress"], last)) > int(first)


def test_a_volume_for_several_hosts_is_the_same_for_all(cloud, launch):
    ec2 = cloud.client("ec2")
    hosts = [launch(), launch()]
    volume = ec2.create_volume(
        AvailabilityZone=hosts[0]["Placement"]["AvailabilityZone"],
        Size=4, VolumeType="io2", Iops=100, MultiAttachEnabled=True,
    )["VolumeId"]  # fmt: skip
    for each in hosts:
        ec2.attach_volume(VolumeId=volume, InstanceId=each["InstanceId"], Device="/dev/sdf")
    write = "echo shared | sudo dd of=/dev/sdf bs=512 conv=sync oflag=direct 2>/dev/null"
    read = "sudo dd if=/dev/sdf bs=512 count=1 iflag=direct 2>/dev/null | tr -d '\\0'"
    cloud.ssh(hosts[0]["PublicIpAddress"], write)
    ec2.terminate_instances(InstanceIds=[hosts[0]["InstanceId"]])
    assert cloud.ssh(hosts[1]["PublicIpAddress"], read) == "shared"
    ec2.terminate_instances(InstanceIds=[hosts[1]["InstanceId"]])
    ec2.delete_volume(VolumeId=volume)


def test_a_second_interface_is_reached_and_answers(cloud, launch, host, site):
    ec2 = cloud.client("ec2")
    allow(ec2, site.group, 8123, site.group)
    instance = launch()
    second = ec2.create_network_interface(
        SubnetId=instance["SubnetId"], Groups=[site.group]
    )["NetworkInterface"]  # fmt: skip
    attachment = ec2.attach_network_interface(
        NetworkInterfaceId=second["NetworkInterfaceId"],
        InstanceId=instance["InstanceId"],
        DeviceIndex=1,
    )["AttachmentId"]
    cloud.ssh(
        instance["PublicIpAddress"], "sudo systemd-run --quiet python3 -m http.server 8123; sleep 1"
    )
    ask = f"curl -s -m 2 -o /dev/null {second['PrivateIpAddress']}:8123 && echo yes || echo no"
    assert cloud.ssh(host["PublicIpAddress"], ask) == "yes"
    ec2.detach_network_interface(AttachmentId=attachment)
    assert cloud.ssh(host["PublicIpAddress"], ask) == "no"
    ec2.delete_network_interface(NetworkInterfaceId=second["NetworkInterfaceId"])


def test_metadata_wants_a_token_and_gives_role_credentials(cloud, launch):
    iam = cloud.client("iam")
    iam.create_role(RoleName="web", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="web")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    instance = launch(
        IamInstanceProfile={"Name": "web"}, MetadataOptions={"HttpTokens": "required"}
    )
    script = """
        base=http://169.254.169.254/latest
        curl -s -o /dev/null -w '%{http_code} ' $base/meta-data/
        curl -s -o /dev/null -w '%{http_code} ' -A Cloud-Init/25 \
            $base/meta-data/iam/security-credentials/web
        token=$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $base/api/token)
        curl -s -H "X-aws-ec2-metadata-token: $token" $base/meta-data/instance-id; echo
        curl -s -H "X-aws-ec2-metadata-token: $token" \
            $base/meta-data/iam/security-credentials/$(curl -s \
            -H "X-aws-ec2-metadata-token: $token" $base/meta-data/iam/security-credentials/)
    """
    first, _, document = cloud.ssh(instance["PublicIpAddress"], script).partition("\n")
    assert first == f"401 404 {instance['InstanceId']}"
    credentials = json.loads(document)
    assert credentials["Code"] == "Success"
    assert credentials["AccessKeyId"].startswith("ASIA")


def test_names_resolve_inside_and_aws_itself_never_does(cloud, host):
    said = cloud.ssh(
        host["PublicIpAddress"],
        f"getent hosts {host['PublicDnsName']} | cut -d' ' -f1;"
        "curl -s -o /dev/null -w '%{http_code}\\n' http://aws.localcloud:5000/_localcloud/none;"
        "getent hosts ec2.us-east-1.amazonaws.com || echo none",
    )
    assert said.split() == [host["PrivateIpAddress"], "404", "none"]


def test_web_pages_and_hosts_do_not_rule_the_api(cloud, host):
    def status_of(path: str, **headers: str) -> int:
        request = urllib.request.Request(f"{cloud.endpoint}{path}", b"{}", headers)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=10)
        with error.value as answer:
            return answer.code

    assert status_of("/moto-api/reset") == 403
    assert status_of("/", Origin="https://evil.example") == 403
    assert status_of("/", Host="evil.example") == 403
    said = cloud.ssh(
        host["PublicIpAddress"],
        "curl -s -o /dev/null -w '%{http_code}' -d '{}' "
        "http://aws.localcloud:5000/_localcloud/faults",
    )
    assert said == "403"
    assert host["InstanceId"] in cloud.status()


def test_the_state_is_for_its_user_alone(cloud):
    assert cloud.state.stat().st_mode & 0o777 == 0o700
    assert (cloud.state / "ansible").is_dir()


def test_the_site_follows_the_zones_record(cloud, launch, site, zone):
    ec2, route53 = cloud.client("ec2"), cloud.client("route53")
    url = f"http://127.0.0.1:{cloud.environment['LOCALCLOUD_HTTP_PORT']}/"

    def get() -> str:
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return reply.read().decode()
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode()}"

    assert "No Route 53 record" in get()
    group = ec2.create_security_group(GroupName="site", Description="x", VpcId=site.vpc)["GroupId"]
    allow(ec2, group, 80)
    instance = launch(SecurityGroupIds=[site.group, group])
    records = [
        {"Name": "mustache.localhost", "Type": "A", "TTL": 60,
         "ResourceRecords": [{"Value": instance["PublicIpAddress"]}]},
        {"Name": "www.mustache.localhost", "Type": "CNAME", "TTL": 60,
         "ResourceRecords": [{"Value": "mustache.localhost"}]},
    ]  # fmt: skip
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={
            "Changes": [{"Action": "UPSERT", "ResourceRecordSet": each} for each in records]
        },
    )
    assert "does not answer" in get()
    cloud.ssh(
        instance["PublicIpAddress"],
        "mkdir www && echo hello > www/index.html &&"
        "sudo systemd-run --quiet python3 -m http.server 80 -d $PWD/www",
    )
    wait_until(lambda: get() == "hello\n")
    said = cloud.ssh(instance["PublicIpAddress"], "getent hosts www.mustache.localhost")
    assert said.split()[0] == instance["PrivateIpAddress"]


def test_a_private_subnet_has_no_way_out_and_no_way_in(cloud, launch, host, site):
    inside = launch(SubnetId=site.private)
    assert "PublicIpAddress" not in inside
    address = inside["PrivateIpAddress"]
    assert wait_until(lambda: opens(host["PublicIpAddress"], 22))
    assert not opens(address, 22)
    reached = f"timeout 60 bash -c 'until exec 3<>/dev/tcp/{address}/22; do sleep 0.2; done'"
    assert cloud.ssh(host["PublicIpAddress"], f"{reached} 2>/dev/null; echo $?") == "0"
    way_out = cloud.run(
        "ssh", inside["InstanceId"], "curl", "-s", "-m", "3", "http://deb.debian.org", check=False
    )
    assert way_out.returncode != 0


def test_a_subnet_that_loses_its_route_loses_what_is_under_way(cloud, host, site):
    ec2, address = cloud.client("ec2"), host["PublicIpAddress"]
    of_it = [{"Name": "association.subnet-id", "Values": [site.public]}]
    [table] = ec2.describe_route_tables(Filters=of_it)["RouteTables"]
    # Other tests' subnets may be there too.
    [association] = [
        each["RouteTableAssociationId"]
        for each in table["Associations"]
        if each.get("SubnetId") == site.public
    ]
    assert wait_until(lambda: opens(address, 22))
    with socket.create_connection((address, 22), timeout=3) as talk:
        assert talk.recv(99).startswith(b"SSH-2.0")
        ec2.disassociate_route_table(AssociationId=association)
        try:
            assert wait_until(lambda: not opens(address, 22))
            talk.sendall(b"SSH-2.0-test\r\n")
            with pytest.raises(TimeoutError):
                talk.recv(99)
        finally:
            ec2.associate_route_table(RouteTableId=table["RouteTableId"], SubnetId=site.public)
    assert wait_until(lambda: opens(address, 22))


def test_another_vpc_is_out_of_reach_whatever_its_groups_say(cloud, launch, host):
    ec2 = cloud.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.251.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.251.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="open", Description="x", VpcId=vpc)["GroupId"]
    allow(ec2, group, 22)
    far, near = (launch(SubnetId=subnet, SecurityGroupIds=[group]) for _ in range(2))
    reached = (
        f"timeout 60 bash -c 'until exec 3<>/dev/tcp/{far['PrivateIpAddress']}/22;"
        " do sleep 0.2; done' 2>/dev/null; echo $?"
    )
    assert cloud.run("ssh", near["InstanceId"], "sh", "-c", reached).stdout.strip() == "0"
    assert cloud.ssh(host["PublicIpAddress"], reached.replace("60", "5", 1)) == "124"


def test_hosts_do_not_reach_this_machine(cloud, host):
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "0", "--bind", "0.0.0.0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=cloud.directory,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    ) as server:
        port = re.search(r"port (\d+)", server.stdout.readline())[1]
        own = subprocess.run(
            ["hostname", "-I"], capture_output=True, text=True, check=True
        ).stdout.split()[0]
        said = cloud.ssh(
            host["PublicIpAddress"],
            f"for a in {own} 169.254.169.253; do curl -s -m 2 http://$a:{port}/ || echo no; done",
        )
        server.terminate()
    assert said.split() == ["no", "no"]


def test_of_the_kernels_settings_a_host_may_change_its_networks(cloud, host):
    def write(value: str, path: str) -> str:
        command = f"echo {value} | sudo tee {path} >/dev/null 2>&1 && echo written || echo refused"
        return cloud.ssh(host["PublicIpAddress"], command)

    ours = Path("/proc/sys/net/ipv4/ip_default_ttl").read_text()
    assert write("63", "/proc/sys/net/ipv4/ip_default_ttl") == "written"
    assert Path("/proc/sys/net/ipv4/ip_default_ttl").read_text() == ours
    swappiness = Path("/proc/sys/vm/swappiness").read_text().strip()
    assert write(swappiness, "/proc/sys/vm/swappiness") == "refused"
    assert write("h", "/proc/sysrq-trigger") == "refused"  # h only prints help


def test_a_host_may_reboot_and_power_off_by_itself(cloud, launch):
    ec2 = cloud.client("ec2")
    instance = launch()
    address = instance["PublicIpAddress"]
    # SSH still answers while systemd goes down: then ask again, as when nobody answers
    boots = "systemctl show -P UserspaceTimestamp || exit 255"
    before = cloud.ssh(address, boots)
    cloud.run("ssh", instance["InstanceId"], "systemctl", "reboot")
    wait_until(lambda: cloud.ssh(address, boots) != before)
    cloud.run("ssh", instance["InstanceId"], "systemctl", "poweroff")
    state = wait_until(
        lambda: (
            (found := describe(ec2, instance["InstanceId"]))["State"]["Name"] == "stopped" and found
        )
    )
    assert state["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_a_host_killed_behind_the_apis_back_is_noticed(cloud, launch):
    ec2 = cloud.client("ec2")
    instance = launch()
    pid = int(cloud.status()[instance["InstanceId"]]["real"].split("pid ")[1].split(",")[0])
    os.kill(pid, 9)
    started = time.monotonic()
    wait_until(lambda: describe(ec2, instance["InstanceId"])["State"]["Name"] == "stopped", 10)
    assert time.monotonic() - started < 5
    assert "the host died" in cloud.status()[instance["InstanceId"]]["health"]


def test_a_host_that_cannot_start_fails_the_call(cloud, launch, site):
    ec2 = cloud.client("ec2")
    before = ec2.describe_volumes()["Volumes"]
    states_before = states_of(ec2).count("running")
    with pytest.raises(ClientError, match="KeyPair"):
        launch(KeyName="missing")
    with pytest.raises(ClientError, match="InvalidInstanceType"):
        launch(InstanceType="t3.gigantic")
    with pytest.raises(ClientError, match="does not exist"):
        launch(ImageId="ami-00000000000000000")
    podman = cloud.state / "engine"
    podman.rename(podman.with_suffix(".away"))
    podman.write_text("in the way")
    try:
        with pytest.raises(ClientError, match="RunInstances"):
            launch()
    finally:
        podman.unlink()
        podman.with_suffix(".away").rename(podman)
    assert ec2.describe_volumes()["Volumes"] == before
    assert states_of(ec2).count("running") == states_before


def test_overlapping_networks_are_refused(cloud, site):
    with pytest.raises(ClientError, match="overlaps"):
        cloud.client("ec2").create_vpc(CidrBlock=site.cidr)


def test_a_killed_cloud_is_taken_over_with_everything(cloud, launch):
    ec2, s3, ssm = (cloud.client(name) for name in ("ec2", "s3", "ssm"))
    running, stopped = launch(), launch()
    ec2.stop_instances(InstanceIds=[stopped["InstanceId"]])
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="picture", Body=b"bytes")
    ssm.put_parameter(Name="/kept", Value="secret", Type="SecureString")
    cloud.ssh(running["PublicIpAddress"], "echo kept > data")

    cloud.kill()
    down = cloud.run("status", check=False)
    assert down.returncode == 3
    assert running["InstanceId"] in down.stdout
    again = cloud.run("up")
    assert f"adopted host {running['InstanceId']}" in again.stdout

    assert cloud.ssh(running["PublicIpAddress"], "cat data") == "kept"
    assert s3.get_object(Bucket="kept", Key="picture")["Body"].read() == b"bytes"
    parameter = ssm.get_parameter(Name="/kept", WithDecryption=True)["Parameter"]
    assert parameter["Value"] == "secret"
    ec2.start_instances(InstanceIds=[stopped["InstanceId"]])
    assert describe(ec2, stopped["InstanceId"])["State"]["Name"] == "running"


def test_up_again_changes_nothing_and_another_program_on_the_port_is_named(cloud, tmp_path):
    assert "is up" in cloud.run("up").stdout
    other = subprocess.run(
        [sys.executable, "-m", "localcloud", "up"],
        cwd=ROOT,
        env={**os.environ, **cloud.environment, "LOCALCLOUD_STATE": str(tmp_path / "other")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert other.returncode == 1
    assert "LOCALCLOUD_PORT=" in other.stderr
    assert not Path(tmp_path / "other").exists()
