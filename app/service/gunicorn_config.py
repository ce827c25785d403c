"""gunicorn's settings, the same on hosts and in `make dev`.

    gunicorn -c python:service.gunicorn_config

Numbers behind the choices: docs/benchmarks.md.
"""

import os
import shutil
import tempfile
from pathlib import Path

from service.environment import env, log_level, positive, setting
from service.logs import dictionary

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
# prometheus_client looks at this when it is imported, so first this, then the application.
_metrics = os.environ.setdefault(
    "PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="mustache-metrics-")
)

wsgi_app = "service.wsgi:application"
bind = os.environ.get("GUNICORN_BIND", "127.0.0.1:8000")
# Threads wait for the database and for sources; the picture core lets go of the GIL as it works.
worker_class = "gthread"
workers = setting(
    "WEB_CONCURRENCY", read=env.int, default=os.cpu_count() or 1, check=positive, example="2"
)
threads = 8  # three more than admission.PLACES and DRAINS, for pages
# Model and code are loaded once and shared; the core opens its model sessions after the fork.
reload = bool(os.environ.get("GUNICORN_RELOAD"))
# Django keeps templates in memory.
_templates = Path(__file__).with_name("templates").rglob("*.html")
reload_extra_files = [str(template) for template in _templates] if reload else []
preload_app = not reload
timeout = 60
graceful_timeout = 30
limit_request_line = 8190  # a source address in ?src= may be long
keepalive = 65  # longer than an ALB keeps its idle connections (60 s)
# A heartbeat file on a disk can block a worker.
worker_tmp_dir = "/dev/shm"  # noqa: S108
# gunicorn would take these from whoever speaks through the unix socket, so from any visitor behind
# nginx; edge.py knows which headers to believe.
forwarded_allow_ips = ""
secure_scheme_headers = {}
forwarder_headers = ""
control_socket_disable = True
logconfig_dict = dictionary(log_level())


def child_exit(server, worker) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server) -> None:
    shutil.rmtree(_metrics, ignore_errors=True)
