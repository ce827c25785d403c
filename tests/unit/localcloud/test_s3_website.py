"""A bucket is a website to whom its policy lets in."""

import io
import json

import pytest
from botocore.exceptions import ClientError

from localcloud import httpd
from localcloud.services.s3.website import ENDPOINT, Pages, Websites

PUBLIC = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                   "Resource": "arn:aws:s3:::guide/*"}],
}  # fmt: skip
INDEX = {"IndexDocument": {"Suffix": "index.html"}}
FILES = {"index.html": "home", "ladder/index.html": "ladder", "404.html": "not here",
         "a b/ä.txt": "text"}  # fmt: skip


class Sent:
    """A file on its way, as the server has it."""

    def __init__(self, file, size):
        self.file = file

    def __iter__(self):
        yield self.file.read()
        self.close()

    def close(self):
        self.file.close()


@pytest.fixture
def s3(api):
    made = api.client("s3")
    made.create_bucket(Bucket="guide")
    for key, text in FILES.items():
        kind = "text/plain" if key.endswith("txt") else "text/html"
        made.put_object(Bucket="guide", Key=key, Body=text.encode(), ContentType=kind)
    return made


@pytest.fixture
def site(s3):
    """Make the bucket a public website with this configuration."""

    def make(**configuration):
        s3.delete_public_access_block(Bucket="guide")
        s3.put_bucket_policy(Bucket="guide", Policy=json.dumps(PUBLIC))
        s3.put_bucket_website(Bucket="guide", WebsiteConfiguration=configuration or INDEX)

    return make


@pytest.fixture
def ask(cloud, api):
    """Ask the endpoint: status, headers, text."""
    pages = Pages(cloud.service(Websites), api.wsgi.answer)

    def visit(path="/", method="GET", host=f"guide.{ENDPOINT}", **headers):
        started = []
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path.encode().decode("latin-1"),
            "RAW_URI": path, "QUERY_STRING": "", "HTTP_HOST": host, "REMOTE_ADDR": "127.0.0.1",
            "SERVER_NAME": "x", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), httpd.USER: 65534,
            "wsgi.file_wrapper": Sent,
            **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
        }  # fmt: skip
        body = pages(environ, lambda *words: started.append(words))
        status, said = started[0]
        said = dict(said)
        length = int(said.get("content-length", 0))  # the server sends as much of a file
        return int(status[:3]), said, b"".join(body)[:length].decode()

    return visit


def code(call, **options):
    with pytest.raises(ClientError) as caught:
        call(**options)
    return caught.value.response["Error"]["Code"]


def test_pages_are_served(site, ask):
    site()
    status, headers, text = ask("/")
    assert (status, text, headers["content-type"]) == (200, "home", "text/html")
    assert ask("/ladder/")[2] == "ladder"
    assert ask("/a b/ä.txt")[::2] == (200, "text")
    assert ask("/", "HEAD")[::2] == (200, "")
    assert ask("/", if_none_match=headers["etag"])[0] == 304
    assert ask("/", range="bytes=1-2")[::2] == (206, "om")
    assert ask("/", "POST")[0] == 405


@pytest.mark.parametrize("host", [f"guide.{ENDPOINT}", "guide.s3.us-east-1.amazonaws.com"])
@pytest.mark.parametrize("key", ["group_vars/all.yml", "favicon.ico", "latest/meta-data/", "a/b"])
def test_a_key_is_a_key_whatever_it_looks_like(site, s3, api, host, key):
    site()
    s3.put_object(Bucket="guide", Key=key, Body=b"it")
    connection = api.connection()
    connection.request("GET", f"/{key}", headers={"Host": host})
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"it")


def test_a_folder_leads_to_its_index(site, ask):
    site()
    status, headers, _ = ask("/ladder")
    assert (status, headers["location"]) == (302, "/ladder/")


def test_what_is_missing_is_said(site, s3, ask):
    site()
    status, _, text = ask("/missing")
    # who may not list does not learn what is missing
    assert (status, "AccessDenied" in text) == (403, True)
    site(**INDEX, ErrorDocument={"Key": "404.html"})
    assert ask("/missing")[::2] == (403, "not here")
    listing = {**PUBLIC["Statement"][0], "Action": "s3:ListBucket",
               "Resource": "arn:aws:s3:::guide"}  # fmt: skip
    both = {**PUBLIC, "Statement": [*PUBLIC["Statement"], listing]}
    s3.put_bucket_policy(Bucket="guide", Policy=json.dumps(both))
    status, headers, text = ask("/missing", if_none_match="x")
    assert (status, text, headers["content-type"]) == (404, "not here", "text/html")
    s3.delete_object(Bucket="guide", Key="404.html")
    status, _, text = ask("/<missing>")
    assert status == 404
    assert "NoSuchKey" in text
    assert "&lt;missing&gt;" in text
    assert "Custom Error Document" in text


def test_a_bucket_without_a_website_and_no_bucket_are_told_apart(s3, ask):
    assert "NoSuchWebsiteConfiguration" in ask("/")[2]
    status, _, text = ask("/", host=f"other.{ENDPOINT}")
    assert (status, "NoSuchBucket" in text) == (404, True)


