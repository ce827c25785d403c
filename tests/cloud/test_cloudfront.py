"""CloudFront as its users meet it: an edge before a load balancer and a bucket, with a cache."""

import gzip
import http.client
import json
import secrets
import socket
import ssl
from contextlib import closing

import pytest
from botocore.exceptions import ClientError
from cloud.conftest import allow, describe, wait_until

pytestmark = pytest.mark.cloud

DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ALL_VIEWER = "33f36d7e-f396-46d9-90e0-52428a34d9dc"
SECRET = "x-origin-secret"
PREFIX_LIST = "com.amazonaws.global.cloudfront.origin-facing"

# An origin that counts what it is asked, says what it saw, and does what the path says.
SERVER = """#!/bin/sh
mkdir -p /srv/web && cd /srv/web
cat > server.py <<'END'
import http.server, json, time, urllib.parse
count = 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        global count
        count += 1
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        status = int(asked.get("status", 200))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = json.dumps({"count": count, "method": self.command, "path": self.path,
                             "body": len(body), "headers": headers}).encode()
        if path.endswith(".txt"):
            answer += b" " * 5000
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        kind = "text/plain" if path.endswith(".txt") else "application/json"
        self.send_header("Content-Type", kind)
        for name in ("cache-control", "set-cookie", "vary", "etag"):
            if name in asked:
                self.send_header(name, asked[name])
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)
    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = answer
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
END
systemd-run --unit=web python3 /srv/web/server.py
"""


@pytest.fixture(scope="module")
def cloudfront(cloud):
    return cloud.client("cloudfront")


@pytest.fixture(scope="module")
def origin(cloud, site):
    """A host with a public address that lets only CloudFront in, and its name."""
    ec2 = cloud.client("ec2")
    group = ec2.create_security_group(GroupName="origin", Description="o", VpcId=site.vpc)[
        "GroupId"
    ]
    allow(ec2, group, 80)
    made = ec2.run_instances(
        ImageId=site.image, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=SERVER,
        SubnetId=site.public, SecurityGroupIds=[site.group, group],
    )["Instances"][0]["InstanceId"]  # fmt: skip
    found = describe(ec2, made)
    route53 = cloud.client("route53")
    zone = route53.create_hosted_zone(Name="origin.test", CallerReference=secrets.token_hex(4))
    record = {
        "Name": "origin.test", "Type": "A", "TTL": 1,
        "ResourceRecords": [{"Value": found["PublicIpAddress"]}],
    }  # fmt: skip
    route53.change_resource_record_sets(
        HostedZoneId=zone["HostedZone"]["Id"],
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},
    )
    wait_until(lambda: _serves(found["PublicIpAddress"]), 60)
    world = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=world)
    lists = ec2.describe_managed_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": [PREFIX_LIST]}]
    )["PrefixLists"]
    allow(ec2, group, 80, lists[0]["PrefixListId"])
    assert not _serves(found["PublicIpAddress"])
    yield "origin.test"
    ec2.terminate_instances(InstanceIds=[made])


def _serves(address):
    try:
        with closing(http.client.HTTPConnection(address, 80, timeout=1)) as connection:
            connection.request("GET", "/")
            with closing(connection.getresponse()) as answer:
                return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def bucket(cloud):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="edge-files")
    s3.put_object(
        Bucket="edge-files", Key="static/site.css", Body=b"body { color: red }\n" * 100,
        ContentType="text/css", CacheControl="public, max-age=31536000, immutable",
    )  # fmt: skip
    s3.put_object(Bucket="edge-files", Key="closed.html", Body=b"closed", ContentType="text/html")
    return "edge-files"


