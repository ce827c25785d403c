"""The API answers those who may ask, and says to the others what AWS says."""

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests import policies


def allow(*actions, resource="*", effect="Allow", **more):
    statement = {"Effect": effect, "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def root(api):
    return api.client("iam")


@pytest.fixture
def user(api, root):
    """Make a user with a policy; ``user(policy)("s3")`` is a client of theirs."""

    def make(policy=None, name="operator"):
        root.create_user(UserName=name)
        if policy:
            root.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
        key = root.create_access_key(UserName=name)["AccessKey"]
        return lambda service, **options: api.client(
            service, key["AccessKeyId"], key["SecretAccessKey"], **options
        )

    return make


@pytest.fixture
def host(api, cloud, root):
    """Make a host's role; ``host(policy)("ssm")`` is a client with the host's credentials."""

    def make(policy=None, boundary=None, session=""):
        options = {"AssumeRolePolicyDocument": policies.HOSTS}
        if boundary:
            options["PermissionsBoundary"] = boundary
        role = root.create_role(RoleName="web", **options)["Role"]
        if policy:
            root.put_role_policy(RoleName="web", PolicyName="own", PolicyDocument=policy)
        made = cloud.backend("sts", "aws").assume_role(
            "us-east-1", "i-1", role["Arn"], session, 3600, ""
        )
        return lambda service: api.client(
            service, made.access_key_id, made.secret_access_key, made.session_token
        )

    return make


def code(call, *args, **options):
    with pytest.raises(ClientError) as caught:
        call(*args, **options)
    return caught.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("service", "call", "denied", "unknown", "wrong"),
    [
        ("ec2", "describe_vpcs", "UnauthorizedOperation", "AuthFailure", "AuthFailure"),
        ("iam", "list_roles", "AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("s3", "list_buckets", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        ("route53", "list_hosted_zones", "AccessDenied", "InvalidClientTokenId",
         "SignatureDoesNotMatch"),
        ("ssm", "describe_parameters", "AccessDeniedException", "UnrecognizedClientException",
         "InvalidSignatureException"),
    ],
)  # fmt: skip
def test_each_service_refuses_in_its_own_words(api, user, service, call, denied, unknown, wrong):
    assert code(getattr(user()(service), call)) == denied
    assert code(getattr(api.client(service, key="AKIANOBODY"), call)) == unknown
    assert code(getattr(api.client(service, secret="guessed"), call)) == wrong
    getattr(api.client(service), call)()


def test_who_is_not_signed_is_refused(api):
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{api.port}/", timeout=5)
    assert caught.value.code == 403
    assert b"AccessDenied" in caught.value.read()


def test_everybody_may_ask_who_they_are(user):
    assert user()("sts").get_caller_identity()["Arn"].endswith(":user/operator")


def test_the_account_s_own_key_is_not_for_hosts(api, cloud):
    from localcloud.errors import Refusal
    from localcloud.identity import callers

    assert callers.find(cloud, "localcloud", here=True).policies.everything
    with pytest.raises(Refusal):
        callers.find(cloud, "localcloud", here=False)


def test_a_host_without_the_right_reads_no_secret_and_no_object(api, host):
    ssm, s3 = api.client("ssm"), api.client("s3")
    ssm.put_parameter(Name="/mustache/key", Value="secret", Type="SecureString")
    s3.create_bucket(Bucket="backups")
    s3.put_object(Bucket="backups", Key="a", Body=b"dump")
    theirs = host(allow("s3:PutObject", resource="arn:aws:s3:::backups/web/*"))
    assert code(theirs("ssm").get_parameter, Name="/mustache/key") == "AccessDeniedException"
    assert code(theirs("s3").get_object, Bucket="backups", Key="a") == "AccessDenied"
    assert code(theirs("s3").put_object, Bucket="backups", Key="a", Body=b"") == "AccessDenied"
    theirs("s3").put_object(Bucket="backups", Key="web/a", Body=b"mine")


