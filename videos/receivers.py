"""What follows from events: messages to workers. The sweep finds whatever gets lost."""

from __future__ import annotations

from typing import Any

from events.services import receives
from videos.jobs import JOB_OF_STAGE, tell_registering


@receives("video.registered")
def probe_new_video(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    JOB_OF_STAGE["probe"].delay(subject_id)


@receives("video.ready")
def start_derived_stages(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    for stage in data["stages"]:
        JOB_OF_STAGE[stage].delay(subject_id)


@receives("video.rerun_requested")
def run_again(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    JOB_OF_STAGE[data["stage"]].delay(subject_id)


@receives("registration.begun", "registration.arrived", "registration.resumed")
def register_in_the_background(event_id: int, subject_id: int, data: dict[str, Any]) -> None:
    if data["by_worker"]:
        tell_registering(subject_id)
