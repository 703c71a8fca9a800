"""All settings, read from the environment once.

Everything has a default that suits `make run` on one machine except what must differ per
installation; with DEBUG off, a missing SECRET_KEY stops the start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured

django_stubs_ext.monkeypatch()  # lets `ModelAdmin[Event]` and the like run, not only type-check

BASE_DIR = Path(__file__).resolve().parent.parent
RUN_DIR = BASE_DIR / ".run"

env = environ.Env()

DEBUG: bool = env.bool("DEBUG", default=False)
TESTING: bool = env.bool("PLATFORM_TESTING", default=False)
# Lets `demo_setup` make accounts whose password is published.
PLATFORM_DEMO: bool = env.bool("PLATFORM_DEMO", default=False)
SECRET_KEY: str = env.str("SECRET_KEY", default="insecure-demo-key" if DEBUG or TESTING else "")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set it to a long random text, or DEBUG=1 for a demo."
    )
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_URL: str = env.str("SITE_URL", default="http://127.0.0.1:8000")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "knox",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "annotation_platform.api",
    "events",
    "contractors",
    "videos",
    "tasks",
    "payouts",
    "reviews",
    "reports",
    "web",
    "demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Claim and hand-in by token, as fast as they can be; everything else passes through.
    "tasks.short_way.ShortWay",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "web.frame.PageHeaders",
]

ROOT_URLCONF = "annotation_platform.urls"
WSGI_APPLICATION = "annotation_platform.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "web.frame.surroundings",
            ],
        },
    },
]

# Persistent connections with server-side prepared statements: a pool that plans every
# statement again lost half of the claim rate when measured (docs/performance.md).
_database: dict[str, Any] = env.db_url("DATABASE_URL", default="postgresql:///annotation_platform")
_database["CONN_MAX_AGE"] = None
_database["CONN_HEALTH_CHECKS"] = True
_database["OPTIONS"] = {
    **_database.get("OPTIONS", {}),
    "prepare_threshold": 5,
    "server_side_binding": True,
}
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL: str = env.str("REDIS_URL", default="redis://127.0.0.1:6379")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.str("CACHE_URL", default=REDIS_URL),
        # Tests run side by side on one server: what one of them clears or counts is its own.
        "KEY_PREFIX": "cache" + (env.str("PYTEST_XDIST_WORKER", default="") if TESTING else ""),
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

# --- People and sign-in -----------------------------------------------------------------

AUTH_USER_MODEL = "contractors.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if TESTING:  # a slow hash in every test buys nothing
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGIN_URL = "/log-in/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/log-in/"

REST_KNOX = {
    "TOKEN_TTL": None,
    "TOKEN_LIMIT_PER_USER": 20,
    "AUTO_REFRESH": False,
    "AUTH_HEADER_PREFIX": "Token",
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "annotation_platform.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["annotation_platform.api.parsers.StorableJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "annotation_platform.api.pagination.NewestFirst",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "annotation_platform.api.schema.ProblemAwareSchema",
    "DEFAULT_THROTTLE_RATES": {"sign-in": "20/min", "password": "10/min"},
    # How many proxies in front of us append to X-Forwarded-For. Left open, DRF believes the whole
    # header, and whoever changes it with every request is never throttled.
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
    "EXCEPTION_HANDLER": "annotation_platform.api.handler.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Annotation Platform API",
    "DESCRIPTION": (
        "Claim video-annotation tasks, submit frame-exact timelines, see what you earned and why. "
        "Frames are half-open `[start_frame, end_frame)`; money is in integer cents. "
        "Errors are RFC 9457 problems (`application/problem+json`)."
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Several rows have a "state" or a "kind": each its own name in the schema.
    "ENUM_NAME_OVERRIDES": {
        "ContractorState": "contractors.models.Contractor.State",
        "VideoState": "videos.models.Video.State",
        "VideoJobState": "videos.models.VideoJob.State",
        "VideoJobStage": "videos.models.VideoJob.Stage",
        "MediaKind": [("proxy", "proxy"), ("source", "source")],
        "UploadState": "videos.models.Upload.State",
        "ProjectState": "tasks.models.Project.State",
        "TaskState": "tasks.models.Task.State",
        "AssignmentState": "tasks.models.Assignment.State",
        "SubmissionState": "tasks.models.Submission.State",
        "ScreeningVerdict": "tasks.models.Submission.Verdict",
        "PayableKind": "payouts.models.Payable.Kind",
        "PayableState": "payouts.models.Payable.State",
        "PayoutState": "payouts.models.Payout.State",
        "BankReportState": "payouts.models.BankReport.State",
        "PayoutRunState": "payouts.models.PayoutRun.State",
        "PayoutAttemptOutcome": "payouts.models.PayoutAttempt.Outcome",
        "Rail": "payouts.models.Rail",
        "TaxFormKind": "payouts.models.TaxForm.Kind",
        "ReviewKind": "reviews.models.Review.Kind",
        "ReviewState": "reviews.models.Review.State",
        "RunKind": "reviews.models.Run.Kind",
        "RunState": "reviews.models.Run.State",
    },
}

# --- Jobs ---------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
# The sweep must not wait behind the long jobs that it looks after, nor a person who registers
# videos behind the proxies of others.
CELERY_TASK_ROUTES = {
    "videos.sweep": {"queue": "default"},
    "videos.register_rows": {"queue": "default"},
    "videos.*": {"queue": "video"},
}
# A row is the truth and every job can run twice: hand a job back when its worker dies.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request must not hang when the broker is away: the sweep will find the row.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 1,
    "socket_timeout": 5,
}
# How long what follows a message waits, to go with the next one (annotation_platform/gathered.py).
GATHER_JOBS_SECONDS: float = env.float("GATHER_JOBS_SECONDS", default=0.0 if TESTING else 0.2)
SWEEP_SECONDS: float = env.float("SWEEP_SECONDS", default=30.0)
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "api.purge_idempotency_keys": {"task": "api.purge_idempotency_keys", "schedule": 3600.0},
    "contractors.end_restrictions": {
        "task": "contractors.end_restrictions",
        "schedule": SWEEP_SECONDS,
    },
    "tasks.expire_leases": {"task": "tasks.expire_leases", "schedule": SWEEP_SECONDS},
    "tasks.submit_overdue_rework": {
        "task": "tasks.submit_overdue_rework",
        "schedule": SWEEP_SECONDS,
    },
    "tasks.spread_queue_order": {"task": "tasks.spread_queue_order", "schedule": 15.0},
    "tasks.measure_paces": {"task": "tasks.measure_paces", "schedule": 900.0},
    "reviews.sweep_scores": {"task": "reviews.sweep_scores", "schedule": SWEEP_SECONDS},
    "reviews.expire_leases": {"task": "reviews.expire_leases", "schedule": SWEEP_SECONDS},
    "reviews.auto_accept": {"task": "reviews.auto_accept", "schedule": 600.0},
    "reviews.sweep_consensus": {"task": "reviews.sweep_consensus", "schedule": SWEEP_SECONDS},
    "reviews.sweep_runs": {"task": "reviews.sweep_runs", "schedule": SWEEP_SECONDS},
    "reviews.sweep_gold": {"task": "reviews.sweep_gold", "schedule": 600.0},
    "videos.sweep": {"task": "videos.sweep", "schedule": SWEEP_SECONDS},
    "payouts.credit_decided": {"task": "payouts.credit_decided", "schedule": 3600.0},
    "payouts.sweep_payouts": {"task": "payouts.sweep_payouts", "schedule": 60.0},
    "payouts.sweep_reports": {"task": "payouts.sweep_reports", "schedule": 60.0},
    "payouts.make_statements": {"task": "payouts.make_statements", "schedule": 3600.0},
    "payouts.end_holds": {"task": "payouts.end_holds", "schedule": 900.0},
    "payouts.check_ledger": {"task": "payouts.check_ledger", "schedule": 86_400.0},
}

# --- Money (docs/money.md) ---------------------------------------------------------------------

# Fernet keys, the first one encrypts; `python -c "from cryptography.fernet import Fernet;
# print(Fernet.generate_key().decode())"` makes one. Needed in production once details are stored.
FIELD_ENCRYPTION_KEYS: list[str] = env.list("FIELD_ENCRYPTION_KEYS", default=[])
STRIPE_API_KEY: str = env.str("STRIPE_API_KEY", default="")
STRIPE_API_BASE: str = env.str("STRIPE_API_BASE", default="https://api.stripe.com")
STRIPE_WEBHOOK_SECRET: str = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_TIMEOUT_SECONDS: float = env.float("STRIPE_TIMEOUT_SECONDS", default=20.0)
NACHA_ORIGIN_ROUTING: str = env.str("NACHA_ORIGIN_ROUTING", default="091000019")
NACHA_COMPANY_ID: str = env.str("NACHA_COMPANY_ID", default="1234567890")

# --- Files --------------------------------------------------------------------------------

MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(RUN_DIR / "media"))
STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(RUN_DIR / "static"))


def _media_storage(url: str) -> dict[str, Any]:
    """`file:///path` or `s3://key:secret@host:port/bucket?region=…&scheme=https`."""
    if url.startswith("s3://"):
        parts = urlsplit(url)
        query = dict(p.split("=", 1) for p in parts.query.split("&") if "=" in p)
        options: dict[str, Any] = {
            "bucket_name": parts.path.strip("/"),
            "region_name": query.get("region", "us-east-1"),
            # boto3 still presigns with V2 in us-east-1 or with an endpoint unless told.
            "signature_version": "s3v4",
            "default_acl": None,
            "file_overwrite": False,
            "querystring_auth": True,
        }
        if parts.username:
            options["access_key"] = unquote(parts.username)
            options["secret_key"] = unquote(parts.password or "")
        if parts.hostname:
            port = f":{parts.port}" if parts.port else ""
            options["endpoint_url"] = f"{query.get('scheme', 'https')}://{parts.hostname}{port}"
            options["addressing_style"] = "path"
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    location = url.removeprefix("file://") or MEDIA_ROOT
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": location},
    }


STORAGE_URL: str = env.str("STORAGE_URL", default="")
STORAGES = {
    "default": _media_storage(STORAGE_URL),
    "media": _media_storage(STORAGE_URL),
    # What a restored database must not forget (docs/money.md): never roll it back with a backup.
    "witnesses": _media_storage(env.str("WITNESS_STORAGE_URL", default="") or STORAGE_URL),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Language, time, safety ------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
HTTPS: bool = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
