"""What an application signs for its visitors' browsers: addresses, and forms with conditions."""

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError

PAGE = {"Origin": "https://site.example"}


@pytest.fixture
def s3(api):
    """A client of an application's role, which may put and read pictures."""
    root, iam = api.client("s3"), api.client("iam")
    root.create_bucket(Bucket="pictures")
    iam.create_user(UserName="app")
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"],
         "Resource": "arn:aws:s3:::pictures/media/*"}]}  # fmt: skip
    iam.put_user_policy(UserName="app", PolicyName="own", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="app")["AccessKey"]
    return api.client("s3", key["AccessKeyId"], key["SecretAccessKey"], signature_version="s3v4")


@pytest.fixture
def send(api):
    """Send a form as a browser does: status, headers and text."""

    def post(signed, content=b"picture", headers=PAGE, **changed):
        fields = {**signed["fields"], **changed}
        boundary = "----x"
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="cat.png"\r\n'
            "Content-Type: image/png\r\n\r\n"
        )
        body = "".join(parts).encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return ask(urllib.request.Request(signed["url"], body, kind | headers))

    return post


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


def ask(request):
    opener = urllib.request.build_opener(Stay)
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


@pytest.fixture
def form(s3):
    """A form for a picture of up to ten bytes."""

    def sign(key="media/cat.png", conditions=(), **options):
        fields = {"Content-Type": "image/png", **options.pop("fields", {})}
        conditions = [["content-length-range", 1, 10], ["starts-with", "$Content-Type", "image/"],
                      *conditions]  # fmt: skip
        return s3.generate_presigned_post(
            "pictures", key, Fields=fields, Conditions=conditions, **options
        )

    return sign


def test_a_form_puts_an_object(s3, form, send):
    status, headers, _ = send(form())
    assert status == 204
    found = s3.get_object(Bucket="pictures", Key="media/cat.png")
    assert (found["Body"].read(), found["ContentType"]) == (b"picture", "image/png")
    assert headers["ETag"] == found["ETag"]
    assert headers["Location"].endswith("/pictures/media/cat.png")


def test_the_name_of_the_file_may_be_the_key_s(s3, form, send):
    assert send(form("media/${filename}"))[0] == 204
    s3.head_object(Bucket="pictures", Key="media/cat.png")


def test_what_is_answered_is_the_form_s_to_say(form, send):
    fields = {"success_action_status": "201"}
    status, _, text = send(form(fields=fields, conditions=[fields]))
    assert status == 201
    assert "<Key>media/cat.png</Key>" in text
    fields = {"success_action_redirect": "https://site.example/done?a=1"}
    status, headers, _ = send(form(fields=fields, conditions=[fields]))
    assert status == 303
    address, _, query = headers["Location"].partition("?")
    asked = dict(urllib.parse.parse_qsl(query))
    assert address == "https://site.example/done"
    assert (asked["a"], asked["bucket"], asked["key"]) == ("1", "pictures", "media/cat.png")
    assert asked["etag"].startswith('"')


@pytest.mark.parametrize(
    ("content", "changed", "status", "says"),
    [
        (b"x" * 11, {}, 400, "EntityTooLarge"),
        (b"", {}, 400, "EntityTooSmall"),
        (b"x", {"key": "media/dog.png"}, 403, "Policy Condition failed"),
        (b"x", {"Content-Type": "text/html"}, 403, "Policy Condition failed"),
        (b"x", {"x-amz-meta-who": "me"}, 403, "Extra input fields: x-amz-meta-who"),
        (b"x", {"x-ignore-this": "1"}, 204, ""),
        (b"x", {"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
        (b"x", {"policy": "e30="}, 403, "SignatureDoesNotMatch"),
        (b"x", {"x-amz-credential": "AKIANOBODY/1/2/s3/aws4_request"}, 403, "InvalidAccessKeyId"),
    ],
)
def test_conditions_decide(api, s3, form, send, content, changed, status, says):
    found, _, text = send(form(), content, **changed)
    assert (found, says in text) == (status, True)
    if status != 204:
        assert "Contents" not in api.client("s3").list_objects_v2(Bucket="pictures")


def test_nothing_is_left_of_a_form_that_was_refused(cloud, form, send):
    before = set((cloud.settings.state / "s3").iterdir())
    send(form(), b"x" * 11)
    assert set((cloud.settings.state / "s3").iterdir()) == before


def test_a_policy_expires(form, send):
    status, _, text = send(form(ExpiresIn=-1))
    assert (status, "Policy expired" in text) == (403, True)


def test_a_form_may_do_no_more_than_its_signer(form, send):
    assert send(form("private/cat.png"))[0] == 403


def test_a_form_may_be_signed_by_a_role(cloud, api, s3, send):
    """Its token is a field of the form."""
    iam = api.client("iam")
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
             "Action": "sts:AssumeRole"}  # fmt: skip
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [each]})
                 for each in (trust, statement)]  # fmt: skip
    role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=documents[0])["Role"]["Arn"]
    iam.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=documents[1])
    key = cloud.backend("sts", "aws").assume_role("us-east-1", "app", role, "", 3600, "")
    theirs = api.client(
        "s3", key.access_key_id, key.secret_access_key, key.session_token, signature_version="s3v4"
    )
    signed = theirs.generate_presigned_post("pictures", "media/a")
    assert send(signed)[0] == 204
    assert send(signed, **{"x-amz-security-token": "another"})[0] == 403