@pytest.fixture(scope="module")
def guide(cloud):
    """A bucket that is a website, which everybody may read."""
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="edge-guide")
    s3.put_object(
        Bucket="edge-guide", Key="guide/index.html", Body=b"guide", ContentType="text/html"
    )
    s3.put_bucket_website(
        Bucket="edge-guide", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}
    )
    s3.delete_public_access_block(Bucket="edge-guide")
    s3.put_bucket_policy(
        Bucket="edge-guide",
        Policy=json.dumps(
            {"Version": "2012-10-17",
             "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                            "Resource": "arn:aws:s3:::edge-guide/*"}]}
        ),
    )  # fmt: skip
    return "edge-guide.s3-website-us-east-1.amazonaws.com"


def behaviour(target, cache=OPTIMIZED, **options):
    return {
        "TargetOriginId": target,
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": cache,
        "Compress": True,
        **options,
    }


ALL = {"Quantity": 7, "Items": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]}


@pytest.fixture(scope="module")
def config(origin, bucket, guide, cloudfront):
    """Dynamic pages uncached, /kept/* by its own policy, /static/* from the bucket, /guide/* from
    a bucket's website."""
    policy = cloudfront.create_cache_policy(
        CachePolicyConfig={
            "Name": "kept", "MinTTL": 0, "DefaultTTL": 60, "MaxTTL": 3600,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": True,
                "HeadersConfig": {"HeaderBehavior": "none"},
                "CookiesConfig": {"CookieBehavior": "none"},
                "QueryStringsConfig": {"QueryStringBehavior": "all"},
            },
        }
    )["CachePolicy"]["Id"]  # fmt: skip
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "edge", "SigningProtocol": "sigv4", "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]  # fmt: skip
    return {
        "CallerReference": "tests",
        "Comment": "tests",
        "Enabled": True,
        "Origins": {
            "Quantity": 3,
            "Items": [
                {
                    "Id": "site",
                    "DomainName": origin,
                    "CustomOriginConfig": {
                        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only",
                    },
                    "CustomHeaders": {
                        "Quantity": 1,
                        "Items": [{"HeaderName": SECRET, "HeaderValue": "se cr'et%"}],
                    },
                },
                {
                    "Id": "files",
                    "DomainName": f"{bucket}.s3.us-east-1.amazonaws.com",
                    "S3OriginConfig": {"OriginAccessIdentity": ""},
                    "OriginAccessControlId": control,
                },
                {
                    "Id": "guide",
                    "DomainName": guide,
                    "CustomOriginConfig": {
                        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only",
                    },
                },
            ],
        },
        "DefaultCacheBehavior": behaviour(
            "site", DISABLED, OriginRequestPolicyId=ALL_VIEWER, AllowedMethods=ALL
        ),
        "CacheBehaviors": {
            "Quantity": 4,
            "Items": [
                behaviour("site", policy, PathPattern="/kept/*"),
                behaviour("files", PathPattern="/static/*",
                          ResponseHeadersPolicyId="67f7725c-6f97-4210-82d7-5512b31e9d03"),
                behaviour("site", DISABLED, PathPattern="/secure/*",
                          ViewerProtocolPolicy="redirect-to-https"),
                behaviour("guide", PathPattern="/guide/*"),
            ],
        },
        "CustomErrorResponses": {
            "Quantity": 1,
            "Items": [{"ErrorCode": 404, "ErrorCachingMinTTL": 0}],
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def distribution(cloud, cloudfront, config, bucket):
    made = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]
    # the distribution first, then the policy that names it
    cloud.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(reader(made["ARN"])))
    wait_until(lambda: status(cloudfront, made["Id"]) == "Deployed")
    return made


def reader(arn):
    """The bucket's policy that lets a distribution read, and nobody else."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "cloudfront.amazonaws.com"},
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::edge-files/*",
                "Condition": {"StringEquals": {"AWS:SourceArn": arn}},
            }
        ],
    }


def status(cloudfront, identity):
    return cloudfront.get_distribution(Id=identity)["Distribution"]["Status"]


class Visitor:
    """Asks the edge, by the distribution's own name."""

    def __init__(self, cloud, distribution, name=None):
        self.cloud = cloud
        self.name = name or distribution["DomainName"]
        shown = cloud.status()[distribution["Id"]]["address"].split()
        assert shown[0] == distribution["DomainName"]
        self.address = shown[1]

    def ask(self, path, method="GET", headers=None, body=None, tls=False):
        """The response, with its body as ``said`` (JSON where it is)."""
        if tls:
            context = ssl.create_default_context(cafile=self.cloud.state / "authority/ca.pem")
            connection = http.client.HTTPSConnection(self.name, 443, timeout=20, context=context)
            plain = socket.create_connection((self.address, 443), timeout=20)
            connection.sock = context.wrap_socket(plain, server_hostname=self.name)
        else:
            connection = http.client.HTTPConnection(self.address, 80, timeout=20)
        with closing(connection):
            connection.request(method, path, body, {"Host": self.name, **(headers or {})})
            answer = connection.getresponse()
            answer.data = answer.read()
            answer.close()
        kind = answer.headers.get("Content-Type", "")
        answer.said = (
            json.loads(answer.data) if kind == "application/json" and answer.data else None
        )
        answer.cache = answer.headers.get("X-Cache", "").removesuffix(" from cloudfront")
        return answer


@pytest.fixture
def visitor(cloud, distribution):
    return Visitor(cloud, distribution)


def path(kind="kept"):
    """One that nobody has asked for yet."""
    return f"/{kind}/{secrets.token_hex(4)}"


def test_dynamic_requests_pass_whole(visitor):
    answer = visitor.ask(
        "/form?a=1&b=2", "POST", {"Cookie": "s=1", "Referer": "https://x/", "X-Own": "y"}, b"12345",
        tls=True,
    )  # fmt: skip
    seen = answer.said["headers"]
    assert (answer.status, answer.said["method"], answer.said["body"]) == (200, "POST", 5)
    assert answer.said["path"] == "/form?a=1&b=2"
    assert (seen["cookie"], seen["referer"], seen["x-own"]) == ("s=1", "https://x/", "y")
    assert seen["host"] == visitor.name
    assert seen[SECRET] == "se cr'et%"
    assert seen["cloudfront-forwarded-proto"] == "https"
    assert seen["cloudfront-viewer-address"].rpartition(":")[0] in seen["x-forwarded-for"]
    assert not [name for name in seen if name.startswith(("x-lc-", "x-localcloud"))]
    assert answer.cache == "Miss"
    assert answer.headers["X-Amz-Cf-Id"] == seen["x-amz-cf-id"]
    assert "CloudFront" in answer.headers["Via"]


def test_what_only_the_edge_knows_cannot_be_said_by_a_visitor(visitor):
    lies = {
        "CloudFront-Viewer-Address": "9.9.9.9:1", "X-Lc-Pass": "1", "X-Lc-Key": "x",
        SECRET: "guess", "X-Forwarded-For": "9.9.9.9",
    }  # fmt: skip
    seen = visitor.ask("/", headers=lies).said["headers"]
    assert not seen["cloudfront-viewer-address"].startswith("9.9.9.9")
    assert seen[SECRET] == "se cr'et%"
    assert seen["x-forwarded-for"].startswith("9.9.9.9, ")


def test_what_may_be_kept_is_a_hit_and_ages(visitor):
    where = path()
    first, second = visitor.ask(where), visitor.ask(where)
    assert (first.cache, second.cache) == ("Miss", "Hit")
    assert first.said["count"] == second.said["count"]
    assert second.headers["Age"] is not None
    assert first.headers["Age"] is None
    head = visitor.ask(where, "HEAD")
    assert (head.status, head.cache, head.data) == (200, "Hit", b"")


def test_the_key_is_what_the_policy_says(visitor):
    where = path()
    visitor.ask(where + "?a=1")
    assert visitor.ask(where + "?a=1").cache == "Hit"
    assert visitor.ask(where + "?a=2").cache == "Miss"
    # not in the key: neither kept apart nor sent
    answer = visitor.ask(where + "?a=1", headers={"Cookie": "s=2", "X-Own": "z"})
    assert answer.cache == "Hit"
    assert "cookie" not in answer.said["headers"]
    assert "x-own" not in answer.said["headers"]
    assert answer.said["headers"]["user-agent"] == "Amazon CloudFront"
    assert answer.said["headers"]["host"] == "origin.test"


@pytest.mark.parametrize("said", ["no-store", "private", "no-cache", "max-age=0"])
def test_what_says_no_is_not_kept(visitor, said):
    where = f"{path()}?cache-control={said}"
    assert [visitor.ask(where).cache for _ in range(2)] == ["Miss", "Miss"]


def test_vary_protects_nobody_and_no_cookie_is_handed_out(visitor):
    where = f"{path()}?vary=Cookie&set-cookie=secret%3D1&cache-control=max-age%3D60"
    first = visitor.ask(where, headers={"Cookie": "me"})
    other = visitor.ask(where, headers={"Cookie": "you"})
    assert (first.cache, other.cache) == ("Miss", "Hit")
    assert other.headers["Vary"] == "Cookie"
    assert first.headers["Set-Cookie"] is None
    assert other.headers["Set-Cookie"] is None


def test_errors_are_kept_for_ten_seconds_unless_said_otherwise(visitor):
    where = path()
    assert [visitor.ask(where + "?status=500").status for _ in range(2)] == [500, 500]
    kept = [visitor.ask(where + "?status=503") for _ in range(2)]
    assert kept[0].said["count"] == kept[1].said["count"]
    assert kept[0].cache == "Error"
    gone = [visitor.ask(where + "?status=404") for _ in range(2)]
    assert gone[0].said["count"] < gone[1].said["count"]


def test_methods_and_protocols_that_a_behaviour_does_not_take(visitor):
    assert visitor.ask(path(), "POST", body=b"1").status == 403
    moved = visitor.ask("/secure/a?b=c")
    assert moved.status == 301
    assert moved.headers["Location"] == f"https://{visitor.name}/secure/a?b=c"
    assert moved.cache == "Redirect"
    assert visitor.ask("/secure/a", tls=True).status == 200


def test_a_name_of_nobody_is_refused(cloud, distribution):
    stranger = Visitor(cloud, distribution, "stranger.example")
    assert stranger.ask("/").status == 403


def test_files_come_from_the_bucket_compressed_and_with_the_policy_s_headers(visitor):
    first = visitor.ask("/static/site.css", headers={"Accept-Encoding": "gzip"})
    again = visitor.ask("/static/site.css", headers={"Accept-Encoding": "gzip"})
    assert (first.status, again.cache) == (200, "Hit")
    assert gzip.decompress(again.data).startswith(b"body { color: red }")
    assert again.headers["Content-Encoding"] == "gzip"
    assert again.headers["X-Content-Type-Options"] == "nosniff"
    assert "immutable" in again.headers["Cache-Control"]
    part = visitor.ask("/static/site.css", headers={"Range": "bytes=0-3"})
    assert (part.status, part.data) == (206, b"body")


def test_a_bucket_s_website_is_an_origin(visitor):
    first = visitor.ask("/guide/")
    assert (first.status, first.data, visitor.ask("/guide/").cache) == (200, b"guide", "Hit")
    assert visitor.ask("/guide/missing").status == 403


def test_only_the_distribution_that_the_policy_names_reads_the_bucket(
    cloud, distribution, visitor, bucket
):
    s3 = cloud.client("s3")
    missing = visitor.ask("/static/missing.css")
    assert (missing.status, b"AccessDenied" in missing.data) == (403, True)
    direct = http.client.HTTPConnection("127.0.0.1", cloud.environment["LOCALCLOUD_PORT"])
    host = f"{bucket}.s3.us-east-1.amazonaws.com"
    lies = {
        "Host": host, "X-Localcloud-Edge": "guess", "X-Localcloud-Source-Arn": distribution["ARN"],
    }  # fmt: skip
    for headers in ({"Host": host}, lies):
        with closing(direct):
            direct.request("GET", "/static/site.css", headers=headers)
            with closing(direct.getresponse()) as answer:
                assert answer.status == 403
    other = reader(distribution["ARN"][:-1])
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(other))
    s3.put_object(Bucket=bucket, Key="static/new.css", Body=b"new", ContentType="text/css")
    try:
        assert visitor.ask("/static/new.css").status == 403
    finally:
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(reader(distribution["ARN"])))


def test_an_invalidation_forgets_what_it_names_and_nothing_else(cloudfront, distribution, visitor):
    gone, kept = path(), path("kept/other")
    for each in (gone, kept):
        visitor.ask(each)
    made = cloudfront.create_invalidation(
        DistributionId=distribution["Id"],
        InvalidationBatch={
            "CallerReference": secrets.token_hex(4),
            "Paths": {"Quantity": 1, "Items": [gone[:-2] + "*"]},
        },
    )["Invalidation"]
    assert made["Status"] == "Completed"
    assert visitor.ask(gone).cache == "Miss"
    assert visitor.ask(kept).cache == "Hit"


def test_changes_need_the_etag_and_in_use_is_not_deleted(cloudfront, distribution, visitor):
    identity = distribution["Id"]
    found = cloudfront.get_distribution_config(Id=identity)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        cloudfront.update_distribution(
            Id=identity, IfMatch="EOLD", DistributionConfig=found["DistributionConfig"]
        )
    with pytest.raises(ClientError, match="DistributionNotDisabled"):
        cloudfront.delete_distribution(Id=identity, IfMatch=found["ETag"])
    found["DistributionConfig"]["Comment"] = "changed"
    changed = cloudfront.update_distribution(
        Id=identity, IfMatch=found["ETag"], DistributionConfig=found["DistributionConfig"]
    )
    assert changed["ETag"] != found["ETag"]
    assert changed["Distribution"]["Status"] == "InProgress"
    wait_until(lambda: status(cloudfront, identity) == "Deployed")
    again = cloudfront.get_distribution_config(Id=identity)
    assert again["DistributionConfig"] == found["DistributionConfig"]


def test_a_closed_site_shows_a_page_with_the_right_status(cloudfront, distribution, visitor):
    identity = distribution["Id"]
    found = cloudfront.get_distribution_config(Id=identity)
    before = json.loads(json.dumps(found["DistributionConfig"]))
    config = found["DistributionConfig"]
    config["CacheBehaviors"]["Items"].append(
        {**config["CacheBehaviors"]["Items"][1], "PathPattern": "/closed.html"}
    )
    config["CacheBehaviors"]["Quantity"] += 1
    config["CustomErrorResponses"] = {
        "Quantity": 1,
        "Items": [
            {"ErrorCode": 502, "ErrorCachingMinTTL": 0, "ResponsePagePath": "/closed.html",
             "ResponseCode": "503"},
        ],
    }  # fmt: skip
    config["Origins"]["Items"][0]["DomainName"] = "nowhere.test"
    etag = cloudfront.update_distribution(
        Id=identity, IfMatch=found["ETag"], DistributionConfig=config
    )["ETag"]
    try:
        answer = visitor.ask("/")
        assert (answer.status, answer.data) == (503, b"closed")
    finally:
        cloudfront.update_distribution(Id=identity, IfMatch=etag, DistributionConfig=before)
    assert visitor.ask("/").status == 200


def test_the_edge_survives_the_cloud_and_is_started_again_when_it_dies(
    cloud, cloudfront, distribution, visitor
):
    where = path()
    visitor.ask(where)
    cloud.kill()
    assert "adopted edge edge-1" in cloud.run("up").stdout
    assert visitor.ask(where).cache == "Hit"
    cloud.run("fault", "kill", "edge-1")
    wait_until(lambda: _asks(visitor, where) == "Miss", 30)


def _asks(visitor, where):
    try:
        return visitor.ask(where).cache
    except (OSError, http.client.HTTPException):
        return None


def test_deleted_it_leaves_nothing(cloud, cloudfront, distribution, visitor):
    identity = distribution["Id"]
    found = cloudfront.get_distribution_config(Id=identity)
    found["DistributionConfig"]["Enabled"] = False
    etag = cloudfront.update_distribution(
        Id=identity, IfMatch=found["ETag"], DistributionConfig=found["DistributionConfig"]
    )["ETag"]
    with pytest.raises(ClientError, match="DistributionNotDisabled"):
        cloudfront.delete_distribution(Id=identity, IfMatch=etag)
    wait_until(lambda: status(cloudfront, identity) == "Deployed")
    cloudfront.delete_distribution(Id=identity, IfMatch=etag)
    assert not [row for row in cloud.status().values() if "edge-1" in row["real"]]
