"""/admin/: passwords cannot be tried for ever."""

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError
from service.ratelimit.models import Count

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"


@pytest.fixture
def try_to_log_in(client):
    get_user_model().objects.create_superuser("operator", password=PASSWORD)

    def attempt(password: str, address: str = "192.0.2.1"):
        fields = {"username": "operator", "password": password}
        return client.post("/admin/login/?next=/admin/", fields, REMOTE_ADDR=address)

    return attempt


def test_an_operator_logs_in(client, try_to_log_in):
    assert try_to_log_in(PASSWORD).status_code == 302
    assert client.get("/admin/").status_code == 200


def test_passwords_can_be_tried_only_so_often(settings, try_to_log_in):
    settings.LOGIN_RATE = (3, 300)
    codes = [try_to_log_in(f"password{number}").status_code for number in range(4)]
    assert codes == [200, 200, 200, 429]
    refused = try_to_log_in(PASSWORD)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert try_to_log_in(PASSWORD, "192.0.2.2").status_code == 302


def test_nor_while_nothing_can_be_counted(monkeypatch, try_to_log_in):
    def fail(*arguments):
        raise OperationalError("read-only")

    monkeypatch.setattr(Count, "add", fail)
    assert try_to_log_in(PASSWORD).status_code == 503


def test_to_look_at_the_form_is_free(client, settings):
    settings.LOGIN_RATE = (1, 300)
    assert [client.get("/admin/login/").status_code for _ in range(3)] == [200] * 3
