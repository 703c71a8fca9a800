from __future__ import annotations

import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videos.timetable import FrameTimes

NTSC = Fraction(1, 30000)

increasing = st.builds(
    lambda first, deltas: list(np.cumsum([first, *deltas])),
    st.integers(-(2**40), 2**40),
    st.lists(st.integers(1, 2**20), max_size=60),
)


def regular(count: int, step: int = 1001, start: int = 0, base: Fraction = NTSC) -> FrameTimes:
    return FrameTimes.of(range(start, start + count * step, step), base)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(increasing, st.sampled_from([NTSC, Fraction(1, 90000), Fraction(1, 1000)]))
def test_packing_loses_nothing(pts: list[int], base: Fraction) -> None:
    times = FrameTimes.of(pts, base)
    again = FrameTimes.unpack(times.pack(), base)
    assert again == times
    assert again.pts.dtype == np.int64


@given(increasing)
def test_every_frame_finds_itself(pts: list[int]) -> None:
    times = FrameTimes.of(pts, Fraction(1, 90000))
    zero = Fraction(0)
    for frame in range(len(times)):
        assert times.frame_at(times.seconds(frame), zero) == frame
        if frame:
            just_before = times.seconds(frame) - Fraction(1, 10**9)
            assert times.frame_at(just_before, zero) == frame - 1


def test_five_regular_minutes_pack_to_under_100_bytes() -> None:
    assert len(regular(8991).pack()) < 100


def test_seconds_are_exact_fractions_and_not_i_over_fps() -> None:
    times = regular(300, start=1001)
    assert times.seconds(0) == Fraction(1001, 30000)  # a late start is frame 0, not frame 1
    assert times.seconds_from_start(0) == 0
    assert times.seconds(299) == Fraction(300 * 1001, 30000)
    assert times.average_fps == Fraction(30000, 1001)


@pytest.mark.parametrize("frame", [-1, 300, 10_000])
def test_a_frame_outside_the_video_is_refused(frame: int) -> None:
    with pytest.raises(IndexError):
        regular(300).seconds(frame)


def test_floor_search_at_and_beyond_the_ends() -> None:
    times = regular(300, start=1001)
    assert times.frame_at(0.0) == 0
    assert times.frame_at(-5) == 0
    assert times.frame_at(1e6) == 299


def test_half_a_millisecond_early_is_still_the_frame() -> None:
    times = regular(300)
    at = times.seconds(100)
    assert times.frame_at(at - Fraction(4, 10000)) == 100
    assert times.frame_at(at - Fraction(6, 10000)) == 99


@pytest.mark.parametrize(
    ("fps", "digits", "lossless"),
    [(24, 3, True), (60, 3, True), (120, 3, True), (240, 3, True), (120, 2, False)],
)
def test_rounded_times_snap_to_their_frame(fps: int, digits: int, lossless: bool) -> None:
    times = FrameTimes.of(range(0, 2000 * 1000, 1000), Fraction(1, fps * 1000))
    snapped = [
        times.nearest_frame(Fraction(f"{float(times.seconds(i)):.{digits}f}")) for i in range(2000)
    ]
    assert (snapped == list(range(2000))) is lossless


@pytest.mark.parametrize(
    ("pts", "variable"),
    [
        ([0], False),
        ([0, 5], False),
        ([0, 33, 67, 100, 133, 167], False),  # 30 fps in milliseconds
        (list(range(0, 30000, 1001)), False),
        ([0, 1001, 2002, 5005, 6006], True),  # a dropped frame
        ([0, 40, 80, 113, 146], True),  # 25 fps, then 30
        (sorted({round(i * 33.333) + (i > 50) * 20 for i in range(100)}), True),
    ],
)
def test_variable_is_judged_by_the_deltas(pts: list[int], variable: bool) -> None:
    assert FrameTimes.of(pts, Fraction(1, 1000)).is_variable is variable


@given(increasing)
def test_runs_rebuild_the_table(pts: list[int]) -> None:
    times = FrameTimes.of(pts, NTSC)
    rebuilt = [pts[0]]
    for delta, repeat in times.runs():
        for _ in range(repeat):
            rebuilt.append(rebuilt[-1] + delta)
    assert rebuilt == pts


def test_a_regular_table_is_one_run() -> None:
    assert regular(8991).runs() == [(1001, 8990)]


@pytest.mark.parametrize("pts", [[], [0, 0], [0, 2, 1]])
def test_a_table_that_does_not_increase_is_refused(pts: list[int]) -> None:
    with pytest.raises(ValueError):
        FrameTimes.of(pts, NTSC)


@pytest.mark.parametrize(
    "packed",
    [b"", b"nonsense", zlib.compress(b"1234567"), zlib.compress(b"\x01" * 8)[:-1]],
)
def test_bytes_that_are_no_table_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError):
        FrameTimes.unpack(packed, NTSC)


def test_an_inflation_bomb_is_refused_without_inflating_it() -> None:
    bomb = zlib.compress(b"\0" * 100_000_000)
    with pytest.raises(ValueError):
        FrameTimes.unpack(bomb, NTSC)


def test_a_tick_finds_its_frame_and_nothing_else() -> None:
    times = FrameTimes.of([5, 7, 100], Fraction(1, 1000))
    assert [times.frame_of(tick) for tick in (5, 7, 100)] == [0, 1, 2]
    assert [times.frame_of(tick) for tick in (None, -1, 4, 6, 99, 101)] == [None] * 6
