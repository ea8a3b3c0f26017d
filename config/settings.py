"""Everything that differs between two installations comes from the environment (12-factor).

While an embedded stack runs in this folder, `config.stack.state` lends its addresses, so that
`manage.py …` talks to it without further settings; a variable that is set wins.
"""

import json
from pathlib import Path

from environs import Env, validate
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.dashboard.theme import THEME
from config.databases import databases
from config.schedule import SCHEDULE
from config.stack import state

BASE_DIR = Path(__file__).resolve().parent.parent
state.lend_environment(BASE_DIR)

env = Env()

# --- The process -----------------------------------------------------------------------------
DEBUG = env.bool("HOLDFAST_DEBUG", False)
PRODUCTION = env.bool("HOLDFAST_PRODUCTION", False)
# A fixed key is fine for a folder that nobody reaches; `check --deploy` refuses it in production.
SECRET_KEY = env.str("HOLDFAST_SECRET_KEY", "insecure-development-key-of-holdfast")
ALLOWED_HOSTS = env.list("HOLDFAST_ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]", "testserver"])
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = [
    # Before the admin, whose templates it replaces.
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "waffle",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "resilience",
    "payments",
    "orders",
    "analytics",
    "config",
]
MIDDLEWARE = [
    "config.middleware.RequestIdMiddleware",
    "resilience.telemetry.middleware.TelemetryMiddleware",
    "config.middleware.ReadableRequestMiddleware",
    "config.middleware.DeadlineMiddleware",
    "resilience.limits.throttling.RateLimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "resilience.flags.middleware.PinnedFlagsMiddleware",
    "resilience.routing.middleware.CausalityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.dashboard.second_factor.middleware.SecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
USE_I18N = False
# The admin's look asks for the language's own way of writing times; this is it.
FORMAT_MODULE_PATH = ["config.formats"]
DATETIME_FORMAT = "Y-m-d H:i:s"
STATIC_URL = "/static/"
STATIC_ROOT = env.path("HOLDFAST_STATIC_ROOT", BASE_DIR / ".holdfast" / "static")
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
LOGIN_REDIRECT_URL = "admin:index"
# Staff get no further than the page that sets up their second factor until they have one. Who has one is
# asked for it in any case.
SECOND_FACTOR_REQUIRED = env.bool("HOLDFAST_SECOND_FACTOR_REQUIRED", PRODUCTION)
OTP_TOTP_ISSUER = "Holdfast"
UNFOLD = THEME | {"DASHBOARD_CALLBACK": "config.dashboard.home.views.home_context"}

# --- PostgreSQL ------------------------------------------------------------------------------
# Timeouts (statement, lock, idle) and the UTC zone are settings of the database role, because a
# pooler in transaction mode passes on neither SET nor start-up options (docs/operations.md).
# A pool serves web threads; workers keep one connection a thread (celery #10554 closes pools).
POOL_SIZE_MAX = env.int("HOLDFAST_DB_POOL_SIZE_MAX", 0)
PRIMARY_URL = env.str("HOLDFAST_DATABASE_URL", "postgresql://holdfast@127.0.0.1:5432/holdfast")
REPLICA_URL = env.str("HOLDFAST_REPLICA_URL", "") or PRIMARY_URL
# Without a replica every read is the primary's own, and none is instead of another.
HAS_REPLICA = REPLICA_URL != PRIMARY_URL
# Reads of a lost replica that the primary answers at a time, of the 8 threads of a web process: the others
# are left to orders.
FALLBACK_READS_MAX = env.int("HOLDFAST_FALLBACK_READS_MAX", 6)
DATABASES = databases(
    urls={
        "default": PRIMARY_URL,
        "replica": REPLICA_URL,
        "dashboard": env.str("HOLDFAST_DASHBOARD_URL", "") or REPLICA_URL,
        "reports": env.str("HOLDFAST_REPORTS_URL", "") or REPLICA_URL,
    },
    pool_size_max=POOL_SIZE_MAX,
)
DATABASE_ROUTERS = ["resilience.routing.router.ReplicaRouter"]

# --- Redis: broker, cache and pulse are separate databases; nothing of value lives in either ---------
REDIS_URL = env.str("HOLDFAST_REDIS_URL", "redis://127.0.0.1:6379")
REDIS_TIMEOUT_S = 0.2
# What the processes tell one another (resilience/pulse): apart from the cache, which may be emptied.
PULSE_REDIS_URL = f"{REDIS_URL}/2"
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"{REDIS_URL}/1",
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT_S,
            "SOCKET_TIMEOUT": REDIS_TIMEOUT_S,
            "IGNORE_EXCEPTIONS": True,
            "CONNECTION_POOL_KWARGS": {"retry": Retry(NoBackoff(), 0)},
        },
    }
}

# Reads go through the cache (docs/caching.md). Off, everything still works, and reads PostgreSQL each time.
CACHING = env.bool("HOLDFAST_CACHING", True)