def test_a_boundary_and_a_session_policy_take_rights_away(root, host):
    boundary = root.create_policy(
        PolicyName="boundary", PolicyDocument=allow("ssm:*", "ec2:DescribeVpcs")
    )["Policy"]["Arn"]
    theirs = host(allow("*"), boundary, session=allow("ec2:*", "s3:*"))
    theirs("ec2").describe_vpcs()
    assert code(theirs("s3").list_buckets) == "AccessDenied"
    assert code(theirs("ssm").describe_parameters) == "AccessDeniedException"


@pytest.fixture
def narrow(api, root):
    """Make a role that hosts take on for the app; what it returns takes it on as ``theirs``."""

    def make(theirs, policy=None):
        role = root.create_role(
            RoleName="app",
            AssumeRolePolicyDocument=policies.trust(AWS="arn:aws:iam::123456789012:role/web"),
        )["Role"]
        if policy:
            root.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=policy)

        def assume(**options):
            session = {"RoleArn": role["Arn"], "RoleSessionName": "app", **options}
            key = theirs.assume_role(**session)["Credentials"]
            return lambda service: api.client(
                service, key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"]
            )

        return assume

    return make


def test_a_host_s_role_takes_on_a_narrower_one(api, host, narrow):
    s3, tables = api.client("s3"), api.client("dynamodb")
    s3.create_bucket(Bucket="pictures")
    for name in ("sessions", "other"):
        tables.create_table(
            TableName=name, BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )  # fmt: skip
    theirs = host(allow("sts:AssumeRole", resource="arn:aws:iam::*:role/app"))
    may = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
         "Resource": "arn:aws:s3:::pictures/media/*"},
        {"Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:BatchGetItem"],
         "Resource": "arn:aws:dynamodb:*:*:table/sessions"},
    ]})  # fmt: skip
    app = narrow(theirs("sts"), may)()
    assert app("sts").get_caller_identity()["Arn"].endswith(":assumed-role/app/app")
    app("s3").put_object(Bucket="pictures", Key="media/a", Body=b"x")
    item = {"id": {"S": "a"}}
    app("dynamodb").put_item(TableName="sessions", Item=item)
    app("dynamodb").batch_get_item(RequestItems={"sessions": {"Keys": [item]}})
    # the narrow role may not do more, and the host itself may do nothing of it
    assert code(app("s3").put_object, Bucket="pictures", Key="a", Body=b"x") == "AccessDenied"
    assert code(app("s3").delete_object, Bucket="pictures", Key="media/a") == "AccessDenied"
    refused = "AccessDeniedException"
    assert code(app("dynamodb").put_item, TableName="other", Item=item) == refused
    assert code(app("dynamodb").get_item, TableName="sessions", Key=item) == refused
    both = {"sessions": {"Keys": [item]}, "other": {"Keys": [item]}}
    assert code(app("dynamodb").batch_get_item, RequestItems=both) == refused
    put = [{"Put": {"TableName": name, "Item": item}} for name in ("sessions", "other")]
    assert code(app("dynamodb").transact_write_items, TransactItems=put) == refused
    statement = "SELECT * FROM \"sessions\" WHERE id = 'a'"
    assert code(app("dynamodb").execute_statement, Statement=statement) == refused
    assert code(theirs("dynamodb").put_item, TableName="sessions", Item=item) == refused


def test_who_takes_a_role_on_needs_both_sides(host, narrow, root):
    """A trust policy that names the account leaves it to the account's own policies."""
    assume = narrow(host()("sts"))
    root.update_assume_role_policy(
        RoleName="app", PolicyDocument=policies.trust(AWS="arn:aws:iam::123456789012:root")
    )
    assert code(assume) == "AccessDenied"
    root.put_role_policy(RoleName="web", PolicyName="own", PolicyDocument=allow("sts:AssumeRole"))
    assume()
    root.update_assume_role_policy(
        RoleName="app", PolicyDocument=policies.trust(AWS="arn:aws:iam::123456789012:role/other")
    )
    assert code(assume) == "AccessDenied"


