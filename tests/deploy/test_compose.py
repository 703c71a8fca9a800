"""The production files, as far as they can be proven without a container engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from annotation_platform.embedded.supervisor import read_procfile

PROJECT_ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
EXAMPLE = (PROJECT_ROOT / "deploy" / "env.example").read_text()
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z0-9_]+)(?P<operator>:[?-])?(?P<rest>[^}]*)\}")
FILLED_IN = {
    "SECRET_KEY": "k" * 64,
    "FIELD_ENCRYPTION_KEYS": "a" * 43 + "=",
    "POSTGRES_PASSWORD": "postgres-password",
    "VALKEY_PASSWORD": "valkey-password",
    "S3_ACCESS_KEY": "access",
    "S3_SECRET_KEY": "secret",
    "SITE_HOST": "annotation.example.org",
    "MEDIA_HOST": "media.example.org",
    "PUBLIC_SCHEME": "https",
    "HTTPS": "1",
}


def filled_in(text: str) -> str:
    """`text` with compose's variables replaced as compose would, `$$` included."""

    def value(match: re.Match[str]) -> str:
        if match["operator"] == ":-":
            return FILLED_IN.get(match["name"], match["rest"])
        return FILLED_IN[match["name"]]

    return VARIABLE.sub(value, text).replace("$$", "$")


def test_every_service_the_platform_needs_is_there_once() -> None:
    assert set(SERVICES) == {
        "web", "worker", "beat", "migrate", "bucket", "static",
        "postgres", "valkey", "storage", "nginx",
    }  # fmt: skip


def test_references_between_services_volumes_and_files_hold() -> None:
    volumes = set()
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[other]["healthcheck"], f"{name} waits for {other}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (PROJECT_ROOT / source).is_file(), source
            else:
                volumes.add(source)
        for config in service.get("configs", []):
            assert config["source"] in COMPOSE["configs"]
    assert volumes == set(COMPOSE["volumes"])


def test_no_secret_has_a_default_and_the_example_names_every_required_variable() -> None:
    text = (PROJECT_ROOT / "docker-compose.yml").read_text()
    required = {m["name"] for m in VARIABLE.finditer(text) if m["operator"] == ":?"}
    with_default = {m["name"] for m in VARIABLE.finditer(text) if m["operator"] == ":-"}
    bare = {m["name"] for m in VARIABLE.finditer(text) if m["operator"] is None}
    assert bare == set()
    assert not [name for name in with_default if re.search("KEY|PASSWORD|SECRET", name)]
    assert required == set(re.findall(r"^([A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)) == set(FILLED_IN)
    for name in (
        "SECRET_KEY",
        "FIELD_ENCRYPTION_KEYS",
        "POSTGRES_PASSWORD",
        "VALKEY_PASSWORD",
        "S3_SECRET_KEY",
    ):
        assert re.search(rf"^{name}=$", EXAMPLE, re.MULTILINE), f"{name} has a value in the example"


@pytest.mark.parametrize("name", [name for name in OURS if "command" in OURS[name]])
def test_our_commands_exist(name: str) -> None:
    program, *arguments = OURS[name]["command"]
    if program == "sh":
        assert arguments[0] == "-c"
        program, *arguments = arguments[1].split()
    if program == "python":
        assert (PROJECT_ROOT / arguments[0]).is_file()
        shown = subprocess.run(
            [sys.executable, arguments[0], arguments[1], "--help"],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert shown.returncode == 0, shown.stderr
        for option in arguments[2:]:
            if option.startswith("--"):
                assert option in shown.stdout or option == "--no-input"
    else:
        assert shutil.which(program, path=f"{Path(sys.executable).parent}:/bin:/usr/bin"), program
    for path in re.findall(r"deploy/[\w.-]+", " ".join(arguments)):
        assert (PROJECT_ROOT / path).is_file(), path


def test_container_and_procfile_start_the_same_programs() -> None:
    procfile = read_procfile(PROJECT_ROOT / "Procfile")
    dockerfile = (PROJECT_ROOT / "Dockerfile").read_text()
    last = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)[-1]
    assert json.loads(last) == ["sh", "-c", f"exec {procfile['web']}"]
    for name in ("worker", "beat"):
        words = procfile[name].split()
        assert SERVICES[name]["command"][:4] == words[:4]
    assert "USER 10001" in dockerfile


def test_the_worker_serves_every_queue_that_jobs_are_routed_to() -> None:
    routed = {settings.CELERY_TASK_DEFAULT_QUEUE}
    routed |= {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    command = SERVICES["worker"]["command"]
    assert set(command[command.index("--queues") + 1].split(",")) == routed


def test_settings_load_in_the_environment_of_the_containers() -> None:
    """The platform's own checks pass, and media, database and broker are the services' own."""
    environment = {
        key: filled_in(str(value)) for key, value in SERVICES["web"]["environment"].items()
    }
    program = """
import json
from django.conf import settings
from django.core.files.storage import storages
import django
django.setup()
media = storages["media"]
print(json.dumps({
    "database": settings.DATABASES["default"]["HOST"],
    "broker": settings.CELERY_BROKER_URL,
    "endpoint": media.endpoint_url,
    "bucket": media.bucket_name,
    "hosts": settings.ALLOWED_HOSTS,
    "debug": settings.DEBUG,
    "secure": settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE,
}))
"""
    path = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "annotation_platform.settings"}
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT_ROOT,
        env=environment | path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "database": "postgres",
        "broker": "redis://:valkey-password@valkey:6379/0",
        "endpoint": "https://media.example.org",
        "bucket": "videos",
        "hosts": ["annotation.example.org", "localhost"],
        "debug": False,
        "secure": True,
    }
    assert "postgres" in SERVICES
    assert "valkey" in SERVICES


def test_the_store_gets_valid_credentials_for_our_bucket() -> None:
    identities = json.loads(filled_in(COMPOSE["configs"]["s3"]["content"]))["identities"]
    assert [i["credentials"] for i in identities] == [
        [{"accessKey": "access", "secretKey": "secret"}]
    ]


def test_nginx_sends_requests_to_services_that_exist() -> None:
    template = (PROJECT_ROOT / "deploy" / "nginx.conf.template").read_text()
    upstreams = set(re.findall(r"proxy_pass http://([a-z]+):(\d+);", template))
    assert upstreams == {("web", "8000"), ("storage", "8333")}
    variables = set(re.findall(r"\$\{([A-Z_]+)\}", template))
    environment = SERVICES["nginx"]["environment"]
    assert variables <= set(environment)
    pattern = environment["NGINX_ENVSUBST_FILTER"].replace("$$", "$")
    assert all(re.search(pattern, name) for name in variables)
