"""What others do between the reading and the writing of records in DynamoDB."""

import pytest
from botocore.exceptions import ClientError
from service import dynamodb as words
from service.errors import StoreUnavailable
from service.pictures.records import items
from service.pictures.records.dynamodb import DynamoRecords
from tests.service.test_records import add, brought, original, picture, result

SHA = "a" * 64


@pytest.fixture
def rows(dynamodb, monkeypatch):
    monkeypatch.setattr(words, "wait", lambda attempt: None)
    return DynamoRecords()


@pytest.fixture
def meanwhile(monkeypatch):
    """`meanwhile(what)`: done once, just before the next change is written."""

    def arrange(what) -> None:
        write = words.transact

        def late(changes) -> None:
            monkeypatch.setattr(words, "transact", write)
            what()
            words.transact(changes)

        monkeypatch.setattr(words, "transact", late)

    return arrange


def consistent(client) -> bool:
    """Whether counts and indexes are what pictures say."""
    found = client.scan(TableName="rows")["Items"]
    pictures = [items.as_picture(item) for item in found if item["sk"]["S"] == "picture"]
    entries = {(each["pk"]["S"], each["sk"]["S"]) for each in found}
    expected = set()
    for each in pictures:
        expected |= {(one["pk"]["S"], one["sk"]["S"]) for one in items.index_items(each)}
    assert expected == {key for key in entries if not key[0].startswith(("picture#", "original#"))}
    results = [item for item in found if "shown_by" in item]
    for item in results:
        shown = [each for each in pictures if each.result == items.as_result(item)]
        assert int(item["shown_by"]["N"]) == len(shown)
    assert {each.result for each in map(Hashable, pictures)} <= {
        Hashable.of(items.as_result(item)) for item in results
    }
    for item in found:
        if "result_count" in item:
            mine = [one for one in results if one["pk"] == item["pk"]]
            assert int(item["result_count"]["N"]) == len(mine) > 0
    return True


class Hashable:
    """Results have lists in them."""

    def __init__(self, shown):
        self.result = self.of(shown.result)

    @staticmethod
    def of(found) -> str:
        return repr(found)


def test_two_first_uploads_of_one_original(rows, dynamodb, meanwhile):
    other = original(token="2")
    theirs = result(of=other, token="2")
    meanwhile(lambda: add(rows, theirs))
    assert add(rows).result == theirs
    assert rows.files(SHA) == brought(theirs)
    assert consistent(dynamodb)


def test_an_upload_of_what_is_deleted_meanwhile(rows, dynamodb, meanwhile):
    first = add(rows)
    meanwhile(lambda: rows.remove(first.public_id))
    late = result(of=original(token="2"), token="2")
    assert add(rows, late).result == late
    assert consistent(dynamodb)


def test_a_deletion_of_what_is_uploaded_meanwhile(rows, dynamodb, meanwhile):
    first = add(rows)
    meanwhile(lambda: rows.add(picture(), frozenset()))
    assert rows.remove(first.public_id) == frozenset()
    assert consistent(dynamodb)
    [left] = rows.pictures()
    assert rows.remove(left.public_id) == brought(result())
    assert not dynamodb.scan(TableName="rows")["Items"]


def test_two_deletions_at_once_free_it_once(rows, dynamodb, meanwhile):
    first, second = add(rows), add(rows)
    meanwhile(lambda: rows.remove(second.public_id))
    assert rows.remove(first.public_id) == brought(result())
    assert not dynamodb.scan(TableName="rows")["Items"]
    third = add(rows)
    meanwhile(lambda: rows.remove(third.public_id))
    assert rows.remove(third.public_id) is None


def test_another_style_of_what_is_deleted_meanwhile(rows, dynamodb, meanwhile):
    first = add(rows)
    meanwhile(lambda: rows.remove(first.public_id))
    assert rows.show(first.public_id, result("chevron"), brought(result("chevron"))) is None
    assert not dynamodb.scan(TableName="rows")["Items"]


def test_two_styles_at_once(rows, dynamodb, meanwhile):
    first = add(rows)
    pencil, chevron = result("pencil"), result("chevron")
    meanwhile(lambda: rows.show(first.public_id, pencil, pencil.files))
    assert rows.show(first.public_id, chevron, chevron.files).result == chevron
    assert consistent(dynamodb)
    assert rows.remove(first.public_id) == brought(result()) | pencil.files | chevron.files