# --- Celery: an alarm clock. The saga row is the truth, a message is a hint (research 9) -------
CELERY_BROKER_URL = f"{REDIS_URL}/0"
CELERY_TASK_ROUTES = {"resilience.saga.run": {"queue": "sagas"}}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 5
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
# No task runs as long as this: a saga task is bounded by its lease, the others by seconds.
CELERY_TASK_TIME_LIMIT = 50
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 60,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
    "health_check_interval": 10,
}
# Celery closes a thread's database connections before and after each task unless told otherwise, and
# opening one costs more CPU than ten orders. `config.celery` drops one that broke.
CELERY_DB_REUSE_MAX = 10_000
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = SCHEDULE
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- Telemetry -------------------------------------------------------------------------------
# What a scraper of /metrics must show (Authorization: Bearer …); empty: anybody may read it.
METRICS_TOKEN = env.str("HOLDFAST_METRICS_TOKEN", "")

# --- The API ---------------------------------------------------------------------------------
BODY_BYTES_MAX = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_BYTES_MAX
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["resilience.apikeys.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["resilience.apikeys.permissions.HasPermission"],
    "DEFAULT_THROTTLE_CLASSES": ["resilience.limits.throttling.ApiKeyThrottle"],
    "DEFAULT_PARSER_CLASSES": ["resilience.rest.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "resilience.rest.negotiation.FirstRenderer",
    "DEFAULT_METADATA_CLASS": None,
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
    "DEFAULT_SCHEMA_CLASS": "config.schema.ProblemAwareSchema",
    "EXCEPTION_HANDLER": "config.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Holdfast",
    "DESCRIPTION": "Orders that are paid exactly once.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
}

# --- Limits (docs/limits.md) -------------------------------------------------------------------
# "on" turns requests away under overload, "shadow" only counts them.
SHEDDER = env.str("HOLDFAST_SHEDDER", "on", validate=validate.OneOf(["on", "shadow", "off"]))
# Only behind a proxy that overwrites X-Request-Start: else any client can make us turn others away.
TRUST_REQUEST_START = env.bool("HOLDFAST_TRUST_REQUEST_START", False)
# What an API key may do that has no limit of its own (`manage.py api_key_limit`): far above what a shop, an
# import or a replay sends, and a bound for a client that has gone mad.
THROTTLE_PER_S = env.float(
    "HOLDFAST_THROTTLE_PER_S", 1000.0, validate=validate.Range(min=0, min_inclusive=False)
)
THROTTLE_BURST = env.int("HOLDFAST_THROTTLE_BURST", 2000, validate=validate.Range(min=1))

# --- The event log (docs/events/README.md) -----------------------------------------------------
# Events are kept for so many days, and longer while a subscription or the lake has not read them.
EVENT_LOG_DAYS = env.int("HOLDFAST_EVENT_LOG_DAYS", 90, validate=validate.Range(min=2))

# --- Analytics (docs/lake.md) ------------------------------------------------------------------
# A folder, or s3://bucket/prefix; credentials are found as AWS's own tools find them.
LAKE_URL = env.str("HOLDFAST_LAKE_URL", str(BASE_DIR / ".holdfast" / "lake"))
LAKE_S3_ENDPOINT = env.str("HOLDFAST_LAKE_S3_ENDPOINT", "")
# An event is in the lake so many seconds after it was told, at the latest; sooner when there are many.
LAKE_BATCH_S = env.float("HOLDFAST_LAKE_BATCH_S", 10.0)
# Events of one commit at most: some ten megabytes in memory.
LAKE_BATCH_ROWS = env.int("HOLDFAST_LAKE_BATCH_ROWS", 20_000, validate=validate.Range(min=1))

# --- Webhooks out (docs/webhooks.md) -----------------------------------------------------------
# Hosts (names or addresses) that may be inside, in plain HTTP, on any port: receivers of one's own network.
WEBHOOKS_TRUSTED_HOSTS: list[str] = env.list("HOLDFAST_WEBHOOKS_TRUSTED_HOSTS", [])
# Certificates of one's own authority, for receivers that have one; empty: those of the system.
WEBHOOKS_CA_FILE = env.str("HOLDFAST_WEBHOOKS_CA_FILE", "")

# --- Payments --------------------------------------------------------------------------------
# One object per gateway account: {"name", "url", "secret_key", "return_url", "webhook_secrets"}; Stripe
# itself when "url" is absent. docs/gateways.md
GATEWAYS = json.loads(env.str("HOLDFAST_GATEWAYS", "[]"))

# --- Sagas -----------------------------------------------------------------------------------
# A worker that dies is noticed after this; longer than any single gateway call (10 s), so that a
# slow call does not look like a death.
SAGA_LEASE_S = env.float("HOLDFAST_SAGA_LEASE_S", 15.0)
# Points at which tests make a process die; never readable in production (resilience/crashpoints.py).
CRASHPOINTS = not PRODUCTION

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "config.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.str("HOLDFAST_LOG_LEVEL", "INFO")},
    "loggers": {"stripe": {"level": "WARNING"}, "httpx": {"level": "WARNING"}},
}
