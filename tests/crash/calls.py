"""Calls that change something, each ready to be made and cut off."""

import io
import zipfile
from contextlib import suppress

from botocore.config import Config
from botocore.exceptions import ClientError

from tests import policies

DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
AVAILABLE = {"Name": "status", "Values": ["available"]}


def package() -> bytes:
    """A function that answers after half a second."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("app.py", "import time\ndef handler(*_):\n    time.sleep(0.5)\n")
    return out.getvalue()


class Calls:
    """Each method is a call that changes something, with what it needs made before."""

    def __init__(self, cloud, site):
        once = Config(retries={"max_attempts": 0}, read_timeout=120)
        self.site = site
        clients = {
            attribute: cloud.client(name)
            for attribute, name in {
                "ec2": "ec2", "s3": "s3", "rds": "rds", "elb": "elbv2", "ssm": "ssm",
                "cache": "elasticache", "edge": "cloudfront", "api": "apigatewayv2",
                "functions": "lambda", "iam": "iam", "groups": "autoscaling", "rows": "dynamodb",
            }.items()
        }  # fmt: skip
        for attribute, client in clients.items():
            client.meta.config.merge(once)
            setattr(self, attribute, client)
        self.number = 0

    def _launch(self):
        return self.ec2.run_instances(
            ImageId=self.site.image, InstanceType="t3.nano", MinCount=1, MaxCount=1,
            SubnetId=self.site.public, SecurityGroupIds=[self.site.group],
        )["Instances"][0]["InstanceId"]  # fmt: skip

    def run_instances(self):
        return self._launch

    def stop_instances(self):
        made = self._launch()
        return lambda: self.ec2.stop_instances(InstanceIds=[made])

    def terminate_instances(self):
        made = self._launch()
        return lambda: self.ec2.terminate_instances(InstanceIds=[made])

    def create_image(self):
        made = self._launch()
        self.number += 1
        name = f"image-{self.number}"
        return lambda: self.ec2.create_image(InstanceId=made, Name=name, NoReboot=True)

    def create_snapshot(self):
        made = self._launch()
        volumes = self.ec2.describe_volumes(
            Filters=[{"Name": "attachment.instance-id", "Values": [made]}]
        )["Volumes"]
        return lambda: self.ec2.create_snapshot(VolumeId=volumes[0]["VolumeId"])

    def create_db_instance(self):
        self.number += 1
        with suppress(ClientError):
            self.rds.create_db_subnet_group(
                DBSubnetGroupName="crash", DBSubnetGroupDescription="crash",
                SubnetIds=[self.site.public, self.site.private],
            )  # fmt: skip
        name = f"database-{self.number}"
        return lambda: self.rds.create_db_instance(
            DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres",
            AllocatedStorage=20, MasterUsername="crash", MasterUserPassword="long-enough",
            DBSubnetGroupName="crash", BackupRetentionPeriod=0,
        )  # fmt: skip

    def create_load_balancer(self):
        self.number += 1
        name = f"balancer-{self.number}"
        return lambda: self.elb.create_load_balancer(
            Name=name, Subnets=[self.site.public, self.site.private]
        )

    def create_replication_group(self):
        self.number += 1
        with suppress(ClientError):
            self.cache.create_cache_subnet_group(
                CacheSubnetGroupName="crash", CacheSubnetGroupDescription="crash",
                SubnetIds=[self.site.public, self.site.private],
            )  # fmt: skip
        name = f"cache-{self.number}"
        return lambda: self.cache.create_replication_group(
            ReplicationGroupId=name, ReplicationGroupDescription="crash", Engine="valkey",
            CacheNodeType="cache.t4g.micro", NumCacheClusters=2, CacheSubnetGroupName="crash",
        )  # fmt: skip

    def create_db_snapshot(self):
        self.create_db_instance()()
        name = f"database-{self.number}"
        return lambda: self.rds.create_db_snapshot(
            DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-copy"
        )

    def delete_db_instance(self):
        self.create_db_instance()()
        name = f"database-{self.number}"
        return lambda: self.rds.delete_db_instance(
            DBInstanceIdentifier=name, SkipFinalSnapshot=True
        )

    def modify_db_instance(self):
        self.create_db_instance()()
        name = f"database-{self.number}"
        return lambda: self.rds.modify_db_instance(
            DBInstanceIdentifier=name, DBInstanceClass="db.t4g.small", ApplyImmediately=True
        )

    def delete_replication_group(self):
        self.create_replication_group()()
        name = f"cache-{self.number}"
        return lambda: self.cache.delete_replication_group(ReplicationGroupId=name)

    def modify_instance_attribute(self):
        made = self._launch()
        self.ec2.stop_instances(InstanceIds=[made])
        kind = {"Value": "t3.micro"}
        return lambda: self.ec2.modify_instance_attribute(InstanceId=made, InstanceType=kind)

    def attach_volume(self):
        made = self._launch()
        volume = self.ec2.create_volume(AvailabilityZone=self._zone(), Size=1)["VolumeId"]
        return lambda: self.ec2.attach_volume(VolumeId=volume, InstanceId=made, Device="/dev/sdf")

    def create_auto_scaling_group(self):
        self.number += 1
        name = f"group-{self.number}"
        with suppress(ClientError):
            self.ec2.create_launch_template(
                LaunchTemplateName="crash",
                LaunchTemplateData={"ImageId": self.site.image, "InstanceType": "t3.nano",
                                    "SecurityGroupIds": [self.site.group]},
            )  # fmt: skip
        return lambda: self.groups.create_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=1, MaxSize=2,
            LaunchTemplate={"LaunchTemplateName": "crash"}, VPCZoneIdentifier=self.site.public,
        )  # fmt: skip

    def set_desired_capacity(self):
        self.create_auto_scaling_group()()
        name = f"group-{self.number}"
        return lambda: self.groups.set_desired_capacity(
            AutoScalingGroupName=name, DesiredCapacity=2
        )

    def create_distribution(self):
        self.number += 1
        origin = {
            "Id": "site", "DomainName": f"origin-{self.number}.example.com",
            "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443,
                                   "OriginProtocolPolicy": "http-only"},
        }  # fmt: skip
        config = {
            "CallerReference": str(self.number), "Comment": "", "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {"TargetOriginId": "site", "CachePolicyId": DISABLED,
                                     "ViewerProtocolPolicy": "allow-all"},
        }  # fmt: skip
        return lambda: self.edge.create_distribution(DistributionConfig=config)

    def create_function(self):
        self.number += 1
        name = f"function-{self.number}"
        with suppress(ClientError):
            self.iam.create_role(RoleName="crash", AssumeRolePolicyDocument=policies.FUNCTIONS)
        role = self.iam.get_role(RoleName="crash")["Role"]["Arn"]
        return lambda: self.functions.create_function(
            FunctionName=name, Runtime="python3.13", Handler="app.handler", Role=role,
            Code={"ZipFile": package()},
        )  # fmt: skip

    def invoke(self):
        self.create_function()()
        name = f"function-{self.number}"
        self.functions.get_waiter("function_active_v2").wait(FunctionName=name)
        return lambda: self.functions.invoke(FunctionName=name)

    def create_stage(self):
        self.number += 1
        made = self.api.create_api(Name=f"api-{self.number}", ProtocolType="HTTP")["ApiId"]
        return lambda: self.api.create_stage(ApiId=made, StageName="$default", AutoDeploy=True)

    def create_table(self):
        self.number += 1
        name = f"table-{self.number}"
        return lambda: self.rows.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )  # fmt: skip

    def put_parameter(self):
        self.number += 1
        name = f"/crash/{self.number}"
        return lambda: self.ssm.put_parameter(Name=name, Value="x" * 1000, Type="String")

    def _zone(self):
        found = self.ec2.describe_subnets(SubnetIds=[self.site.public])["Subnets"]
        return found[0]["AvailabilityZone"]

    def clean(self):
        """Remove what the rounds have made, so that the next starts from little."""
        for each in self.groups.describe_auto_scaling_groups()["AutoScalingGroups"]:
            name = {"AutoScalingGroupName": each["AutoScalingGroupName"]}
            self.groups.delete_auto_scaling_group(**name, ForceDelete=True)
        for each in self.edge.list_distributions()["DistributionList"].get("Items", []):
            found = self.edge.get_distribution_config(Id=each["Id"])
            config = found["DistributionConfig"] | {"Enabled": False}
            tag = self.edge.update_distribution(
                Id=each["Id"], IfMatch=found["ETag"], DistributionConfig=config
            )["ETag"]
            self.edge.get_waiter("distribution_deployed").wait(
                Id=each["Id"], WaiterConfig={"Delay": 1}
            )
            self.edge.delete_distribution(Id=each["Id"], IfMatch=tag)
        for each in self.api.get_apis()["Items"]:
            self.api.delete_api(ApiId=each["ApiId"])
        for each in self.functions.list_functions()["Functions"]:
            self.functions.delete_function(FunctionName=each["FunctionName"])
        for each in self.rows.list_tables()["TableNames"]:
            self.rows.delete_table(TableName=each)
        for page in self.ec2.get_paginator("describe_instances").paginate():
            for reservation in page["Reservations"]:
                ids = [each["InstanceId"] for each in reservation["Instances"]]
                self.ec2.terminate_instances(InstanceIds=ids)
        for each in self.rds.describe_db_instances()["DBInstances"]:
            self.rds.delete_db_instance(
                DBInstanceIdentifier=each["DBInstanceIdentifier"], SkipFinalSnapshot=True
            )
        for each in self.elb.describe_load_balancers()["LoadBalancers"]:
            self.elb.delete_load_balancer(LoadBalancerArn=each["LoadBalancerArn"])
        for each in self.rds.describe_db_snapshots()["DBSnapshots"]:
            self.rds.delete_db_snapshot(DBSnapshotIdentifier=each["DBSnapshotIdentifier"])
        for each in self.cache.describe_replication_groups()["ReplicationGroups"]:
            self.cache.delete_replication_group(ReplicationGroupId=each["ReplicationGroupId"])
        for each in self.ec2.describe_volumes(Filters=[AVAILABLE])["Volumes"]:
            self.ec2.delete_volume(VolumeId=each["VolumeId"])
        for each in self.ec2.describe_images(Owners=["self"])["Images"]:
            self.ec2.deregister_image(ImageId=each["ImageId"])
        for each in self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]:
            with suppress(ClientError):  # one of Debian's image
                self.ec2.delete_snapshot(SnapshotId=each["SnapshotId"])


# What goes on behind these is not over when they answer, nor when the cloud is up again.
LASTING = {"modify_db_instance", "create_auto_scaling_group", "set_desired_capacity"}
NAMES = [name for name in vars(Calls) if not name.startswith("_") and name != "clean"]
