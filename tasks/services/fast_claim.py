"""The claim in one call, for when nothing stands in the way.

`claims.claim_next_task` says what a claim is; the function `tasks_claim` of the database (in the
migrations of this app) does the same for the common case without a round trip per guard. Where any
guard might refuse, or the queue looks empty, it answers nothing and writes nothing: the guards then
say why, in words. A test drives both on the same states and holds them against each other.

The function locks the person (first in the lock order), reads everything that decides by snapshots
taken after that, locks the task and a share of the budget, and writes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, NamedTuple, get_type_hints

from annotation_platform.prepared import Prepared
from tasks.models import QueueOrder

_BY_PERSON = Prepared("claim_by_person", "SELECT * FROM tasks_claim($4, $1, $2, $3)")

# The token is looked up in the same statement: revoking it works at once, and costs no round trip.
_BY_TOKEN = Prepared(
    "claim_by_token",
    """
    SELECT claimed.* FROM knox_authtoken token
    JOIN contractors_user holder ON holder.id = token.user_id
    CROSS JOIN LATERAL tasks_claim(holder.id, $1, $2, $3) claimed
    WHERE token.digest = $4 AND (token.expiry IS NULL OR token.expiry >= statement_timestamp())
        AND holder.is_active AND holder.roles @> '{contractor}'
    """,
)


class Claimed(NamedTuple):
    """A new claim with what its holder is shown of task, video and guideline; JSON as text."""

    assignment_id: int
    person_id: int
    price_cents: int
    screening_fee_cents: int
    currency: str
    claimed_at: datetime
    lease_expires_at: datetime
    lease_ceiling_at: datetime
    task_id: int
    task_rank: int
    project_id: int
    queue_order: str
    action_types: str
    guideline_id: int
    guideline_version: int
    video_id: int
    video_title: str
    video_key: str
    video_width: int
    video_height: int
    video_rotation: int
    video_frame_count: int
    video_duration_ticks: int
    video_time_base_num: int
    video_time_base_den: int
    proxy_files: str | None
    video_frame_times: bytes


def _text(value: bytes) -> str:
    return value.decode()


def _instant(value: bytes) -> datetime:
    return datetime.fromisoformat(value.decode())


def _binary(value: bytes) -> bytes:
    return bytes.fromhex(value[2:].decode())


_READ: dict[Any, Callable[[bytes], Any]] = {
    int: int,
    str: _text,
    datetime: _instant,
    bytes: _binary,
    str | None: _text,
}
_READERS = [_READ[kind] for kind in get_type_hints(Claimed).values()]


@dataclass(frozen=True, slots=True)
class _Mark:
    rank: int
    task_id: int
    good_until: float  # monotonic seconds


_START = _Mark(-(2**31), 0, 0.0)


class LowWater:
    """Where in the queue to start looking, remembered in this process for a moment.

    Claimed tasks leave dead index entries at the queue's head until vacuum can remove them, which
    a long transaction elsewhere prevents; rows that others have locked lie there too. Starting at
    the place where the last claim ended up walks over neither. Tasks that open before that place
    (more urgent, or given back) are seen when the mark is forgotten. It only moves the start of
    the search: an empty answer is always searched for again from the beginning.
    """

    PROJECT_SECONDS = 1.0
    PERSON_SECONDS = 60.0
    LIMIT = 10_000

    def __init__(self) -> None:
        self._marks: dict[tuple[int, Hashable], _Mark] = {}
        self._lock = threading.Lock()

    def start(self, project_id: int, who: Hashable) -> _Mark:
        """The later of the project's mark and this person's own."""
        now = monotonic()
        shared = self._marks.get((project_id, None), _START)
        if shared.good_until <= now and shared is not _START:
            # One looks at the head again; the others need not all walk there at the same time.
            good_until = now + self.PROJECT_SECONDS
            with self._lock:
                self._marks[(project_id, None)] = _Mark(shared.rank, shared.task_id, good_until)
            shared = _START
        own = self._marks.get((project_id, who), _START)
        if own.good_until <= now:
            return shared
        return max(own, shared, key=lambda mark: (mark.rank, mark.task_id))

    def reached(self, project_id: int, who: Hashable, rank: int, task_id: int) -> None:
        """A search ended at this task: nothing free lay before it a moment ago."""
        now = monotonic()
        with self._lock:
            if len(self._marks) > self.LIMIT:
                self._marks.clear()
            for owner, seconds in ((None, self.PROJECT_SECONDS), (who, self.PERSON_SECONDS)):
                old = self._marks.get((project_id, owner), _START)
                # The age of a mark is that of its first step, or a busy queue would never look
                # at its head again.
                good_until = old.good_until if old.good_until > now else now + seconds
                self._marks[(project_id, owner)] = _Mark(rank, task_id, good_until)

    def missed(self, project_id: int) -> None:
        """A search from the head claimed nothing, so it told nothing: the next one looks again."""
        with self._lock:
            self._marks.pop((project_id, None), None)

    def forget(self) -> None:
        with self._lock:
            self._marks.clear()


low_water = LowWater()


def claim(*, person_id: int, project_id: int) -> Claimed | None:
    """Claim; None, with nothing written, when it can't be done here. One transaction of its own
    unless the caller has one."""
    return _run(_BY_PERSON, project_id, person_id, str(person_id))


def claim_by_token(*, digest: str, project_id: int) -> Claimed | None:
    """The same for whoever holds the token, a contractor; None also when nobody does."""
    return _run(_BY_TOKEN, project_id, digest, digest)


def _run(statement: Prepared, project_id: int, who: Hashable, credential: str) -> Claimed | None:
    mark = low_water.start(project_id, who)
    row = statement.row(
        [b"%d" % project_id, b"%d" % mark.rank, b"%d" % mark.task_id, credential.encode()]
    )
    if row is None:
        if mark is _START:
            low_water.missed(project_id)
        return None
    claimed = Claimed._make(
        None if value is None else read(value) for read, value in zip(_READERS, row, strict=True)
    )
    # By depth or uncertainty tasks move ahead of the mark while they are worked on.
    if claimed.queue_order in (QueueOrder.AGE, QueueOrder.BREADTH_FIRST):
        low_water.reached(project_id, who, claimed.task_rank, claimed.task_id)
    return claimed
