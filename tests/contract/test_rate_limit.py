"""The limit on fetching pictures from other sites. Comes last: it uses the limit up."""

# More than any sensible limit per minute; the default is 30.
MOST = 200


def test_too_many_requests_are_refused_whoever_they_claim_to_come_from(visitor):
    statuses = []
    for number in range(MOST):
        answer = visitor.get(
            # Refused before anything is fetched, but counted.
            "/mustachify?src=nowhere",
            headers={"X-Forwarded-For": f"198.51.100.{number}", "X-Real-IP": f"10.0.0.{number}"},
        )
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            break
    assert statuses[-1] == 429, "the limit never came"
    assert set(statuses[:-1]) <= {400}
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert answer.json()["error"] == "too_many_requests"
    assert "no-store" in answer.headers["Cache-Control"]
    assert visitor.get("/gallery").status_code == 200, "reading goes on"
