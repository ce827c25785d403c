"""What balancers, deployments and people ask about a host."""


def test_the_process_serves(visitor):
    answer = visitor.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_every_store_answers(visitor):
    answer = visitor.get("/readyz")
    assert answer.status_code == 200
    body = answer.json()
    assert body["ready"] is True
    assert body["failed"] == body["degraded"] == {}
    assert {"pictures", "sessions", "cache"} <= set(body["checked"])
    assert {"database", "dynamodb"} & set(body["checked"])  # wherever the rows are


def test_health_needs_no_session_and_sets_no_cookie(visitor):
    for path in ("/healthz", "/readyz"):
        assert "Set-Cookie" not in visitor.get(path).headers


def test_it_says_which_stores_are_in_use(visitor):
    stores = visitor.get("/info?format=json").json()["stores"]
    assert {"database", "pictures", "sessions", "cache"} <= stores.keys()
    assert all(stores.values())


def test_an_instance_says_where_it_is(visitor):
    facts = visitor.get("/info?format=json").json()
    # Both or none: a host on EC2 knows its zone.
    assert (facts["instance_id"] is None) == (facts["zone"] is None)
    if facts["instance_id"]:
        assert facts["instance_id"].startswith("i-")
