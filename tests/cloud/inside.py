"""Programs that run in the network namespace of a host, as `python inside.py NAMESPACE NAME ...`.

They see the network as a program on that host would, with this machine's Python.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import boto3
import psycopg
import redis
from botocore.exceptions import ClientError
from dnslib import DNSRecord

RESOLVER = "169.254.169.253"
API = f"http://{RESOLVER}:5000"


def resolve(name: str) -> str:
    """The address that the VPC's resolver gives for ``name``."""
    question = DNSRecord.question(name)
    answer = DNSRecord.parse(question.send(RESOLVER, 53, timeout=2))
    return str(answer.rr[-1].rdata)


def connect(name: str, **options):
    return psycopg.connect(
        host=name,
        hostaddr=resolve(name),
        connect_timeout=2,
        tcp_user_timeout=3000,
        autocommit=True,
        **options,
    )


def store(role: str, bucket: str, table: str) -> None:
    """What the host's own role may do with S3 and DynamoDB, and what ``role`` may, as JSON."""
    own = boto3.Session(region_name="us-east-1")
    taken = own.client("sts", endpoint_url=API).assume_role(RoleArn=role, RoleSessionName="app")
    key = taken["Credentials"]
    app = boto3.Session(
        key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"], region_name="us-east-1"
    )
    said = {}
    for name, session in (("host", own), ("app", app)):
        s3 = session.client("s3", endpoint_url=API)
        tables = session.client("dynamodb", endpoint_url=API)
        for what, call in {
            "s3": lambda s3=s3: s3.put_object(Bucket=bucket, Key="media/a", Body=b"x"),
            "dynamodb": lambda tables=tables: tables.put_item(
                TableName=table, Item={"id": {"S": "a"}}
            ),
        }.items():
            try:
                call()
                said[f"{name} {what}"] = "done"
            except ClientError as error:
                said[f"{name} {what}"] = error.response["Error"]["Code"]
    print(json.dumps(said))


def query(name: str, options: str, *statements: str) -> None:
    """Run statements; print the rows of the last one, or the error, as JSON."""
    try:
        with connect(name, **json.loads(options)) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        print(json.dumps({"rows": rows}, default=str))
    except psycopg.Error as error:
        print(json.dumps({"error": str(error)}))


def write(name: str, options: str) -> None:
    """Insert rows one by one until SIGTERM, whatever happens to the database; print which were
    acknowledged, and the longest time without one."""
    stop = False

    def end(*_):
        nonlocal stop
        stop = True

    signal.signal(signal.SIGTERM, end)
    acknowledged, gaps, number, connection = [], [], 0, None
    last = time.monotonic()
    print("ready", flush=True)
    while not stop:
        number += 1
        try:
            connection = connection or connect(name, **json.loads(options))
            connection.execute("insert into written values (%s)", (number,))
        except (psycopg.Error, OSError):
            connection = None
            time.sleep(0.05)
            continue
        acknowledged.append(number)
        now = time.monotonic()
        gaps.append(now - last)
        last = now
        time.sleep(0.005)
    print(json.dumps({"acknowledged": acknowledged, "gaps": sorted(gaps)[-5:]}), flush=True)


def cache(name: str, options: str) -> None:
    """Run the commands that come as lines of JSON, all over one connection; print each answer."""
    look_up = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *rest, **more: look_up(
        resolve(host) if host == name else host, *rest, **more
    )
    # one connection: the pool gives the same one for each command
    client = redis.Redis(
        host=name,
        max_connections=1,
        decode_responses=True,
        socket_timeout=3,
        socket_connect_timeout=2,
        retry=None,
        **json.loads(options),
    )
    for line in sys.stdin:
        try:
            answer = {"answer": client.execute_command(*json.loads(line))}
        except (redis.RedisError, OSError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), flush=True)


def opens(address: str, port: str) -> None:
    """Print whether a TCP connection is accepted."""
    try:
        socket.create_connection((address, int(port)), timeout=1).close()
    except OSError as error:
        print(json.dumps({"error": str(error)}))
    else:
        print(json.dumps({"open": True}))


if __name__ == "__main__":
    with Path("/run/netns", sys.argv[1]).open() as namespace:
        os.setns(namespace.fileno(), os.CLONE_NEWNET)
    programs = {"cache": cache, "opens": opens, "query": query, "store": store, "write": write}
    programs[sys.argv[2]](*sys.argv[3:])
