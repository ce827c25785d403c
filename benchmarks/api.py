"""What an API call costs in a local cloud that holds much, beside one that holds nothing.

    .venv/bin/python -m benchmarks.api [--objects 1000] [--items 10000] [--rounds 200] [--json FILE]

Two local clouds of its own, one of them filled. Each call is made to both in turns, so that both
meet the same machine. Then what it takes to bring the process up again, and to run an instance.
Milliseconds of wall time, the median of the rounds; seconds where it says so.
"""

import argparse
import json
import os
import signal
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import boto3

from benchmarks.provision import CLIENT, PORTS, cloud, localcloud

BUCKET, TABLE = "benchmark", "benchmark"
BODY = bytes(10_000)


class Client:
    """What a program that uses the cloud calls."""

    def __init__(self, environment: dict[str, str]):
        self.environment = environment
        where = CLIENT | {"endpoint_url": f"http://127.0.0.1:{environment['LOCALCLOUD_PORT']}"}
        self.s3 = boto3.client("s3", **where)
        self.dynamodb = boto3.client("dynamodb", **where)
        self.ssm = boto3.client("ssm", **where)
        self.ec2 = boto3.client("ec2", **where)
        self.s3.create_bucket(Bucket=BUCKET)
        self.dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.put_object(0)
        self.put_item(0)

    def put_object(self, number: int) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=f"pictures/{number}.jpg", Body=BODY)

    def put_item(self, number: int) -> None:
        self.dynamodb.put_item(TableName=TABLE, Item=item(number))

    def fill(self, objects: int, items: int) -> None:
        for number in range(objects):
            self.put_object(number)
        for first in range(0, items, 25):
            puts = [{"PutRequest": {"Item": item(n)}} for n in range(first, first + 25)]
            self.dynamodb.batch_write_item(RequestItems={TABLE: puts})

    def calls(self) -> dict[str, Callable[[int], object]]:
        """By their names; each gets the number of its round."""
        key = {"Bucket": BUCKET, "Key": "pictures/0.jpg"}
        return {
            "s3:PutObject, 10 kB": lambda n: self.put_object(-n),
            "s3:GetObject, 10 kB": lambda n: self.s3.get_object(**key)["Body"].read(),
            "s3:ListObjectsV2 of one": lambda n: self.s3.list_objects_v2(Bucket=BUCKET, MaxKeys=1),
            "dynamodb:PutItem": lambda n: self.put_item(-n),
            "dynamodb:GetItem": lambda n: self.dynamodb.get_item(
                TableName=TABLE, Key={"id": {"S": "0"}}
            ),
            "ssm:PutParameter, which saves the state": lambda n: self.ssm.put_parameter(
                Name="/benchmark", Value=str(n), Type="String", Overwrite=True
            ),
            "ec2:DescribeVpcs": lambda n: self.ec2.describe_vpcs(),
        }


def item(number: int) -> dict:
    return {"id": {"S": str(number)}, "title": {"S": "x" * 200}}


def measure(empty: Client, full: Client, rounds: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each call, in the empty cloud and in the full one."""
    found = {}
    for name in empty.calls():
        taken: tuple[list[float], list[float]] = ([], [])
        for number in range(1, rounds + 1):
            for client, seconds in zip((empty, full), taken, strict=True):
                call = client.calls()[name]
                started = time.perf_counter()
                call(number)
                seconds.append(time.perf_counter() - started)
        found[name] = tuple(round(1000 * statistics.median(each), 2) for each in taken)
    return found


def seconds_up_again(client: Client) -> float:
    """End the process as a crash does, and bring it up with all that it holds."""
    status = json.loads(localcloud(client.environment, "status", "--json"))
    os.kill(status["pid"], signal.SIGKILL)
    started = time.monotonic()
    localcloud(client.environment, "up")
    return round(time.monotonic() - started, 2)


def seconds_to_run(client: Client) -> float:
    """RunInstances of one t3.micro on a warm image, until it is running."""
    images = client.ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}])
    image = images["Images"][0]["ImageId"]
    started = time.monotonic()
    client.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    return round(time.monotonic() - started, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with ExitStack() as clouds:
        # Beside the ports of the first, which other benchmarks have too.
        ports = [PORTS, {name: port + 10 for name, port in PORTS.items()}]
        empty, full = (
            Client(clouds.enter_context(cloud(each, f"10.{net}.0.0/16")))
            for each, net in zip(ports, (159, 158), strict=True)
        )
        print(f"{options.objects} objects and {options.items} items, {options.rounds} rounds")
        full.fill(options.objects, options.items)
        rows = measure(empty, full, options.rounds)
        rows["RunInstances, s"] = seconds_to_run(empty), seconds_to_run(full)
        rows["up after kill -9, s"] = seconds_up_again(empty), seconds_up_again(full)
    print(f"{'call':42} {'empty':>8} {'full':>8}")
    for name, (of_empty, of_full) in rows.items():
        print(f"{name:42} {of_empty:8.2f} {of_full:8.2f}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
