"""Buckets that tell functions of their objects."""

import json
import urllib.request

import pytest
from unit.localcloud.lambdas import create, error

from localcloud.services.functions.invocations import Invocations

MIB = 1 << 20


@pytest.fixture
def s3(api):
    client = api.client("s3")
    client.create_bucket(Bucket="pictures")
    return client


@pytest.fixture
def function(functions, role):
    """A function that the bucket may invoke, and that never has room: its events wait."""
    arn = create(functions, role)["FunctionArn"]
    functions.put_function_concurrency(FunctionName="hello", ReservedConcurrentExecutions=0)
    functions.add_permission(
        FunctionName="hello", StatementId="s3", Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::pictures",
        SourceAccount="123456789012",
    )  # fmt: skip
    return arn


@pytest.fixture
def told(cloud):
    """What was told, the oldest first; it is forgotten then."""

    def take():
        events = cloud.service(Invocations).queue.events
        found = [json.loads(each.payload)["Records"] for each in events.values()]
        events.clear()
        return [record for records in found for record in records]

    return take


def configuration(arn, events=("s3:ObjectCreated:*", "s3:ObjectRemoved:*"), name=None, **rules):
    made = {"LambdaFunctionArn": arn, "Events": list(events)}
    if name:
        made["Id"] = name
    if rules:
        filters = [{"Name": each, "Value": value} for each, value in rules.items()]
        made["Filter"] = {"Key": {"FilterRules": filters}}
    return made


def configure(s3, *configurations, **options):
    s3.put_bucket_notification_configuration(
        Bucket="pictures",
        NotificationConfiguration={"LambdaFunctionConfigurations": list(configurations)},
        **options,
    )


def test_an_object_that_comes_is_told(s3, function, told):
    configure(s3, configuration(function, name="new", prefix="in/", suffix=".png"))
    (shown,) = s3.get_bucket_notification_configuration(Bucket="pictures")[
        "LambdaFunctionConfigurations"
    ]
    assert shown == configuration(function, name="new", prefix="in/", suffix=".png")
    s3.put_object(Bucket="pictures", Key="out/a.png", Body=b"x")
    s3.put_object(Bucket="pictures", Key="in/a.jpg", Body=b"x")
    assert told() == []
    answer = s3.put_object(Bucket="pictures", Key="in/a cat + dog (é).png", Body=b"xy")
    (record,) = told()
    assert record["eventTime"].startswith("2")
    assert record["s3"]["object"].pop("sequencer") > "0"
    said = answer["ResponseMetadata"]["HTTPHeaders"]
    assert record | {"eventTime": ""} == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:123456789012"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-request-id": said["x-amz-request-id"], "x-amz-id-2": said["x-amz-id-2"],
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "new",
            "bucket": {
                "name": "pictures",
                "ownerIdentity": {"principalId": "75AA57F09AA0C8"},
                "arn": "arn:aws:s3:::pictures",
            },
            "object": {
                "key": "in/a+cat+%2B+dog+%28%C3%A9%29.png",
                "size": 2,
                "eTag": answer["ETag"].strip('"'),
            },
        },
    }  # fmt: skip


def test_a_form_is_a_post_and_parts_are_one_upload(s3, api, function, told):
    configure(s3, configuration(function))
    signed = api.client("s3", signature_version="s3v4").generate_presigned_post(
        "pictures", "in/${filename}"
    )
    fields = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in signed["fields"].items()
    ]
    fields.append('--x\r\nContent-Disposition: form-data; name="file"; filename="cat.png"\r\n\r\n')
    body = "".join(fields).encode() + b"picture\r\n--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    urllib.request.urlopen(urllib.request.Request(signed["url"], body, kind), timeout=10).close()
    upload = {"Bucket": "pictures", "Key": "large"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(PartNumber=n, Body=bytes(size), **upload)["ETag"]}
        for n, size in ((1, 5 * MIB), (2, 10))
    ]
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **upload)
    s3.copy_object(Bucket="pictures", Key="copy", CopySource="pictures/large")
    found = [(each["eventName"], each["s3"]["object"]) for each in told()]
    assert [(name, what["key"], what["size"]) for name, what in found] == [
        ("ObjectCreated:Post", "in/cat.png", 7),
        ("ObjectCreated:CompleteMultipartUpload", "large", 5 * MIB + 10),
        ("ObjectCreated:Copy", "copy", 5 * MIB + 10),
    ]
    assert found[1][1]["eTag"].endswith("-2")
    sequence = [what["sequencer"] for _, what in found]
    assert sequence == sorted(sequence)


