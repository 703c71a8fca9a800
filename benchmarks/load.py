"""A small HTTP/1.1 load generator: many keep-alive connections, one thread, about 0.1 ms a request.

It counts its own CPU, so that a reader sees how much of the machine it took from the server.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """Status, body, and the seconds from sending the first byte to having the last."""

    status: int
    body: bytes
    seconds: float
    headers: bytes = b""


@dataclass
class Figures:
    """What a run of a number of clients measured."""

    seconds: float = 0.0
    client_cpu: float = 0.0
    latencies: dict[str, list[float]] = field(default_factory=dict)

    def note(self, operation: str, seconds: float) -> None:
        self.latencies.setdefault(operation, []).append(seconds * 1000)

    def count(self, operation: str) -> int:
        return len(self.latencies.get(operation, ()))

    def rate(self, operation: str) -> float:
        """Operations per second over the whole run."""
        return self.count(operation) / self.seconds


class Connection(asyncio.Protocol):
    """One request at a time over one kept connection; opened again when the server closed it.

    Arguments:
        keep: False opens a connection per request, for servers that hang up after each.
    """

    def __init__(self, port: int, *, keep: bool = True) -> None:
        self._port = port
        self._keep = keep
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        # `close()` has let go of it already; by now there may be the next one.
        if self._transport is not None and self._transport.is_closing():
            self._transport = None
            self._wake()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if _is_complete(self._received):
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request and wait for the whole answer.

        Raises `ConnectionError` when the server hangs up before it has answered.
        """
        loop = asyncio.get_running_loop()
        if self._transport is None:
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        assert self._transport is not None
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        self._received = b""
        self._waiting = loop.create_future()
        began = time.perf_counter()
        self._transport.write("\r\n".join(lines).encode() + body)
        await self._waiting
        seconds = time.perf_counter() - began
        if not _is_complete(self._received):
            raise ConnectionError(f"{method} {path}: the server hung up: {self._received[:200]!r}")
        head, _, rest = self._received.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            rest = _joined_chunks(rest)
        if not self._keep or b"connection: close" in head.lower():
            self.close()
        return Answer(int(head[9:12]), rest, seconds, head)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def _is_complete(received: bytes) -> bool:
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        return False
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at >= 0:
        return len(rest) >= int(lower[at + 15 :].split(b"\r\n", 1)[0])
    if b"transfer-encoding: chunked" in lower:
        return rest.endswith(b"0\r\n\r\n")
    return head[9:12] in (b"204", b"304")


def _joined_chunks(body: bytes) -> bytes:
    joined = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        joined += body[:length]
        body = body[length + 2 :]
        if length == 0:
            break
    return joined


Visitor = Callable[[Connection, Figures], Awaitable[None]]


def drive(port: int, visits: list[Visitor], *, clients: int, keep: bool = True) -> Figures:
    """Let `clients` connections work off the visits, each taking the next when it is done."""
    # In a thread of its own: the caller's may run a loop already, as a browser's tests do.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _drive(port, visits, clients, keep)).result()


async def _drive(port: int, visits: list[Visitor], clients: int, keep: bool) -> Figures:
    figures = Figures()
    left = iter(visits)

    async def client() -> None:
        connection = Connection(port, keep=keep)
        try:
            for visit in left:
                await visit(connection, figures)
        finally:
            connection.close()

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    figures.seconds = time.perf_counter() - began
    figures.client_cpu = time.process_time() - cpu
    return figures
