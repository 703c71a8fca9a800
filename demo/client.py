"""A small client of the public API: the standard library, nothing else."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 30
MAX_TRIES = 3


@dataclass(frozen=True)
class Answer:
    """What the server said: status, JSON (None without a body) and headers."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """The name of the problem, `not-eligible`; empty when it is none (RFC 9457)."""
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""
        return kind.removeprefix("/problems/") if self.status >= 400 else ""

    @property
    def detail(self) -> str:
        """The problem in words."""
        return str(self.body.get("detail") or self.body.get("title") or "") if self.problem else ""


class Client:
    """Somebody who talks to the API at `url`, signed in once `sign_in` was called."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._token = ""

    def sign_in(self, email: str, password: str) -> Answer:
        """Get a token and send it from now on."""
        answer = self.post("tokens/", {"email": email, "password": password})
        if answer.status == 201:
            self._token = answer.body["token"]
        return answer

    def get(self, path: str) -> Answer:
        """GET below /api/v1/, or any path that starts with a slash."""
        return self._send("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        """POST JSON under a fresh Idempotency-Key, so that a lost answer can be asked for again."""
        return self._send("POST", path, body, {"Idempotency-Key": str(uuid.uuid4())})

    def patch(self, path: str, body: Any) -> Answer:
        """PATCH JSON."""
        return self._send("PATCH", path, body)

    def put(self, path: str, body: Any, *, if_match: str) -> Answer:
        """PUT JSON as a change of the revision `if_match`."""
        return self._send("PUT", path, body, {"If-Match": if_match})

    def upload(self, path: str, file: Path, **fields: str) -> Answer:
        """POST a file as multipart/form-data."""
        boundary = uuid.uuid4().hex
        parts = [
            f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
            for name, value in fields.items()
        ]
        head = f'Content-Disposition: form-data; name="file"; filename="{file.name}"\r\n'
        parts.append(f"{head}Content-Type: video/mp4\r\n\r\n".encode() + file.read_bytes())
        data = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
        data += b"--%s--\r\n" % boundary.encode()
        return self._send(
            "POST", path, data, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        )

    def _send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        url = self.url + (path if path.startswith("/") else f"/api/v1/{path}")
        sent = {"Accept": "application/json", **(headers or {})}
        if self._token:
            sent["Authorization"] = f"Token {self._token}"
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        for attempt in range(1, MAX_TRIES + 1):
            answer = _once(urllib.request.Request(url, data, sent, method=method))
            if answer.status != 429 or attempt == MAX_TRIES:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        return answer


def _once(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
            return _answer(reply.status, reply.read(), dict(reply.headers))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return _answer(refusal.code, refusal.read(), dict(refusal.headers))


def _answer(status: int, content: bytes, headers: dict[str, str]) -> Answer:
    try:
        body = json.loads(content) if content else None
    except ValueError:
        body = content.decode(errors="replace")
    return Answer(status, body, headers)
