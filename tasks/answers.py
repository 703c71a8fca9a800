"""The answers of the two busiest routes as plain dicts: what their serializers make of the same
rows, at a tenth of the cost. A test holds each against its serializer."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any

from tasks.serializers import HAND_NAMES
from tasks.services.fast_claim import Claimed
from tasks.services.fast_submit import HandedIn
from timelines.segment import Segment
from videos.links import DEFAULT_SECONDS, object_url_for
from videos.timetable import FrameTimes


def of_claim(claimed: Claimed) -> dict[str, Any]:
    """`LiveAssignmentSerializer` of a claim made this moment, with a fresh media link."""
    return {
        "id": claimed.assignment_id,
        "task": claimed.task_id,
        "project": claimed.project_id,
        "video": {
            "id": claimed.video_id,
            "title": claimed.video_title,
            "frame_count": claimed.video_frame_count,
            "width": claimed.video_width,
            "height": claimed.video_height,
            "rotation": claimed.video_rotation,
            "average_fps": _fps(
                claimed.video_frame_count,
                claimed.video_duration_ticks,
                claimed.video_time_base_num,
                claimed.video_time_base_den,
            ),
        },
        "state": "active",
        "is_live": True,
        "price_cents": claimed.price_cents,
        "currency": claimed.currency,
        "screening_fee_cents": claimed.screening_fee_cents,
        "guideline": claimed.guideline_id,
        "guideline_version": claimed.guideline_version,
        "claimed_at": _instant(claimed.claimed_at),
        "lease_expires_at": _instant(claimed.lease_expires_at),
        "lease_ceiling_at": _instant(claimed.lease_ceiling_at),
        "submitted_at": None,
        "ended_at": None,
        "end_reason": "",
        "media": _media(claimed),
        "action_types": _parsed(claimed.action_types),
        "server_time": claimed.claimed_at.isoformat(),
    }


def of_submission(
    assignment_id: int, made: HandedIn, segments: Sequence[Segment]
) -> dict[str, Any]:
    """`SubmissionSerializer` of a submission made this moment; `segments` in their order."""
    return {
        "id": made.submission_id,
        "assignment": assignment_id,
        "round": made.round,
        "state": "submitted",
        "screening_verdict": "usable",
        "screening": {},
        "frame_count": made.frame_count,
        "segment_count": len(segments),
        "submitted_at": _instant(made.submitted_at),
        "decided_at": None,
        "segments": [
            {
                "start_frame": segment.start_frame,
                "end_frame": segment.end_frame,
                "hands": HAND_NAMES[segment.hands],
                "action_type": segment.action_type,
                "description": segment.description,
            }
            for segment in segments
        ],
    }


def _instant(moment: datetime) -> str:
    # As DRF writes it.
    return moment.isoformat().replace("+00:00", "Z")


def _media(claimed: Claimed) -> dict[str, Any]:
    """What `videos.links.playable` gives."""
    key, kind, zero_seconds = claimed.video_key, "source", 0.0
    if claimed.proxy_files is not None:
        key, kind = next(iter(json.loads(claimed.proxy_files).values())), "proxy"
        first = FrameTimes.first_tick(bytes(claimed.video_frame_times))
        base = Fraction(claimed.video_time_base_num, claimed.video_time_base_den)
        zero_seconds = float(first * base)
    expires_at = datetime.fromtimestamp(int(time.time()) + DEFAULT_SECONDS, UTC)
    return {
        "url": object_url_for(claimed.person_id, key),
        "kind": kind,
        "zero_seconds": zero_seconds,
        "expires_at": _instant(expires_at),
    }


@lru_cache(maxsize=1024)
def _fps(frames: int, ticks: int, num: int, den: int) -> float | None:
    return round(float(frames / (ticks * Fraction(num, den))), 6) if ticks else None


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    return json.loads(text)
