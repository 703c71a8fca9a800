"""CPU time of one task score and one diagnosis, and where it goes.

    python benchmarks/agreement_score.py [--profile]

Timelines are made by the simulator; each is new to the library in every round, as it is when a
job reads it from the database.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from timelines.diagnosis import diagnose
from timelines.score import score_timelines
from timelines.segment import Timeline
from timelines.simulator import SKILLS, annotate, make_truth

SIZES = (10, 100, 300, 1000)


def fresh(timeline: Timeline) -> Timeline:
    """The same timeline with nothing computed yet."""
    return Timeline(timeline.frame_count, timeline.fps, timeline.segments)


def milliseconds(
    work: Callable[[Timeline, Timeline], object], truth: Timeline, by: Timeline
) -> float:
    """CPU time of one call, including what the timelines compute on first use."""
    pair = fresh(truth), fresh(by)
    began = process_time()
    work(*pair)
    return 1000 * (process_time() - began)


def both(truth: Timeline, by: Timeline) -> None:
    """What is done for each submission."""
    score_timelines(truth, by)
    diagnose(truth, by)


def main() -> None:
    """Print a table, and the profile if asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="where 200 times 2 x 100 goes")
    options = parser.parse_args()
    print("| segments, each of 2 | skill | score ms | diagnosis ms | both ms | worst |")
    print("|--:|---|--:|--:|--:|--:|")
    for size in SIZES:
        seeds = range(max(5, 2000 // size))
        truths = [make_truth(seed, segments=size) for seed in seeds]
        for skill in ("good", "fair", "poor"):
            pairs = [(t, annotate(t, skill=SKILLS[skill], seed=s)) for s, t in enumerate(truths)]
            score = median(milliseconds(score_timelines, *pair) for pair in pairs)
            diagnosis = median(milliseconds(diagnose, *pair) for pair in pairs)
            together = [milliseconds(both, *pair) for pair in pairs]
            print(
                f"| {size} | {skill} | {score:.2f} | {diagnosis:.2f} | {median(together):.2f} "
                f"| {max(together):.2f} |"
            )
    if options.profile:
        truths = [make_truth(seed) for seed in range(200)]
        pairs = [(t, annotate(t, skill=SKILLS["fair"], seed=s)) for s, t in enumerate(truths)]
        profile = cProfile.Profile()
        profile.enable()
        for truth, by in pairs:
            both(fresh(truth), fresh(by))
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(14)


if __name__ == "__main__":
    main()
