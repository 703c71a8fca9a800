"""The story's parts that need no server; the whole of it is in tests/journeys."""

from __future__ import annotations

import sys

import pytest

from annotation_platform.embedded.ports import free_port
from demo import accounts, story
from demo import timelines as drawn
from demo.client import Answer
from demo.telling import StoryFailed, expect, require
from tasks.rules import default_action_types
from tasks.serializers import SegmentSerializer
from timelines.lint import check_segments
from timelines.score import score_timelines
from timelines.segment import Segment, Timeline

TYPES = [entry["key"] for entry in default_action_types()]
FRAMES = 240


def parsed(rows: list[drawn.Row]) -> list[Segment]:
    """Rows as the API reads them."""
    serializer = SegmentSerializer(data=rows, many=True)
    serializer.is_valid(raise_exception=True)
    return [Segment(**row) for row in serializer.validated_data]


def agreement(one: list[drawn.Row], other: list[drawn.Row]) -> float:
    """The task score of two timelines of one clip."""
    first, second = (Timeline(FRAMES, 30.0, parsed(rows)) for rows in (one, other))
    return score_timelines(first, second).s


@pytest.mark.parametrize("number", range(8))
def test_every_timeline_is_legal_and_agrees_as_the_story_needs(number: int) -> None:
    good = drawn.careful(number, FRAMES)
    close = drawn.almost_the_same(good)
    far = drawn.coarse(good)
    for rows in (good, close, far, drawn.nonsense(FRAMES)):
        assert check_segments(parsed(rows), frame_count=FRAMES, action_types=TYPES) == []
    assert len(good) == 7
    assert agreement(good, close) > 0.9  # accepted without a person
    assert agreement(good, far) < 0.6  # a person looks
    assert agreement(good, drawn.nonsense(FRAMES)) < 0.1


def test_what_is_not_as_it_should_be_is_said() -> None:
    with pytest.raises(StoryFailed, match=r"Cents:\n    expected 1600\n    found    1601"):
        expect("Cents", 1601, 1600)
    refusal = Answer(403, {"type": "/problems/not-eligible", "detail": "Not from there."})
    assert (refusal.problem, refusal.detail) == ("not-eligible", "Not from there.")
    with pytest.raises(StoryFailed, match=r"expected 201\n    found    403 .*Not from there"):
        require("Claiming", refusal, 201)
    assert require("Reading", Answer(200, {"id": 1})) == {"id": 1}


def test_without_a_server_it_says_so_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr(sys, "argv", ["story", "--url", url])
    assert story.main() == 1
    error = capsys.readouterr().err
    assert f"Nobody answers at {url}" in error
    assert "make run" in error


def test_the_table_of_log_ins_names_everybody() -> None:
    table = accounts.table()
    for account in (*accounts.STAFF, *accounts.CONTRACTORS):
        assert f"{account.email} " in table
