"""Draws the pictures of docs/agreement.md from the library itself.

    make agreement-docs

Needs matplotlib, which nothing else does (requirements-docs.in). The same numbers on every run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import exp
from pathlib import Path
from random import Random
from statistics import mean, variance
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

from reviews.skill import Seen, estimate_skills
from timelines.consensus import build_consensus
from timelines.reliability.gamma import gamma
from timelines.reliability.unitized_alpha import unitized_alpha
from timelines.score import ScoreParameters, score_timelines
from timelines.segment import Hands, Segment, Timeline
from timelines.simulator import EXPERT, FAIR, GOOD, POOR, annotate_many, make_truth

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
GREEN, AMBER, RED, BLUE, GREY = "#2e7d32", "#f9a825", "#c62828", "#1565c0", "#9e9e9e"
HAND_COLOURS = {Hands.LEFT: BLUE, Hands.RIGHT: "#6a1b9a", Hands.BOTH: "#00838f"}
SKILLS = (EXPERT, GOOD, FAIR, POOR)
VIDEOS = 40

mpl.rcParams |= {
    "svg.hashsalt": "agreement",  # the same file on every run
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    _save("worked-example", _worked_example())
    _save("boundary-term", _boundary_term())
    _save("thresholds", _thresholds())
    _save("reliability", _reliability())
    _save("consensus", _consensus())
    _save("skill", _skill())


def _save(name: str, figure: Any) -> None:
    path = PICTURES / f"{name}.svg"
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    sys.stdout.write(f"{path.relative_to(PICTURES.parent.parent)}\n")


def _worked_example() -> Any:
    """The two timelines of the tests, what was matched, and what is said about each segment."""
    left, right, both = Hands.LEFT, Hands.RIGHT, Hands.BOTH
    truth = Timeline(
        220,
        30,
        [
            Segment(0, 30, "t1", left),
            Segment(30, 60, "t2", right),
            Segment(60, 90, "t3", left),
            Segment(100, 130, "t4", both),
            Segment(140, 170, "t5", left),
            Segment(170, 200, "t6", left),
        ],
    )
    work = Timeline(
        220,
        30,
        [
            Segment(0, 32, "t1", left),
            Segment(30, 60, "t7", right),
            Segment(60, 75, "t3", left),
            Segment(75, 90, "t3", left),
            Segment(100, 130, "t4", left),
            Segment(140, 200, "t5", left),
            Segment(210, 220, "t9", left),
        ],
    )
    score = score_timelines(truth, work)
    figure, axes = plt.subplots(figsize=(9, 3.2))
    for level, timeline in ((1.0, truth), (0.0, work)):
        for segment in timeline:
            offset = -0.16 if segment.hands == right else 0.0
            axes.barh(
                level + offset,
                segment.length,
                left=segment.start_frame,
                height=0.3,
                color=HAND_COLOURS[segment.hands],
                edgecolor="white",
            )
            middle = (segment.start_frame + segment.end_frame) / 2
            axes.text(
                middle, level + offset, segment.action_type, color="white", ha="center", va="center"
            )
    for match in score.matches:
        one, other = truth[match.reference], work[match.candidate]
        counts = match.quality is not None
        axes.plot(
            [(one.start_frame + one.end_frame) / 2, (other.start_frame + other.end_frame) / 2],
            [0.82, 0.18],
            color=GREEN if counts else GREY,
            linestyle="-" if counts else ":",
        )
        if match.quality is not None:
            axes.text(
                (one.start_frame + other.end_frame) / 2 + 2,
                0.5,
                f"q {match.quality:.2f}",
                fontsize=8,
                color=GREEN,
            )
    for segment, told in zip(
        work,
        ("", "wrong action type", "split", "", "wrong hand", "merged", "extra"),
        strict=True,
    ):
        axes.text(
            (segment.start_frame + segment.end_frame) / 2, -0.42, told, color=RED, ha="center",
            fontsize=8,
        )  # fmt: skip
    axes.set_yticks([0, 1], ["work", "reference"])
    axes.set_ylim(-0.6, 1.4)
    axes.set_xlabel("frame (30 per second)")
    axes.set_title(
        f"S = {score.s:.4f}: {score.tp} recognised, {score.fp} only in the work, "
        f"{score.fn} only in the reference (RQ {score.rq:.3f}, SQ {score.sq:.3f})",
        fontsize=10,
    )
    return figure


def _boundary_term() -> Any:
    """What a boundary that is off costs, in frames and seconds."""
    parameters = ScoreParameters()
    figure, axes = plt.subplots(figsize=(6, 2.8))
    for fps, colour in ((30, BLUE), (60, AMBER)):
        frames = list(range(2 * fps + 1))
        kernel = [
            exp(
                -max(0.0, frame - parameters.tolerance_seconds * fps)
                / (parameters.decay_seconds * fps)
            )
            for frame in frames
        ]
        axes.plot(frames, kernel, color=colour, label=f"{fps} frames per second")
    axes.set_xlabel("frames that a start or an end is off")
    axes.set_ylabel("credit")
    axes.set_ylim(0, 1.05)
    axes.legend(frameon=False)
    axes.set_title("A tenth of a second costs nothing, half a second more than half", fontsize=10)
    return figure


def _pairs(skill: Any, segments: int = 60) -> list[list[Timeline]]:
    return [
        annotate_many(
            make_truth(seed, segments=segments, fps=30.0), skills=[skill, skill], seed=seed
        )
        for seed in range(VIDEOS)
    ]


def _thresholds() -> Any:
    """S of two people of the same skill, and what the starting rule does with it."""
    figure, axes = plt.subplots(figsize=(7, 3))
    axes.axvspan(0, 0.70, color=RED, alpha=0.10)
    axes.axvspan(0.70, 0.85, color=AMBER, alpha=0.15)
    axes.axvspan(0.85, 1.0, color=GREEN, alpha=0.12)
    random = Random(1)
    for row, skill in enumerate(SKILLS):
        found = [score_timelines(*pair).s for pair in _pairs(skill)]
        axes.plot(
            found, [row + random.uniform(-0.18, 0.18) for _ in found], ".", color=BLUE, alpha=0.6
        )
        axes.plot([mean(found)] * 2, [row - 0.3, row + 0.3], color="black")
    axes.set_yticks(range(len(SKILLS)), [f"two {skill.name}s" for skill in SKILLS])
    axes.set_xlim(0.1, 1)
    axes.set_xlabel("S: a person decides below .70 · a reviewer to .85 · accepted from .85 on")
    axes.set_title("One dot is one video annotated by two simulated people", fontsize=10)
    return figure


def _reliability() -> Any:
    """γ and α of pairs of one skill; S beside them, which is not corrected for chance."""
    figures: tuple[tuple[str, str, Callable[[list[Timeline]], float | None]], ...] = (
        ("γ", BLUE, lambda pair: gamma(pair).gamma),
        ("α (right hand)", "#6a1b9a", lambda pair: unitized_alpha(pair, Hands.RIGHT).alpha),
        ("S", GREY, lambda pair: score_timelines(*pair).s),
    )
    figure, axes = plt.subplots(figsize=(7, 3))
    width = 0.25
    for offset, (label, colour, figure_of) in enumerate(figures):
        values = [mean(figure_of(pair) or 0.0 for pair in _pairs(skill)) for skill in SKILLS]
        places = [row + (offset - 1) * width for row in range(len(SKILLS))]
        bars = axes.bar(places, values, width, color=colour, label=label)
        axes.bar_label(bars, [f"{value:.2f}" for value in values], fontsize=8)
    axes.set_xticks(range(len(SKILLS)), [f"two {skill.name}s" for skill in SKILLS])
    axes.set_ylim(0, 1.1)
    axes.legend(frameon=False, ncols=3)
    axes.set_title("1 is perfect; for γ and α, 0 is chance", fontsize=10)
    return figure


def _consensus() -> Any:
    """F1 at IoU .75 against the truth: one fair annotator, and the consensus of three and five."""
    alone: list[float] = []
    three: list[float] = []
    five: list[float] = []
    for seed in range(20):
        truth = make_truth(seed)
        people = annotate_many(truth, skills=[FAIR] * 5, seed=seed)
        alone.append(score_timelines(truth, people[0]).f1_75)
        three.append(score_timelines(truth, build_consensus(people[:3]).timeline).f1_75)
        five.append(score_timelines(truth, build_consensus(people).timeline).f1_75)
    figure, axes = plt.subplots(figsize=(5, 2.8))
    values = [mean(alone), mean(three), mean(five)]
    bars = axes.bar(
        ["one person", "consensus of 3", "consensus of 5"], values, color=[GREY, BLUE, GREEN]
    )
    axes.bar_label(bars, [f"{value:.2f}" for value in values])
    axes.set_ylim(0, 1.1)
    axes.set_ylabel("F1 at IoU .75 with the truth")
    axes.set_title("Fair annotators with independent errors", fontsize=10)
    return figure


def _skill() -> Any:
    """Two newcomers among forty others: the same plain mean, after 1 and after 20 tasks."""
    random = Random(5)
    people = []
    for number in range(40):
        true = min(1.0, random.gauss(0.78, 0.08))
        scores = [random.gauss(true, 0.08) for _ in range(30)]
        people.append(Seen(number, 30, mean(scores), variance(scores)))
    figure, axes = plt.subplots(figsize=(6.5, 2.6))
    counts = (1, 2, 5, 10, 20, 50)
    for count in counts:
        spread = 0.08**2 if count > 1 else None
        skill = estimate_skills([*people, Seen(99, count, 0.55, spread)])[-1]
        axes.plot([count] * 2, [skill.low, skill.high], color=BLUE)
        axes.plot(count, skill.skill, "o", color=BLUE)
    axes.axhline(0.55, color=GREY, linestyle=":")
    axes.text(55, 0.55, "plain mean", color=GREY, va="bottom", ha="right")
    axes.axhline(0.78, color=GREEN, linestyle=":")
    axes.text(55, 0.78, "the project", color=GREEN, va="bottom", ha="right")
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel("scores seen")
    axes.set_ylabel("skill, 90 % interval")
    axes.set_title("Somebody whose scores average .55: how soon we believe it", fontsize=10)
    return figure


if __name__ == "__main__":
    main()