def test_a_role_s_session_is_no_longer_than_it_may_be(host, narrow, root, cloud):
    assume = narrow(host(allow("sts:AssumeRole"))("sts"))
    assert code(assume, DurationSeconds=3601) == "ValidationError"
    root.update_role(RoleName="app", MaxSessionDuration=7200)
    assert code(assume, DurationSeconds=3601) == "ValidationError"  # a role that takes on a role
    assume(DurationSeconds=3600)
    assert code(assume, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/x"}]) == "InvalidAction"


def test_sessions_that_ended_long_ago_are_forgotten(cloud, host, narrow):
    from datetime import timedelta

    from moto.core.utils import utcnow

    narrow(host(allow("sts:AssumeRole"))("sts"))()
    sessions = cloud.backend("sts", "aws").assumed_roles
    assert len(sessions) == 2
    sessions[1].expiration = utcnow() - timedelta(minutes=10)
    cloud.reconcile()
    assert len(sessions) == 2
    sessions[1].expiration = utcnow() - timedelta(minutes=70)
    cloud.reconcile()
    assert len(sessions) == 1


def test_a_key_that_is_switched_off_or_of_a_wrong_token_is_unknown(api, root, user, host):
    theirs = user(allow("*"))
    key = root.list_access_keys(UserName="operator")["AccessKeyMetadata"][0]["AccessKeyId"]
    root.update_access_key(UserName="operator", AccessKeyId=key, Status="Inactive")
    assert code(theirs("sts").get_caller_identity) == "InvalidClientTokenId"
    client = host(allow("*"))("ec2")
    client._request_signer._credentials.token = "another"
    assert code(client.describe_vpcs) == "AuthFailure"


def test_rights_are_for_the_resource_that_is_named(api, user):
    theirs = user(allow("ssm:GetParameter*", resource="arn:aws:ssm:*:*:parameter/mustache/*"))
    ssm = api.client("ssm")
    for name in ("/mustache/a", "/other/a"):
        ssm.put_parameter(Name=name, Value="x", Type="String")
    theirs("ssm").get_parameter(Name="/mustache/a")
    theirs("ssm").get_parameters_by_path(Path="/mustache/")
    assert code(theirs("ssm").get_parameter, Name="/other/a") == "AccessDeniedException"
    both = ["/mustache/a", "/other/a"]
    assert code(theirs("ssm").get_parameters, Names=both) == "AccessDeniedException"


def test_tags_of_requests_and_resources_decide(api, user):
    ours = {"StringEquals": {"aws:RequestTag/Project": "mustache"}}
    theirs = user(allow("ec2:CreateVpc", "ec2:CreateTags", Condition=ours))("ec2")
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Project", "Value": "mustache"}]}]
    assert code(theirs.create_vpc, CidrBlock="10.9.0.0/16") == "UnauthorizedOperation"
    vpc = theirs.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=tags)["Vpc"]["VpcId"]
    of_ours = {"StringEquals": {"aws:ResourceTag/Project": "mustache"}}
    api.client("iam").put_user_policy(
        UserName="operator", PolicyName="own",
        PolicyDocument=allow("ec2:DeleteVpc", Condition=of_ours),
    )  # fmt: skip
    other = api.client("ec2").create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    assert code(theirs.delete_vpc, VpcId=other) == "UnauthorizedOperation"
    theirs.delete_vpc(VpcId=vpc)


def test_a_role_is_handed_to_hosts_by_those_who_may(api, user, host, site, launch):
    host()
    iam = api.client("iam")
    iam.create_instance_profile(InstanceProfileName="web")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    theirs = user(allow("ec2:*"))("ec2")
    options = {"ImageId": site["image"], "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1,
               "SubnetId": site["subnet"]}  # fmt: skip
    theirs.run_instances(**options)
    profile = {"IamInstanceProfile": {"Name": "web"}}
    assert code(theirs.run_instances, **options, **profile) == "UnauthorizedOperation"
    iam.put_user_policy(
        UserName="operator", PolicyName="pass",
        PolicyDocument=allow("iam:PassRole", resource="arn:aws:iam::*:role/web"),
    )  # fmt: skip
    theirs.run_instances(**options, **profile)