def test_an_object_that_goes_is_told(s3, function, told):
    configure(s3, configuration(function, ["s3:ObjectRemoved:*"]))
    for key in "ab":
        s3.put_object(Bucket="pictures", Key=key, Body=b"x")
    s3.delete_object(Bucket="pictures", Key="a")
    s3.delete_object(Bucket="pictures", Key="never")
    s3.delete_objects(Bucket="pictures", Delete={"Objects": [{"Key": "b"}]})
    found = told()
    assert [each["eventName"] for each in found] == ["ObjectRemoved:Delete"] * 2
    assert set(found[0]["s3"]["object"]) == {"key", "sequencer"}
    s3.put_bucket_versioning(Bucket="pictures", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="pictures", Key="a", Body=b"x")["VersionId"]
    marker = s3.delete_object(Bucket="pictures", Key="a")["VersionId"]
    s3.delete_object(Bucket="pictures", Key="a", VersionId=version)
    assert [(each["eventName"], each["s3"]["object"]["versionId"]) for each in told()] == [
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", version),
    ]


def test_the_event_is_kept_before_the_call_is_answered(make_cloud, s3, function):
    configure(s3, configuration(function))
    s3.put_object(Bucket="pictures", Key="a", Body=b"x")
    (event,) = make_cloud().service(Invocations).queue.events.values()
    assert json.loads(event.payload)["Records"][0]["s3"]["object"]["key"] == "a"


@pytest.mark.parametrize(
    ("configurations", "words"),
    [
        ([{}, {}], "Configurations overlap"),
        ([{"prefix": "in/"}, {"prefix": "in/new/"}], "ambiguously defined"),
        ([{"suffix": ".png"}, {"suffix": ".jpg"}], None),
        ([{"prefix": "in/", "events": ["s3:ObjectCreated:Put"]},
          {"events": ["s3:ObjectRemoved:*"]}], None),
        ([{"events": ["s3:ObjectCreated:Put"]}, {"events": ["s3:ObjectCreated:*"]}], "overlap"),
        ([{"name": "a", "prefix": "a"}, {"name": "a", "prefix": "b"}], "IDs must be unique"),
        ([{"events": ["s3:ObjectCreated:Dream"]}], "not supported for notifications"),
        ([{"events": ["s3:LifecycleExpiration:*"]}], "refuses s3:LifecycleExpiration"),
        ([{"infix": "x"}], "prefix or suffix"),
    ],
)  # fmt: skip
def test_what_tells_twice_or_never_is_refused(s3, function, configurations, words):
    made = [configuration(function, **each) for each in configurations]
    if words is None:
        configure(s3, *made)
    else:
        assert words in error(configure, s3, *made)[2]
        assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(
            Bucket="pictures"
        )


def test_a_function_that_the_bucket_may_not_invoke_is_refused(s3, function, functions, told):
    functions.remove_permission(FunctionName="hello", StatementId="s3")
    functions.add_permission(
        FunctionName="hello", StatementId="other", Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::others",
    )  # fmt: skip
    said = error(configure, s3, configuration(function))
    assert said == (
        400, "InvalidArgument", "Unable to validate the following destination configurations",
    )  # fmt: skip
    assert error(configure, s3, configuration(function + "s"))[2] == said[2]
    configure(s3, configuration(function), SkipDestinationValidation=True)
    s3.put_object(Bucket="pictures", Key="a", Body=b"x")
    assert told() == []


def test_queues_topics_and_buses_are_refused(s3):
    topic = {"TopicArn": "arn:aws:sns:us-east-1:123456789012:x", "Events": ["s3:ObjectCreated:*"]}
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:x", "Events": ["s3:ObjectCreated:*"]}
    for what in (
        {"TopicConfigurations": [topic]},
        {"QueueConfigurations": [queue]},
        {"EventBridgeConfiguration": {}},
    ):
        assert "functions only" in error(
            s3.put_bucket_notification_configuration, Bucket="pictures",
            NotificationConfiguration=what,
        )[2]  # fmt: skip


def test_a_bucket_can_be_silent_again(s3, function, told):
    configure(s3, configuration(function))
    configure(s3)
    s3.put_object(Bucket="pictures", Key="a", Body=b"x")
    assert told() == []


def test_answers_do_not_echo_the_request(s3):
    s3.put_object(Bucket="pictures", Key="a", Body=b"x", Metadata={"who": "me"})
    for call in (s3.get_object, s3.head_object):
        said = call(Bucket="pictures", Key="a")["ResponseMetadata"]["HTTPHeaders"]
        assert said["x-amz-meta-who"] == "me"
        assert said["x-amz-request-id"]
        assert not {"x-amz-content-sha256", "x-amz-sdk-checksum-algorithm"} & set(said)