def test_a_form_that_nobody_signed_is_refused(api, form, send):
    signed = form()
    assert send({"url": signed["url"], "fields": {"key": "media/a"}})[0] == 403


def test_the_key_that_everybody_knows_is_not_for_web_pages(api, s3, send):
    """A page could sign with it what it likes."""
    root = api.client("s3", signature_version="s3v4")
    signed = root.generate_presigned_post("pictures", "media/a")
    assert send(signed, headers={})[0] == 204
    assert send(signed)[0] == 403
    address = root.generate_presigned_url("get_object", {"Bucket": "pictures", "Key": "media/a"})
    assert ask(address)[0] == 200
    assert ask(urllib.request.Request(address, headers=PAGE))[0] == 403


def test_pages_read_and_put_by_presigned_addresses(s3, api):
    put = s3.generate_presigned_url(
        "put_object", {"Bucket": "pictures", "Key": "media/a", "ContentType": "image/png"}
    )
    headers = {**PAGE, "Content-Type": "image/png"}
    assert ask(urllib.request.Request(put, b"x", headers, method="PUT"))[0] == 200
    get = s3.generate_presigned_url("get_object", {"Bucket": "pictures", "Key": "media/a"})
    assert ask(urllib.request.Request(get, headers=PAGE))[::2] == (200, "x")
    late = s3.generate_presigned_url(
        "get_object", {"Bucket": "pictures", "Key": "media/a"}, ExpiresIn=0
    )
    status, _, text = ask(late.replace("X-Amz-Expires=0", "X-Amz-Expires=700000"))
    assert (status, "AuthorizationQueryParametersError" in text) == (400, True)


def test_pages_of_an_origin_that_the_bucket_names_are_told_so(api, form, send):
    api.client("s3").put_bucket_cors(
        Bucket="pictures",
        CORSConfiguration={"CORSRules": [
            {"AllowedMethods": ["POST", "PUT"], "AllowedOrigins": ["https://site.example"],
             "AllowedHeaders": ["*"]}]},
    )  # fmt: skip
    assert send(form())[1]["Access-Control-Allow-Origin"] == "https://site.example"
    other = {"Origin": "https://evil.example"}
    assert "Access-Control-Allow-Origin" not in send(form(), headers=other)[1]
    address = f"http://127.0.0.1:{api.port}/pictures/media/a"
    preflight = {**PAGE, "Access-Control-Request-Method": "PUT"}
    status, headers, _ = ask(urllib.request.Request(address, headers=preflight, method="OPTIONS"))
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://site.example")
    preflight["Origin"] = "https://evil.example"
    assert ask(urllib.request.Request(address, headers=preflight, method="OPTIONS"))[0] == 403


def test_of_those_who_put_what_is_not_there_one_wins(api, s3):
    won = []

    def put(number):
        with suppress(ClientError):
            api.client("s3").put_object(
                Bucket="pictures", Key="media/one", Body=str(number).encode(), IfNoneMatch="*"
            )
            won.append(number)

    writers = [threading.Thread(target=put, args=[number]) for number in range(8)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    assert len(won) == 1
    found = s3.get_object(Bucket="pictures", Key="media/one")["Body"].read()
    assert found == str(won[0]).encode()


@pytest.mark.parametrize("target", ["s3", "pictures"])
def test_a_fault_makes_s3_unavailable(cloud, api, s3, form, send, target):
    root = api.client("s3")
    root.create_bucket(Bucket="other")
    fault = cloud.faults.start("unavailable", target)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="pictures", Key="media/a", Body=b"x")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert send(form())[0] == 503
    if target == "pictures":
        root.put_object(Bucket="other", Key="a", Body=b"x")
    cloud.faults.heal(fault.id)
    assert "Contents" not in root.list_objects_v2(Bucket="pictures")
    s3.put_object(Bucket="pictures", Key="media/a", Body=b"x")


def test_versions_are_kept_and_a_deletion_can_be_taken_back(api):
    s3 = api.client("s3")
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="kept", Key="a", Body=b"one")["VersionId"]
    s3.put_object(Bucket="kept", Key="a", Body=b"two")
    mark = s3.delete_object(Bucket="kept", Key="a")
    assert mark["DeleteMarker"] is True
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="kept", Key="a")
    # what is deleted may be put again by one who wants it not to be there
    s3.put_object(Bucket="kept", Key="b", Body=b"x")
    s3.delete_object(Bucket="kept", Key="b")
    s3.put_object(Bucket="kept", Key="b", Body=b"y", IfNoneMatch="*")
    assert s3.get_object(Bucket="kept", Key="a", VersionId=first)["Body"].read() == b"one"
    s3.delete_object(Bucket="kept", Key="a", VersionId=mark["VersionId"])
    assert s3.get_object(Bucket="kept", Key="a")["Body"].read() == b"two"