def test_redirects(site, s3, ask):
    site(
        **INDEX,
        RoutingRules=[
            {"Condition": {"KeyPrefixEquals": "old/"},
             "Redirect": {"ReplaceKeyPrefixWith": "ladder/"}},
            {"Condition": {"KeyPrefixEquals": "away"},
             "Redirect": {"HostName": "example.org", "Protocol": "https", "ReplaceKeyWith": "x",
                          "HttpRedirectCode": "307"}},
            {"Condition": {"HttpErrorCodeReturnedEquals": "403"},
             "Redirect": {"ReplaceKeyWith": "404.html", "HttpRedirectCode": "302"}},
        ],
    )  # fmt: skip
    assert ask("/old/index.html")[:2][1]["location"] == f"http://guide.{ENDPOINT}/ladder/index.html"
    status, headers, _ = ask("/away/1")
    assert (status, headers["location"]) == (307, "https://example.org/x")
    status, headers, _ = ask("/missing")
    assert (status, headers["location"]) == (302, f"http://guide.{ENDPOINT}/404.html")
    s3.put_object(Bucket="guide", Key="moved", WebsiteRedirectLocation="/ladder/")
    status, headers, text = ask("/moved")
    assert (status, headers["location"], text) == (301, "/ladder/", "")
    site(RedirectAllRequestsTo={"HostName": "example.org", "Protocol": "https"})
    status, headers, _ = ask("/a b")
    assert (status, headers["location"]) == (301, "https://example.org/a%20b")


def test_a_bucket_named_as_the_host_is_its_website(site, s3, ask):
    s3.create_bucket(Bucket="guide.example")
    s3.put_bucket_website(
        Bucket="guide.example",
        WebsiteConfiguration={"RedirectAllRequestsTo": {"HostName": "example.org"}},
    )
    assert ask("/", host="guide.example")[0] == 301


def test_the_public_gets_in_only_when_policy_and_block_allow(s3, ask):
    s3.put_bucket_website(Bucket="guide", WebsiteConfiguration=INDEX)
    assert ask("/")[0] == 403
    policy = json.dumps(PUBLIC)
    assert code(s3.put_bucket_policy, Bucket="guide", Policy=policy) == "AccessDenied"
    s3.put_public_access_block(
        Bucket="guide", PublicAccessBlockConfiguration={"RestrictPublicBuckets": True}
    )
    s3.put_bucket_policy(Bucket="guide", Policy=policy)
    assert s3.get_bucket_policy_status(Bucket="guide")["PolicyStatus"]["IsPublic"] is True
    assert ask("/")[0] == 403
    s3.delete_public_access_block(Bucket="guide")
    assert ask("/")[0] == 200


@pytest.mark.parametrize(
    ("more", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": ["*"]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:role/web"}}, False),
        ({"Principal": {"Service": "cloudfront.amazonaws.com"}}, False),
        ({"Effect": "Deny"}, False),
        ({"Condition": {"StringEquals": {"aws:SourceArn": "arn:aws:x"}}}, False),
        ({"Condition": {"StringLike": {"aws:SourceArn": "*"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, False),
        ({"Condition": {"IpAddress": {"aws:SourceIp": ["0.0.0.0/0"]}}}, True),
        ({"Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}}, True),
        ({"Condition": {"StringEquals": {"aws:Referer": "x"}}}, True),
    ],
)
def test_what_is_public(more, public):
    from localcloud.services.s3.access import is_public

    statement = {**PUBLIC["Statement"][0], **more}
    assert is_public(json.dumps({"Statement": statement})) is public


@pytest.mark.parametrize(
    ("configuration", "says"),
    [
        ({"IndexDocument": {"Suffix": "a/index.html"}}, "InvalidArgument"),
        ({"ErrorDocument": {"Key": "404.html"}}, "InvalidArgument"),
        ({**INDEX, "RedirectAllRequestsTo": {"HostName": "x"}}, "InvalidRequest"),
        ({**INDEX, "RoutingRules": [{"Redirect": {"HttpRedirectCode": "200"}}]}, "InvalidRequest"),
        ({**INDEX, "RoutingRules": [{"Redirect": {"ReplaceKeyWith": "a",
                                                  "ReplaceKeyPrefixWith": "b"}}]}, "MalformedXML"),
    ],
)  # fmt: skip
def test_a_website_that_cannot_be_is_refused(s3, configuration, says):
    assert code(
        s3.put_bucket_website, Bucket="guide", WebsiteConfiguration=configuration
    ) == says  # fmt: skip
    assert code(s3.get_bucket_website, Bucket="guide") == "NoSuchWebsiteConfiguration"


def test_names_come_with_the_website_and_go_with_it(cloud, site, s3):
    name = f"guide.{ENDPOINT}"
    assert cloud.addresses(name) is None
    site()
    assert cloud.addresses(name) == ["169.254.169.253"]
    assert cloud.addresses(name, inside=False) == [cloud.service(Websites).address]
    s3.delete_bucket_website(Bucket="guide")
    assert cloud.addresses(name) is None