def test_a_bucket_s_policy_decides(api, user):
    s3 = api.client("s3")
    s3.create_bucket(Bucket="shared")
    s3.put_object(Bucket="shared", Key="a", Body=b"x")
    theirs = user()("s3")
    assert code(theirs.get_object, Bucket="shared", Key="a") == "AccessDenied"
    arn = user(name="other")("sts").get_caller_identity()["Arn"]
    me = arn.replace("other", "operator")

    def put(**statement):
        s3.put_bucket_policy(
            Bucket="shared",
            Policy=allow("s3:GetObject", resource="arn:aws:s3:::shared/*", **statement),
        )

    put(Principal={"AWS": arn})
    assert code(theirs.get_object, Bucket="shared", Key="a") == "AccessDenied"
    put(Principal={"AWS": me})
    assert theirs.get_object(Bucket="shared", Key="a")["Body"].read() == b"x"
    put(effect="Deny", Principal="*")
    assert code(s3.get_object, Bucket="shared", Key="a") == "AccessDenied"
    s3.delete_bucket_policy(Bucket="shared")


def test_a_presigned_address_is_as_good_as_its_signer(api, user):
    s3 = api.client("s3")
    s3.create_bucket(Bucket="shared")
    s3.put_object(Bucket="shared", Key="a b", Body=b"x")

    def read(client, change=lambda url: url, **options):
        url = client.generate_presigned_url(
            "get_object", Params={"Bucket": "shared", "Key": "a b"}, **options
        )
        try:
            with urllib.request.urlopen(change(url), timeout=5) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            return error.code

    signed = {"signature_version": "s3v4"}
    assert read(api.client("s3", **signed)) == b"x"
    assert read(api.client("s3", **signed), lambda url: url.replace("a%20b", "c")) == 403
    assert read(api.client("s3", **signed), ExpiresIn=-10) == 400
    assert read(user()("s3", **signed)) == 403
    assert read(api.client("s3", signature_version="s3")) == 400  # AWS's second version


def test_rights_on_a_distribution_are_for_it_alone(cloud, user):
    ours, other = "EOURS00000001", "EOTHER0000001"
    named = "arn:aws:cloudfront::123456789012:distribution/{}".format
    cloud.backend("cloudfront", "aws").tagger.tag_resource(
        named(ours), [{"Key": "Project", "Value": "mustache"}]
    )
    tagged = {"Condition": {"StringEquals": {"aws:ResourceTag/Project": "mustache"}}}
    app = user(allow("cloudfront:CreateInvalidation", resource=named(ours)))("cloudfront")
    owner = user(allow("cloudfront:DeleteDistribution", **tagged), "owner")("cloudfront")
    batch = {"Paths": {"Quantity": 1, "Items": ["/media/a"]}, "CallerReference": "1"}

    for identity, said in ((ours, "NoSuchDistribution"), (other, "AccessDenied")):
        asked = {"DistributionId": identity, "InvalidationBatch": batch}
        assert code(app.create_invalidation, **asked) == said
        assert code(owner.delete_distribution, Id=identity, IfMatch="E1") == said
    assert code(app.get_distribution, Id=ours) == "AccessDenied"


def test_a_distribution_is_made_with_the_tags_that_a_policy_wants(user):
    tagged = {"Condition": {"StringEquals": {"aws:RequestTag/Project": "mustache"}}}
    resource = "arn:aws:cloudfront::123456789012:distribution/*"
    maker = user(allow("cloudfront:CreateDistribution*", resource=resource, **tagged))("cloudfront")
    config = {
        "CallerReference": "1", "Comment": "", "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "o.example"}]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
    }  # fmt: skip

    def made(project):
        tags = {"Items": [{"Key": "Project", "Value": project}]}
        return code(
            maker.create_distribution_with_tags,
            DistributionConfigWithTags={"DistributionConfig": config, "Tags": tags},
        )

    assert made("other") == "AccessDenied"
    assert made("mustache") != "AccessDenied"
