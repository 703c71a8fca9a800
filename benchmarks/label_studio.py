"""Label Studio beside ours: `GET next` + submit of 50 segments, on the same PostgreSQL.

It is not among the requirements; give a virtual environment that has it:

    python3 -m venv /tmp/label-studio && /tmp/label-studio/bin/pip install label-studio uwsgi

With uwsgi it is served as its production command does (master and 4 workers), else by its own
development server. Analytics and version checks are off; nothing leaves the machine.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from annotation_platform.embedded.ports import free_port
from annotation_platform.embedded.postgres import SUPERUSER
from benchmarks.load import Connection, Figures, Visitor, drive
from benchmarks.stack import Cluster, Server, serving
from benchmarks.table import Round
from benchmarks.visits import Refused, timeline

PEOPLE = 32

_SEED = """
import json, os, sys
import django
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0, interactive=False)
from organizations.models import Organization
from projects.models import Project
from rest_framework.authtoken.models import Token
from tasks.models import Task
from users.models import User

people, tasks = int(sys.argv[1]), int(sys.argv[2])
first = User.objects.create_user(email="annotator-0@example.org", password="not a secret")
organization = Organization.create_organization(
    created_by=first, title="Benchmark", legacy_api_tokens_enabled=True
)
tokens = []
for number in range(people):
    user = first
    if number:
        user = User.objects.create_user(
            email=f"annotator-{number}@example.org", password="not a secret"
        )
        organization.add_user(user)
    user.active_organization = organization
    user.save()
    tokens.append(Token.objects.get_or_create(user=user)[0].key)
project = Project.objects.create(
    title="Benchmark",
    created_by=first,
    organization=organization,
    maximum_annotations=1,
    label_config=sys.argv[3],
)
Task.objects.create(project=project, data={"video": "/v.mp4"}, overlap=1, inner_id=1)
with connection.cursor() as cursor:
    columns = [
        field.column for field in Task._meta.concrete_fields
        if field.column not in ("id", "inner_id")
    ]
    names = ", ".join(columns)
    cursor.execute(
        f"INSERT INTO task (inner_id, {names}) SELECT number, {names}"
        f" FROM task, generate_series(2, {tasks}) number"
    )
    cursor.execute("VACUUM (ANALYZE)")
from importlib.metadata import version
print(json.dumps({
    "project": project.pk, "tokens": tokens, "version": version("label-studio")
}))
"""

_CONFIG = """<View><Video name="video" value="$video"/><TimelineLabels name="act" toName="video">
<Label value="pick_up"/><Label value="pour"/><Label value="put_down"/></TimelineLabels></View>"""


def _annotation() -> bytes:
    result = [
        {
            "id": f"segment{number}",
            "type": "timelinelabels",
            "from_name": "act",
            "to_name": "video",
            "value": {
                "ranges": [{"start": row["start_frame"] + 1, "end": row["end_frame"]}],
                "timelinelabels": [row["action_type"]],
            },
            "meta": {"text": [row["description"]]},
        }
        for number, row in enumerate(timeline())
    ]
    return json.dumps({"result": result, "lead_time": 60.0}).encode()


@dataclass
class Peer:
    """A running Label Studio with a project of open tasks."""

    cluster: Cluster
    server: Server
    version: str
    how: str
    project: int
    tokens: list[str]
    given: list[int] = field(default_factory=list)
    _body: bytes = field(default_factory=_annotation)

    def cycle(self, *, clients: int, times: int) -> Round:
        """`times` cycles in all, each client one person; latencies are those of whole cycles."""
        each = max(1, times // clients)
        visits = [self._visit(token, each) for token in self.tokens[:clients]]
        server, database = self.server.cpu(), self.cluster.cpu()
        figures = drive(self.server.port, visits, clients=clients, keep=False)
        server, database = self.server.cpu() - server, self.cluster.cpu() - database
        done = figures.count("cycle")
        return Round(
            figures.rate("cycle"),
            figures.latencies["cycle"],
            server * 1000 / done,
            database * 1000 / done,
        )

    def given_twice(self) -> int:
        """How many answers of `next` named a task that somebody had been given before."""
        return len(self.given) - len(set(self.given))

    def memory_mb(self) -> float:
        return self.server.memory_mb()

    def _visit(self, token: str, times: int) -> Visitor:
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

        async def visit(connection: Connection, figures: Figures) -> None:
            for _ in range(times):
                path = f"/api/projects/{self.project}/next/"
                found = await connection.ask("GET", path, b"", headers)
                if found.status != 200:
                    raise Refused(f"next: {found.status} {found.body[:400]!r}")
                task = json.loads(found.body)["id"]
                self.given.append(task)
                figures.note("claim", found.seconds)
                path = f"/api/tasks/{task}/annotations/"
                sent = await connection.ask("POST", path, self._body, headers)
                if sent.status != 201:
                    raise Refused(f"submit: {sent.status} {sent.body[:400]!r}")
                figures.note("submit", sent.seconds)
                figures.note("cycle", found.seconds + sent.seconds)

        return visit


@contextlib.contextmanager
def serving_project(cluster: Cluster, venv: Path, *, tasks: int) -> Iterator[Peer]:
    """Seed Label Studio in a database of its own and serve it."""
    bin_folder = venv.resolve() / "bin"
    program = next((venv.resolve() / "lib").glob("python3*/site-packages/label_studio"))
    database = f"label_studio_{tasks}"
    cluster.sql(f'CREATE DATABASE "{database}" TEMPLATE template0 ENCODING UTF8')
    data = cluster.home / database
    data.mkdir()
    environment = {
        "PATH": f"{bin_folder}:/usr/bin:/bin",
        "HOME": str(data),
        "PYTHONPATH": str(program),
        "DJANGO_SETTINGS_MODULE": "core.settings.label_studio",
        "DJANGO_DB": "default",
        "POSTGRE_NAME": database,
        "POSTGRE_USER": SUPERUSER,
        "POSTGRE_HOST": cluster.socket,
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "COLLECT_ANALYTICS": "0",
        "LATEST_VERSION_CHECK": "0",
        "DEBUG": "0",
        "LOG_LEVEL": "ERROR",
        "SECRET_KEY": "benchmark",
    }
    done = subprocess.run(
        [str(bin_folder / "python"), "-c", _SEED, str(PEOPLE), str(tasks), _CONFIG],
        env=environment,
        cwd=program,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"Label Studio was not seeded:\n{done.stdout}\n{done.stderr}"[-4000:])
    made = json.loads(done.stdout.splitlines()[-1])
    port = free_port()
    if (bin_folder / "uwsgi").exists():
        how = "uwsgi, master and 4 workers"
        command = [str(bin_folder / "uwsgi"), "--http", f"127.0.0.1:{port}"]
        command += ["--module", "core.wsgi:application", "--virtualenv", str(venv.resolve())]
        command += ["--master", "--workers", "4", "--single-interpreter", "--need-app"]
        command += ["--buffer-size", "65535", "--http-timeout", "300", "--die-on-term"]
        command += ["--disable-logging"]
    else:
        how = "its development server"
        command = [str(bin_folder / "label-studio"), "start", "--no-browser", "--port", str(port)]
    with serving(
        database,
        command,
        port=port,
        environment=environment,
        folder=cluster.home,
        cwd=program,
        ready="/health",
    ) as server:
        yield Peer(cluster, server, made["version"], how, made["project"], made["tokens"])
