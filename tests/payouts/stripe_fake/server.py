"""A stateful Stripe on loopback that the real SDK talks to: accounts, transfers, idempotency.

What it does as Stripe documents it: a result is saved under its key once execution began, 500s
included, and replayed for 24 hours, then the key is forgotten; a key reused for other parameters
is an `idempotency_error`; requests refused before execution (401, 409, 429) save nothing.
Time is virtual: `advance()`. Faults are queued and hit the next creating requests in order.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY_SECONDS = 24 * 3600

FAULTS = (
    "lost_before",  # the connection drops before anything happened
    "lost_after",  # it paid, and the connection dropped
    "hang_after",  # it paid, and does not answer in time
    "500_before",  # it broke before paying; the 500 is saved under the key
    "500_after",  # it paid, then broke; the 500 is saved under the key
    "502",  # a proxy on the way; nothing reached it, nothing is saved
    "409",  # another request under the key is running
    "429",  # too many requests
    "401",  # our API key is wrong for a moment
)


@dataclass
class Saved:
    fingerprint: str
    status: int
    body: dict[str, Any]
    at: float


@dataclass
class StripeFake:
    """The server and its state. Use as a context manager."""

    secret: str = "whsec_test"
    now: float = field(default_factory=time.time)
    accounts: set[str] = field(default_factory=set)
    transfers: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, Saved] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    look_up_is_down: bool = False
    list_lag_seconds: float = 0.0  # until a new transfer is in the lists
    made_at: dict[str, float] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    creates: list[tuple[str, str]] = field(default_factory=list)  # (key, body) as received

    def __enter__(self) -> StripeFake:
        self._lock = threading.RLock()
        self._release = threading.Event()
        fake = self

        class Handler(_Handler):
            stripe = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    # --- what a test does to it ---------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; old keys are forgotten."""
        with self._lock:
            self.now += seconds
            self.keys = {
                key: saved for key, saved in self.keys.items() if self.now - saved.at < KEY_SECONDS
            }

    def account(self) -> str:
        """A connected account that can be paid."""
        name = f"acct_{len(self.accounts) + 1:04d}test"
        self.accounts.add(name)
        return name

    def paid_cents(self, reference: str) -> list[int]:
        """What really went out under one of our references: one number per payment."""
        return [
            t["amount"] - t["amount_reversed"]
            for t in self.transfers.values()
            if t["transfer_group"] == reference
        ]

    def reverse(self, transfer: str) -> None:
        """The money comes back (`transfer.reversed`)."""
        with self._lock:
            row = self.transfers[transfer]
            row["reversed"], row["amount_reversed"] = True, row["amount"]
            self._emit("transfer.reversed", row)

    def signed(self, event: dict[str, Any], *, secret: str = "", at: int = 0) -> tuple[bytes, str]:
        """A webhook's body and its `Stripe-Signature`."""
        body = json.dumps(event).encode()
        moment = at or int(time.time())  # the SDK compares with the real clock
        mac = hmac.new(
            (secret or self.secret).encode(), f"{moment}.".encode() + body, hashlib.sha256
        )
        return body, f"t={moment},v1={mac.hexdigest()}"

    # --- what it does --------------------------------------------------------------------

    def create(self, params: dict[str, str], raw: str, key: str) -> tuple[int, dict[str, Any]]:
        with self._lock:
            self.creates.append((key, raw))
            fault = self.faults.pop(0) if self.faults else ""
            if fault in ("lost_before", "502"):
                return (502, _error("api_error", "Bad gateway")) if fault == "502" else _LOST
            if fault in ("401", "409", "429"):
                return int(fault), _error("invalid_request_error", f"status {fault}")
            saved = self.keys.get(key)
            if saved is not None:
                if saved.fingerprint != raw:
                    return 400, _error("idempotency_error", "Keys can only be used once.")
                return saved.status, saved.body
            if fault == "500_before":
                status, body = 500, _error("api_error", "It broke before.")
            else:
                status, body = self._execute(params)
                if fault == "500_after":
                    status, body = 500, _error("api_error", "It broke after.")
            self.keys[key] = Saved(raw, status, body, self.now)
        if fault == "lost_after":
            return _LOST
        if fault == "hang_after":
            self._release.wait(timeout=10)
            return _LOST
        return status, body

    def _execute(self, params: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if params.get("destination") not in self.accounts:
            return 400, _error("invalid_request_error", "No such destination")
        amount = params.get("amount", "")
        if not amount.isdigit() or int(amount) < 1:
            return 400, _error("invalid_request_error", "Invalid amount")
        row = {
            "id": f"tr_{len(self.transfers) + 1:06d}",
            "object": "transfer",
            "amount": int(amount),
            "amount_reversed": 0,
            "currency": params["currency"],
            "destination": params["destination"],
            "transfer_group": params.get("transfer_group", ""),
            "metadata": {"payout": params.get("metadata[payout]", "")},
            "reversed": False,
            "created": int(max(self.now, time.time())),
        }
        self.transfers[str(row["id"])] = row
        self.made_at[str(row["id"])] = self.now
        self._emit("transfer.created", row)
        return 200, row

    def _emit(self, kind: str, row: dict[str, Any]) -> None:
        self.events.append(
            {
                "id": f"evt_{len(self.events) + 1:06d}",
                "object": "event",
                "type": kind,
                "created": int(self.now),
                "data": {"object": dict(row)},
            }
        )


_LOST: tuple[int, dict[str, Any]] = (0, {})


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


class _Handler(BaseHTTPRequestHandler):
    stripe: StripeFake
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if urlsplit(self.path).path == "/v1/transfers":
            key = self.headers.get("Idempotency-Key", "")
            self._answer(*self.stripe.create(dict(parse_qsl(raw)), raw, key))
        else:
            self._answer(404, _error("invalid_request_error", "Unknown address"))

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self.stripe.look_up_is_down:
            self._answer(503, _error("api_error", "Down"))
        elif parts.path == "/v1/transfers":
            group = dict(parse_qsl(parts.query)).get("transfer_group")
            listed_since = self.stripe.now - self.stripe.list_lag_seconds
            rows = [
                t
                for t in list(self.stripe.transfers.values())
                if t["transfer_group"] == group and self.stripe.made_at[t["id"]] <= listed_since
            ]
            self._answer(
                200, {"object": "list", "data": rows, "has_more": False, "url": parts.path}
            )
        else:
            row = self.stripe.transfers.get(parts.path.rsplit("/", 1)[-1])
            missing = _error("invalid_request_error", "No such transfer")
            self._answer(*((200, row) if row else (404, missing)))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        if status == 0:  # the connection is lost
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