def test_out_of_the_gallery_while_it_is_deleted(rows, dynamodb, meanwhile):
    first = add(rows, listed=False)
    meanwhile(lambda: rows.remove(first.public_id))
    rows.set_listed(first.public_id, True)
    assert not dynamodb.scan(TableName="rows")["Items"]


def test_into_the_gallery_while_its_style_is_changed(rows, dynamodb, meanwhile):
    first = add(rows, listed=False)
    chevron = result("chevron")
    meanwhile(lambda: rows.set_listed(first.public_id, True))
    assert rows.show(first.public_id, chevron, chevron.files).listed
    assert consistent(dynamodb)


def test_sweeping_leaves_what_is_shown_meanwhile(rows, dynamodb, meanwhile):
    first = add(rows)
    rows.show(first.public_id, result("chevron"), result("chevron").files)
    meanwhile(lambda: rows.add(picture(), frozenset()))
    assert rows.sweep() == frozenset()
    assert consistent(dynamodb)


def test_a_page_leaves_out_what_is_deleted_while_it_is_read(rows, monkeypatch):
    made = [add(rows) for _ in range(3)]
    read = words.get_many

    def late(*arguments):
        rows.remove(made[1].public_id)
        return read(*arguments)

    monkeypatch.setattr(words, "get_many", late)
    page = rows.gallery(None, 2)
    assert [each.public_id for each in page.pictures] == [made[2].public_id]
    assert page.last == made[1].id


@pytest.mark.parametrize("public_id", ["", "é" * 16, "a" * 25, "x y", "a" * 5000, "a#b"])
def test_what_we_never_gave_is_not_looked_for(rows, monkeypatch, public_id):
    monkeypatch.setattr(words, "get_one", None)
    assert rows.get(public_id) is None


def test_no_page_scans(rows, dynamodb, monkeypatch):
    first = add(rows, owner_hash="o" * 64)
    monkeypatch.setattr(dynamodb, "scan", None)
    assert rows.gallery(None, 5).pictures == [first]
    assert rows.owned("o" * 64, None, 5).pictures == [first]
    assert rows.owned("", None, 5).pictures == []
    rows.remove(first.public_id)


# --- Trouble --------------------------------------------------------------------------------
def cancelled(*codes: str) -> ClientError:
    from service import aws

    reasons = [{"Code": code} for code in codes]
    return aws.client("dynamodb").exceptions.TransactionCanceledException(
        {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons},
        "TransactWriteItems",
    )


def refusing(monkeypatch, client, error: Exception) -> list:
    calls = []

    def refuse(**arguments):
        calls.append(arguments)
        raise error

    monkeypatch.setattr(client, "transact_write_items", refuse)
    return calls


def test_conflicts_are_tried_again_but_not_for_ever(rows, dynamodb, monkeypatch):
    calls = refusing(monkeypatch, dynamodb, cancelled("None", "TransactionConflict"))
    with pytest.raises(StoreUnavailable, match="all the time"):
        add(rows)
    assert len(calls) == words.ATTEMPTS


@pytest.mark.parametrize("codes", [("ThrottlingError",), ("ConditionalCheckFailed", "Other"), ()])
def test_what_is_no_conflict_is_told_at_once(rows, dynamodb, monkeypatch, codes):
    calls = refusing(monkeypatch, dynamodb, cancelled(*codes))
    with pytest.raises(StoreUnavailable):
        add(rows)
    assert len(calls) == 1


def test_what_is_left_unread_is_asked_for_again(rows, dynamodb, monkeypatch):
    made = [add(rows) for _ in range(3)]
    read = dynamodb.batch_get_item

    def part(RequestItems):  # named as boto3 has it
        keys = RequestItems["rows"]["Keys"]
        answer = read(RequestItems={"rows": RequestItems["rows"] | {"Keys": keys[:1]}})
        left = {"rows": RequestItems["rows"] | {"Keys": keys[1:]}} if keys[1:] else {}
        return answer | {"UnprocessedKeys": left}

    monkeypatch.setattr(dynamodb, "batch_get_item", part)
    assert rows.gallery(None, 5).pictures == made[::-1]
