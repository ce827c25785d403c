"""The whole service, two workers, while its sessions move from PostgreSQL to DynamoDB: visitors
come by uploading, operators log out, and each stays what he is."""

import json
import re
import threading
import time
from contextlib import contextmanager
from itertools import cycle

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

pytestmark = pytest.mark.moves
OPERATORS = 120
SCRIPT = f"""
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from service.sessions.engine import SessionStore
user = get_user_model().objects.create_superuser("operator")
for _ in range({OPERATORS}):
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(session.session_key)
"""


@pytest.fixture
def dynamodb_server(monkeypatch):
    """moto's, one request at a time: its conditions are not atomic."""
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "SESSION_TABLE": "live",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # Not the app's client, which has less patience than moto's first answer takes.
    client = boto3.client("dynamodb", region_name="us-east-1")
    client.create_table(
        TableName="live",
        KeySchema=[{"AttributeName": "session_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "session_key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield environment
    client.delete_table(TableName="live")
    server.shutdown()
    thread.join()
    server.server_close()


class Visitors:
    """Each step of each is done and known before his next; who failed says so."""

    def __init__(self, site, operators: list[str], picture: bytes):
        self.site, self.picture = site, picture
        self.stay, self.leave = operators[::2], operators[1::2]
        self.left, self.came, self.wrong = [], [], []
        self.over = threading.Event()

    def ask(self, method: str, path: str, cookies: dict, **options):
        """Comes again when told so: moto on a busy machine may take longer than DynamoDB may."""
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        options["headers"] = {"Cookie": cookie}
        for _ in range(20):
            answer = self.site.http.request(method, self.site.url + path, redirect=False, **options)
            if answer.status != 503:
                break
            time.sleep(0.2)
        return answer

    def is_operator(self, key: str) -> bool:
        return self.ask("GET", "/admin/", {"mustache_session": key}).status == 200

    def form(self) -> tuple[str, str]:
        """The CSRF cookie and the token."""
        page = self.site.get("/")
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.data.decode())[1]
        return re.search(r"mustache_csrf=(\w+)", page.headers["Set-Cookie"])[1], token

    def log_out(self) -> None:
        csrf, token = self.form()
        for key in self.leave:
            if self.over.is_set():
                return
            cookies = {"mustache_session": key, "mustache_csrf": csrf}
            fields = {"csrfmiddlewaretoken": token}
            answer = self.ask("POST", "/admin/logout/", cookies, fields=fields)
            self.left.append(key)
            if answer.status >= 400 or self.is_operator(key):
                self.wrong.append(("logout", answer.status))

    def come(self) -> None:
        csrf, token = self.form()
        while not self.over.is_set():
            fields = {"image": ("me.jpg", self.picture), "style": "walrus", "unlisted": "on"}
            fields["csrfmiddlewaretoken"] = token
            answer = self.ask("POST", "/", {"mustache_csrf": csrf}, fields=fields)
            key = re.search(r"mustache_session=(\w+)", answer.headers.get("Set-Cookie", ""))
            if answer.status == 303 and key:
                self.came.append((key[1], answer.headers["Location"]))
            else:
                self.wrong.append(("upload", answer.status))

    def return_(self) -> None:
        for key in cycle(self.stay):
            if self.over.is_set():
                return
            if not self.is_operator(key):
                self.wrong.append(("operator", key in self.stay))

    @contextmanager
    def at_it(self):
        tasks = [self.log_out, self.come, self.return_]
        threads = [threading.Thread(target=task) for task in tasks]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join(30)
            self.over.clear()

    def check(self) -> None:
        assert self.wrong == []
        for key in self.stay[:20]:
            assert self.is_operator(key)
        for key in self.left:
            assert not self.is_operator(key)
        for key, address in self.came[-20:]:
            page = self.ask("GET", address, {"mustache_session": key})
            assert b"Delete for good" in page.data


def test_sessions_move_while_visitors_come_and_go(
    start_site, postgresql, dynamodb_server, face, monkeypatch
):
    postgresql.execute("DROP DATABASE IF EXISTS moving")
    postgresql.execute("CREATE DATABASE moving")
    url = postgresql.url("moving")
    both = {"SESSION_STORE": "database", "SESSION_STORE_SECOND": "dynamodb"}
    with start_site(url, **dynamodb_server, **both) as site:
        site.upload(face, "walrus")  # from now on it is known, and quickly done
        store = {"SESSION_STORE_SECOND": ""}
        site.environment |= store  # they come from the time before
        operators = site.manage("shell", "--no-imports", "--command", SCRIPT).split()
        site.environment |= both
        visitors = Visitors(site, operators, face)
        with visitors.at_it():
            moved = json.loads(site.manage("move_sessions", "--to", "dynamodb", "--json"))
            compared = json.loads(site.manage("compare_sessions", "--json"))
        assert moved["seen"] >= OPERATORS
        assert moved["copied"] >= OPERATORS / 2
        assert compared["different"] == 0
        assert visitors.left
        assert visitors.came
        visitors.check()
        compared = json.loads(site.manage("compare_sessions", "--json"))
        assert compared["database"] == compared["dynamodb"]
    after = {"SESSION_STORE": "dynamodb"}
    with start_site(url, **dynamodb_server, **after) as site:
        visitors.site = site
        visitors.check()
