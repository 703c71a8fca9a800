"""γ's disorder against pygamma-agreement's exact one, on made-up timelines."""

from __future__ import annotations

from random import Random

import pytest

from timelines.reliability.gamma import observed_disorder
from timelines.segment import Segment, Timeline

pygamma = pytest.importorskip(
    "pygamma_agreement", reason="pygamma-agreement is not installed (requirements-peers.in)"
)
from pyannote.core import Segment as Span  # noqa: E402

CASES_PER_SIZE = 200


def random_timelines(seed: int, annotators: int) -> list[Timeline]:
    """A few segments each, from agreeing to unrelated; overlapping ones too."""
    random = Random(seed)
    total = random.choice((60, 200, 1000))
    noise = random.choice((1, 5, 20, 100))
    types = "abc"[: random.randint(1, 3)]
    truth = [random.randrange(total - 10) for _ in range(random.randint(1, 8))]
    timelines = []
    for _ in range(annotators):
        segments: list[Segment] = []
        for at in truth:
            if random.random() < 0.15 and segments:
                continue
            start = min(max(0, at + random.randint(-noise, noise)), total - 1)
            end = min(total, start + random.randint(1, 30))
            segments.append(Segment(start, end, random.choice(types)))
        # The peer keeps equal segments of one annotator once.
        timelines.append(Timeline(total, 30.0, set(segments)))
    return timelines


def peer_disorder(timelines: list[Timeline]) -> float:
    continuum = pygamma.Continuum()
    for number, timeline in enumerate(timelines):
        for segment in timeline:
            span = Span(segment.start_frame, segment.end_frame)
            continuum.add(f"annotator {number}", span, segment.action_type)
    cost = pygamma.CombinedCategoricalDissimilarity(alpha=3.0, beta=1.0, delta_empty=1.0)
    return float(continuum.get_best_alignment(cost).disorder)


@pytest.mark.parametrize("annotators", [2, 3])
def test_disorder_equals_the_peers_exact_one(annotators: int) -> None:
    for seed in range(CASES_PER_SIZE):
        timelines = random_timelines(seed, annotators)
        ours = observed_disorder(timelines, exact=True)
        assert ours.value == pytest.approx(peer_disorder(timelines), abs=1e-5), seed
        assert ours.exact


def test_disorder_of_four_annotators_equals_the_peers_exact_one() -> None:
    for seed in range(30):
        timelines = random_timelines(seed, 4)
        ours = observed_disorder(timelines, exact=True)
        assert ours.value == pytest.approx(peer_disorder(timelines), abs=1e-5), seed
