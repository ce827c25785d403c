"""Django settings, from environment variables only. `app/README.md` has the table of them."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from service import edge
from service.cookies import HOST
from service.environment import (
    at_least,
    cache,
    counting_cache,
    each,
    env,
    known_database,
    log_level,
    needs,
    networks,
    not_empty,
    one_of,
    optional,
    positive,
    rate,
    setting,
    shared_cache,
    usable_cache,
    web_address,
)

PACKAGE = Path(__file__).parent

# Django's own DEBUG stays off: its pages would stand where the contract promises ours.
DEVELOPMENT = setting("DEBUG", read=env.bool, default=False, example="false")
SECRET_KEY = setting("SECRET_KEY", check=at_least(50), example="<50 or more random characters>")
ALLOWED_HOSTS = setting(
    "ALLOWED_HOSTS", read=env.list, check=not_empty, example="mustache.example.com,10.0.0.12"
)
SITE_URL = setting("SITE_URL", check=web_address, example="https://mustache.example.com").rstrip(
    "/"
)
HTTPS = urlsplit(SITE_URL).scheme == "https"
CSRF_TRUSTED_ORIGINS = [
    SITE_URL,
    *setting("CSRF_TRUSTED_ORIGINS", read=env.list, default=[], example="https://old.example.com"),
]

# --- Who stands in front: edge.py ---------------------------------------------------------------
PROXY = setting("PROXY", read=env.list, default=["none"], check=edge.wrong, example="nginx")
PROXY_NETWORKS = setting(
    "PROXY_NETWORKS",
    read=networks,
    default=[],
    check=not_empty if "balancer" in PROXY else None,
    example="10.0.0.0/16",
)
# More than one while it is changed.
CDN_SECRETS = setting(
    "CDN_SECRETS",
    read=env.list,
    default=[],
    check=each(at_least(32)) if edge.CDN in PROXY else None,
    example="<32 or more random characters>",
)

# --- Stores -----------------------------------------------------------------------------------
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Where the bucket and the tables are. Endpoint and credentials boto3 finds itself.
AWS_REGION = setting(
    "AWS_REGION", default=env.str("AWS_DEFAULT_REGION", default=""), example="eu-central-1"
)
RECORDS_STORES = {
    "database": "service.pictures.records.sql.SqlRecords",
    "dynamodb": "service.pictures.records.dynamodb.DynamoRecords",
}
ROWS = setting("ROWS", default="database", check=one_of(*RECORDS_STORES), example="database")
RECORDS = RECORDS_STORES[ROWS]
ROWS_TABLE = setting(
    "ROWS_TABLE",
    default="",
    check=not_empty if ROWS == "dynamodb" else None,
    example="mustache-prod-rows",
)
# While they move: pictures/records/frozen.py.
ROWS_FROZEN = setting("ROWS_FROZEN", read=env.bool, default=False, example="false")
ROWS_FREEZER = setting("ROWS_FREEZER", read=env.path, default=None, example="/run/mustache/frozen")
# Where reads look first; the second store is set while pictures move: pictures/pair.py.
PICTURE_STORE = setting(
    "PICTURE_STORE", default="database", check=one_of("database", "s3"), example="database"
)
PICTURE_STORE_SECOND = setting(
    "PICTURE_STORE_SECOND",
    default="",
    check=optional(one_of("s3" if PICTURE_STORE == "database" else "database")),
    example="s3",
)
PICTURE_BUCKET = setting(
    "PICTURE_BUCKET",
    default="",
    check=not_empty if "s3" in (PICTURE_STORE, PICTURE_STORE_SECOND) else None,
    example="mustache-pictures",
)
# Where visitors reach the bucket, when what is larger goes to it straight from them.
PICTURE_BUCKET_URL = setting(
    "PICTURE_BUCKET_URL",
    default=f"https://{PICTURE_BUCKET}.s3.{AWS_REGION}.amazonaws.com/" if PICTURE_BUCKET else "",
    example="https://mustache-pictures.s3.eu-central-1.amazonaws.com/",
)
# Bytes. A function takes and gives 6 MB, and base64 makes a picture longer by a third. 0: never.
DIRECT_UPLOADS_OVER = setting(
    "DIRECT_UPLOADS_OVER",
    read=env.int,
    default=0,
    check=needs(PICTURE_STORE == "s3", "PICTURE_STORE=s3"),
    example="4000000",
)
DIRECT_DOWNLOADS_OVER = setting(
    "DIRECT_DOWNLOADS_OVER",
    read=env.int,
    default=0,
    check=needs(PICTURE_STORE == "s3", "PICTURE_STORE=s3"),
    example="4000000",
)
# What /info says, where that does not follow from where the code is: in a function.
RELEASE = setting("RELEASE", default="", example="1.4.0-0f3a5c1e")
# Whether work goes on when a request has been answered. A function is frozen then.
BACKGROUND = setting("BACKGROUND", read=env.bool, default=True, example="true")
# The CDN that keeps copies of files, and is told of deletions: pictures/cdn.py.
CDN_DISTRIBUTION = setting("CDN_DISTRIBUTION", default="", example="E2QWRUHAPOMQZL")
# All there are, in use or not.
PICTURE_STORES = {}
if "database" in (ROWS, PICTURE_STORE, PICTURE_STORE_SECOND):
    PICTURE_STORES["database"] = {"BACKEND": "service.pictures.storage.DatabaseStorage"}
if PICTURE_BUCKET:
    PICTURE_STORES["s3"] = {
        "BACKEND": "service.pictures.bucket.BucketStorage",
        "OPTIONS": {"bucket_name": PICTURE_BUCKET, "region_name": AWS_REGION or None},
    }
SESSION_STORES = ("database", "dynamodb", "elasticache")
SESSION_STORE = setting(
    "SESSION_STORE", default="database", check=one_of(*SESSION_STORES), example="database"
)
# While sessions move: sessions/both.py.
SESSION_STORE_SECOND = setting(
    "SESSION_STORE_SECOND",
    default="",
    check=optional(one_of(*(name for name in SESSION_STORES if name != SESSION_STORE))),
    example="dynamodb",
)
_session_stores = {SESSION_STORE, SESSION_STORE_SECOND}
SESSION_TABLE = setting(
    "SESSION_TABLE",
    default="",
    check=not_empty if "dynamodb" in _session_stores else None,
    example="mustache-prod-sessions",
)
STORAGES = {
    **PICTURE_STORES,
    "default": {
        "BACKEND": "service.pictures.pair.PairStorage",
        "OPTIONS": {"first": PICTURE_STORE, "second": PICTURE_STORE_SECOND},
    }
    if PICTURE_STORE_SECOND
    else PICTURE_STORES[PICTURE_STORE],
    "staticfiles": {
        "BACKEND": "service.assets.SourceStorage"
        if DEVELOPMENT
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
MEDIA_URL = "/media/"
SESSION_ENGINE = "service.sessions.engine"
# Rate limits. Django's cache in the database cannot count.
COUNTERS = setting(
    "COUNTERS",
    default="database",
    check=one_of("database", "cache", "dynamodb"),
    example="database",
)
COUNTERS_TABLE = setting(
    "COUNTERS_TABLE",
    default="",
    check=not_empty
    if COUNTERS == "dynamodb" or (COUNTERS == "cache" and ROWS == "dynamodb")
    else None,
    example="mustache-prod-counters",
)
CACHES = {
    "default": setting(
        "CACHE_URL",
        read=cache,
        default="db://cache",
        check=shared_cache
        if "elasticache" in _session_stores
        else counting_cache
        if COUNTERS == "cache"
        else usable_cache,
        example="db://cache",
    )
}
# Where nothing is in a database, none is needed.
_in_database = CACHES["default"]["BACKEND"].endswith("DatabaseCache") or not {
    "database",
    "elasticache",
}.isdisjoint({ROWS, PICTURE_STORE, PICTURE_STORE_SECOND, COUNTERS, *_session_stores})
DATABASES = {
    "default": setting(
        "DATABASE_URL",
        read=env.dj_db_url,
        **({} if _in_database else {"default": "sqlite://:memory:"}),
        check=known_database,
        example="postgres://user:password@host:5432/name?sslmode=require",
    )
}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # A database that went away must cost seconds, not the minutes TCP would wait.
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    DATABASES["default"].setdefault("OPTIONS", {})
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 3,
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "application_name": "mustache",
        "options": "-c statement_timeout=15000 -c lock_timeout=5000",
    } | DATABASES["default"]["OPTIONS"]
else:
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    } | DATABASES["default"].get("OPTIONS", {})

# --- Limits -----------------------------------------------------------------------------------
MAX_UPLOAD_BYTES = setting(
    "MAX_UPLOAD_BYTES", read=env.int, default=20_000_000, check=positive, example="20000000"
)
UPLOAD_RATE = setting("UPLOAD_RATE", read=rate, default="60/60", example="60/60")
FETCH_RATE = setting("FETCH_RATE", read=rate, default="30/60", example="30/60")
WORK_RATE = setting("WORK_RATE", read=rate, default="1200/60", example="1200/60")
LOGIN_RATE = setting("LOGIN_RATE", read=rate, default="10/300", example="10/300")
FORBIDDEN_SOURCES = setting(
    "FORBIDDEN_SOURCES", read=networks, default=[], example="203.0.113.0/24"
)
PUBLIC_ADDRESS = setting("PUBLIC_ADDRESS", read=env.str, default="", example="203.0.113.7")
ALLOWED_SOURCES = setting("ALLOWED_SOURCES", read=networks, default=[], example="192.168.7.0/24")
FILE_UPLOAD_HANDLERS = ["service.bodies.ReadableNames"]
FILE_UPLOAD_MAX_MEMORY_SIZE = MAX_UPLOAD_BYTES + (1 << 20)
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20
DATA_UPLOAD_MAX_NUMBER_FILES = 2

# --- The application --------------------------------------------------------------------------
INSTALLED_APPS = [
    "service.pictures",
    "service.ratelimit",
    "service.sessions",
    "service.apps.Operators",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
]
MIDDLEWARE = [
    "service.edge.EdgeMiddleware",
    "service.middleware.RequestMiddleware",
    "service.caching.CachingMiddleware",
    "service.health.HealthMiddleware",
    "service.loops.LoopMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "service.middleware.HeadersMiddleware",
    "service.middleware.DetourMiddleware",
    "service.admission.AdmissionMiddleware",
    "service.bodies.BodyMiddleware",
    "service.cookies.CookieNamesMiddleware",
    "service.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "service.middleware.ErrorsMiddleware",
    "service.middleware.HeadMiddleware",
]
ROOT_URLCONF = "service.urls"
WSGI_APPLICATION = "service.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "service.pages.site",
            ],
            "builtins": ["service.pages"],
            "debug": DEVELOPMENT,
        },
    }
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
# Beside the code that wrote it, so that two releases on one host never share files.
STATIC_ROOT = setting(
    "STATIC_ROOT",
    read=env.path,
    default=Path(sys.prefix) / "share" / "mustache" / "static",
    example="/srv/mustache/static",
)
STATICFILES_DIRS = [PACKAGE / "static"]
# While developing straight from the sources, without collectstatic.
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = DEVELOPMENT
WHITENOISE_MAX_AGE = 3600 if DEVELOPMENT else 60  # of files without a hash in their names

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# --- Security ---------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^info$", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
# To be on the browsers' own list is easy, to leave it takes months: only for who wants that.
SECURE_HSTS_PRELOAD = HTTPS and setting(
    "HSTS_PRELOAD", read=env.bool, default=False, example="false"
)
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 365 * 24 * 3600
SESSION_COOKIE_NAME = f"{HOST if HTTPS else ''}mustache_session"
CSRF_COOKIE_NAME = f"{HOST if HTTPS else ''}mustache_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "service.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
# What `check --deploy` asks of HTTPS cannot hold for a site whose own address is plain HTTP.
SILENCED_SYSTEM_CHECKS = ([] if SECURE_HSTS_PRELOAD else ["security.W021"]) + (
    []
    if HTTPS
    else ["security.W004", "security.W008", "security.W010", "security.W012", "security.W016"]
)
_bucket = urlsplit(PICTURE_BUCKET_URL)
_direct = [f"{_bucket.scheme}://{_bucket.netloc}"] if DIRECT_UPLOADS_OVER else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF],
        # blob: shows the chosen picture before it is sent.
        "img-src": [SELF, "blob:"],
        "connect-src": [SELF, *_direct],
        "manifest-src": [SELF],
        "form-action": [SELF, *_direct],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LOGGING_CONFIG = "service.logs.configure"
LOGGING = {"level": log_level()}
