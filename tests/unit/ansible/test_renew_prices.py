"""tools/renew-prices asks AWS's price list, and changes nothing that it does not settle."""

import importlib.util
import json
from importlib.machinery import SourceFileLoader
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.awsrequest import AWSResponse

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "group_vars/all/prices.yml").read_text()
PRICES = yaml.safe_load(TEXT)["prices"]
BEGIN = {
    "instance_hour": "BoxUsage:",
    "database_hour": "USE1-InstanceUsage:",
    "cache_hour": "NodeUsage:",
    "volume_gib_month": "EBS:VolumeUsage.",
}


def loaded():
    loader = SourceFileLoader("renew_prices", str(ROOT / "tools/renew-prices"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


renewing = loaded()


def product(usage, *steps):
    """As AWS describes one: each step begins at an amount and has a price."""
    dimensions = {
        str(begin): {"beginRange": str(begin), "pricePerUnit": {"USD": f"{price:.10f}"}}
        for begin, price in steps
    }
    return {
        "product": {"attributes": {"usagetype": usage}},
        "terms": {"OnDemand": {"term": {"priceDimensions": dimensions}}},
    }


def listed():
    """A price list that says what the file says: by service, what to match, and the product."""
    for name, (service, attribute, _) in renewing.BY_TYPE.items():
        for kind, price in PRICES[name].items():
            usage = BEGIN[name] + {"io1": "piops"}.get(kind, kind)
            yield service, {attribute: kind}, product(usage, (0, price))
    for name, (service, _, ending, times) in renewing.SINGLE.items():
        yield service, {}, product(f"USE1-{ending}", (0, PRICES[name] / times))


@pytest.fixture
def aws():
    """A client of boto3 whose requests are answered from `aws.list`, two products a page."""
    client = boto3.client(
        "pricing", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none"
    )
    client.list, client.asked = list(listed()), []

    def answer(params, **_):
        request = json.loads(params["body"])
        wanted = {each["Field"]: each["Value"] for each in request["Filters"]}
        client.asked.append((request["ServiceCode"], wanted))
        found = [
            json.dumps(item)
            for service, matched, item in client.list
            if service == request["ServiceCode"] and matched.items() <= wanted.items()
        ]
        start = int(request.get("NextToken", 0))
        page = {"PriceList": found[start : start + 2]}
        if len(found) > start + 2:
            page["NextToken"] = str(start + 2)
        return AWSResponse("", 200, {}, None), page

    client.meta.events.register("before-call.pricing.GetProducts", answer)
    return client


def dear(client, usage, price):
    """Another price for one product of the list."""
    for _, _, item in client.list:
        if item["product"]["attributes"]["usagetype"].endswith(usage):
            item["terms"] = product(usage, (0, price))["terms"]
            return
    raise AssertionError(usage)


def test_what_is_as_it_was_only_gets_the_date(aws):
    text, lines = renewing.renew(TEXT, aws, "2027-01-02")

    assert lines == []
    assert text == TEXT.replace(f'date: "{PRICES["date"]}"', 'date: "2027-01-02"')
    assert ("AmazonEC2", {"regionCode": "us-east-1", "instanceType": "t3.small",
                          **renewing.LINUX}) in aws.asked  # fmt: skip


def test_a_changed_price_is_named_and_written_and_nothing_else(aws):
    dear(aws, ":t3.small", 0.0219)
    dear(aws, "InstanceUsage:db.t4g.large", 0.131)
    dear(aws, "VolumeUsage.gp3", 0.09)
    dear(aws, "-LCUUsage", 0.009)
    dear(aws, "-WriteRequestUnits", 0.0000007)
    text, lines = renewing.renew(TEXT, aws, "2027-01-02")

    assert lines == [
        "  instance_hour.t3.small: 0.0208 -> 0.0219",
        "  database_hour.db.t4g.large: 0.129 -> 0.131",
        "  volume_gib_month.gp3: 0.08 -> 0.09",
        "  balancer_unit_hour: 0.008 -> 0.009",
        "  table_write_million: 0.625 -> 0.7",
    ]
    expected = json.loads(json.dumps(PRICES)) | {"date": "2027-01-02"}
    expected["instance_hour"]["t3.small"] = 0.0219
    expected["database_hour"]["db.t4g.large"] = 0.131
    expected["volume_gib_month"]["gp3"] = 0.09
    expected |= {"balancer_unit_hour": 0.009, "table_write_million": 0.7}
    assert yaml.safe_load(text)["prices"] == expected
    assert text.count("#") == TEXT.count("#")


def test_the_first_step_that_costs_something_counts(aws):
    aws.list = [each for each in aws.list if "Requests-Tier1" not in str(each)]
    steps = product("Requests-Tier1", (0, 0), (2000, 0.000006), (9000, 0.000004))
    aws.list.append(("AmazonS3", {}, steps))

    assert renewing.renew(TEXT, aws, "2027-01-02")[1] == ["  s3_puts_1000: 0.005 -> 0.006"]


@pytest.mark.parametrize("extra", [None, product("USE1-LCUUsage", (0, 0.5))])
def test_what_the_list_does_not_settle_is_said_and_left_with_its_date(aws, extra):
    if extra:
        aws.list.append(("AWSELB", {}, extra))
    else:
        aws.list = [each for each in aws.list if "LCUUsage" not in str(each)]
    text, lines = renewing.renew(TEXT, aws, "2027-01-02")

    assert text == TEXT
    assert lines == ["? balancer_unit_hour: AWS's list has no one price for it; left at 0.008"]


def test_other_offers_are_not_taken_for_it(aws):
    for service, usage in [
        ("AWSELB", "ReservedLCUUsage"),
        ("AmazonDynamoDB", "IA-ReadRequestUnits"),
        ("AmazonS3", "TimedStorage-SIA-ByteHrs"),
        ("AmazonEC2", "UnusedBox:t3.small"),
    ]:
        aws.list.append((service, {}, product(usage, (0, 99))))

    assert renewing.renew(TEXT, aws, "2027-01-02")[1] == []


def test_nothing_is_written_unless_asked(aws, tmp_path, monkeypatch, capsys):
    file = tmp_path / "prices.yml"
    file.write_text(TEXT)
    monkeypatch.setattr(renewing, "FILE", file)
    dear(aws, ":t3.small", 0.0219)

    assert renewing.main([], aws) == 0
    assert file.read_text() == TEXT
    assert "t3.small: 0.0208 -> 0.0219" in capsys.readouterr().out

    assert renewing.main(["--write"], aws) == 0
    assert yaml.safe_load(file.read_text())["prices"]["instance_hour"]["t3.small"] == 0.0219


def test_a_refusal_is_said(aws, capsys):
    def refuse(**_):
        error = {"Error": {"Code": "AccessDeniedException", "Message": "not for you"}}
        return AWSResponse("", 400, {}, None), error

    aws.meta.events.register_first("before-call.pricing.GetProducts", refuse)

    assert renewing.main([], aws) == 1
    assert "not for you" in capsys.readouterr().err
