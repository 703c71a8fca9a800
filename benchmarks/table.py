"""Rows of a benchmark's table, as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 … 1) of them lie; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass(frozen=True)
class Round:
    """One round of one operation.

    Arguments:
        rate: per second.
        latencies: milliseconds, any order.
        server_ms, database_ms: CPU milliseconds per operation, where they are known.
    """

    rate: float
    latencies: Sequence[float]
    server_ms: float | None
    database_ms: float | None


@dataclass(frozen=True)
class Summary:
    """Medians over rounds; latency percentiles are medians of each round's."""

    rate: float
    p50: float
    p99: float
    server_ms: float | None
    database_ms: float | None

    @classmethod
    def of(cls, rounds: Sequence[Round]) -> Summary:
        return cls(
            median(r.rate for r in rounds),
            median(percentile(r.latencies, 0.5) for r in rounds),
            median(percentile(r.latencies, 0.99) for r in rounds),
            _known(r.server_ms for r in rounds),
            _known(r.database_ms for r in rounds),
        )

    @property
    def cpu_ms(self) -> float:
        """Server and database together."""
        return (self.server_ms or 0.0) + self.database

    @property
    def database(self) -> float:
        """CPU of the database where it must be known."""
        assert self.database_ms is not None, "not measured for a step of a cycle"
        return self.database_ms


def _known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


HEAD = (
    "| operation | tasks | clients | per s | p50 ms | p99 ms | server CPU ms | database CPU ms"
    " | ratio |\n|---|---|---|---|---|---|---|---|---|"
)


def row(operation: str, tasks: int, clients: int, summary: Summary, ratio: str = "") -> str:
    """One line under `HEAD`."""
    server, database = (
        "" if value is None else f"{value:.2f}"
        for value in (summary.server_ms, summary.database_ms)
    )
    return (
        f"| {operation} | {tasks:,} | {clients} | {summary.rate:,.1f} | {summary.p50:.1f}"
        f" | {summary.p99:.1f} | {server} | {database} | {ratio} |"
    )


def verdict(name: str, value: float, target: float, *, at_most: bool) -> str:
    """`- name: 1.12 (target ≤ 1.30): met`."""
    met = value <= target if at_most else value >= target
    sign = "≤" if at_most else "≥"
    return f"- {name}: **{value:.3g}** (target {sign} {target:g}): {'met' if met else 'NOT met'}"


def machine() -> str:
    """The machine in a line, with its load at this moment."""
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load average {load}"
