"""What a contractor does in a benchmark: claims, whole cycles, each with a real token."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.load import Answer, Connection, Figures, Visitor
from benchmarks.seed import FRAMES, token_of

SEGMENTS = 50
_ACTIONS = ("pick_up", "pour", "put_down")
_HANDS = ("left", "right", "both")


class Refused(Exception):
    """The platform answered something else than the benchmark is made for."""


def timeline() -> list[dict[str, Any]]:
    """Fifty segments of five minutes, hands and actions in turn."""
    length = FRAMES // SEGMENTS
    return [
        {
            "start_frame": number * length,
            "end_frame": number * length + length - 20,
            "hands": _HANDS[number % 3],
            "action_type": _ACTIONS[number % 3],
            "description": f"Pick up the blue cup number {number} from the table",
        }
        for number in range(SEGMENTS)
    ]


_DRAFT = json.dumps({"body": {"segments": timeline()}}).encode()
_SUBMISSION = json.dumps({"screening": {"verdict": "usable"}, "segments": timeline()}).encode()


class Claims:
    """Makes visits and keeps which task went to whom.

    `taken` has one (contractor, task, assignment) for every claim that was answered with 201.
    """

    def __init__(self, project: int) -> None:
        self._claim = json.dumps({"project": project}).encode()
        self.taken: list[tuple[int, int, int]] = []

    def claim(self, contractor: int, times: int = 1) -> Visitor:
        """Claim `times` tasks and keep them."""

        async def visit(connection: Connection, figures: Figures) -> None:
            for _ in range(times):
                await self._take(connection, figures, contractor)

        return visit

    def claim_and_return(self, contractor: int, operation: str) -> Visitor:
        """Claim a task (noted as `operation`) and give it back (not noted)."""

        async def visit(connection: Connection, figures: Figures) -> None:
            assignment = await self._take(connection, figures, contractor, operation)
            path = f"/api/v1/assignments/{assignment}/return/"
            _expect(200, await connection.ask("POST", path, b"{}", _headers(contractor)))

        return visit

    def cycles(self, contractor: int, times: int, *, autosaves: int) -> Visitor:
        """`times` times claim → submit of fifty segments; autosaves come after a renewal."""

        async def visit(connection: Connection, figures: Figures) -> None:
            for _ in range(times):
                began = time.perf_counter()
                await self._cycle(connection, figures, contractor, autosaves)
                figures.note("cycle", time.perf_counter() - began)

        return visit

    async def _cycle(
        self, connection: Connection, figures: Figures, contractor: int, autosaves: int
    ) -> None:
        headers = _headers(contractor)
        assignment = await self._take(connection, figures, contractor)
        base = f"/api/v1/assignments/{assignment}/"
        if autosaves:
            answer = await connection.ask("POST", base + "renew/", b"{}", headers)
            figures.note("renew", _expect(200, answer).seconds)
        for revision in range(autosaves):
            saving = headers | {"If-Match": f'"{revision}"'}
            answer = await connection.ask("PUT", base + "draft/", _DRAFT, saving)
            figures.note("autosave", _expect(200, answer).seconds)
        answer = await connection.ask("POST", base + "submissions/", _SUBMISSION, headers)
        figures.note("submit", _expect(201, answer).seconds)

    async def _take(
        self, connection: Connection, figures: Figures, contractor: int, operation: str = "claim"
    ) -> int:
        path = "/api/v1/assignments/"
        answer = await connection.ask("POST", path, self._claim, _headers(contractor))
        figures.note(operation, _expect(201, answer).seconds)
        claimed = json.loads(answer.body)
        self.taken.append((contractor, claimed["task"], claimed["id"]))
        return int(claimed["id"])

    def check(self, *, overlap: int = 1) -> None:
        """Raise `Refused` when a task went to more than `overlap` people or twice to one."""
        pairs = {(contractor, task) for contractor, task, _ in self.taken}
        if len(pairs) != len(self.taken):
            raise Refused("A task went to the same contractor twice.")
        times: dict[int, int] = {}
        for _, task, _ in self.taken:
            times[task] = times.get(task, 0) + 1
        worst = max(times.values(), default=0)
        if worst > overlap:
            raise Refused(f"A task with an overlap of {overlap} was given {worst} times.")


def claim_visits(claims: Claims, contractors: Sequence[int], *, cap: int) -> list[Visitor]:
    """Each contractor claims as much as the project lets one person hold."""
    return [claims.claim(contractor, cap) for contractor in contractors]


def _headers(contractor: int) -> dict[str, str]:
    return {
        "Authorization": f"Token {token_of(contractor)}",
        "Content-Type": "application/json",
    }


def _expect(status: int, answer: Answer) -> Answer:
    if answer.status != status:
        raise Refused(f"{answer.status} instead of {status}: {answer.body[:600]!r}")
    return answer
