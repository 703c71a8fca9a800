"""How far a project's annotators agree beyond chance. No database.

Figures of single tasks are pooled as ``1 - Σ observed / Σ expected``: γ's disorders, which are
means over segments, weighted by the number of segments, unitized α's as they are (they count
annotator-frames). The interval of a pooled figure is the percentile bootstrap over tasks (Efron
1979): tasks are what varies when a project goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np

from timelines.reliability.gamma import gamma
from timelines.reliability.unitized_alpha import unitized_alpha_by_hand
from timelines.score import ScoreParameters, score_timelines
from timelines.segment import Timeline

RESAMPLES: Final = 2000
SHARES: Final = (0.5, 0.75, 0.9, 0.95)
_FIGURES: Final = ("gamma", "left", "right")


def empty() -> dict[str, Any]:
    """What has been found before the first task; plain data, see `add_task`."""
    return {"tasks": [], "types": {}, "offsets_ms": {}}


def add_task(
    found: dict[str, Any], task_id: int, timelines: Sequence[Timeline], parameters: ScoreParameters
) -> None:
    """Measure one task's timelines (two or more, of one video) and add that to `found`.

    Adds its observed and expected disagreement per figure, and from every pair of annotators the
    action types and boundary differences of the segments that both recognised.
    """
    total = gamma(timelines)
    alphas = unitized_alpha_by_hand(timelines)
    segments = sum(len(timeline) for timeline in timelines)
    row: dict[str, Any] = {"task": task_id, "annotators": len(timelines), "segments": segments}
    if total.observed is not None and total.expected:
        row["gamma"] = [total.observed * segments, total.expected * segments]
    for hand, alpha in alphas.items():
        if alpha.alpha is not None and alpha.expected:
            row[hand] = [alpha.observed, alpha.expected]
    found["tasks"].append(row)
    for one, other in combinations(timelines, 2):
        _add_pair(found, one, other, parameters)


def _add_pair(
    found: dict[str, Any], one: Timeline, other: Timeline, parameters: ScoreParameters
) -> None:
    for match in score_timelines(one, other, parameters=parameters).matches:
        if match.quality is None:
            continue
        pair = sorted((one[match.reference].action_type, other[match.candidate].action_type))
        types = found["types"].setdefault(pair[0], {})
        types[pair[1]] = types.get(pair[1], 0) + 1
        for frames in (match.start_off, match.end_off):
            ms = str(round(1000 * abs(frames) / one.fps))
            found["offsets_ms"][ms] = found["offsets_ms"].get(ms, 0) + 1


def summarise(found: Mapping[str, Any], *, seed: int = 0) -> dict[str, Any]:
    """The figures of what was found.

    Returns plain data: `gamma` and `alpha` by hand as `{"value", "low", "high", "tasks"}` (95 %
    interval), `action_types` with every pair of confused types, `boundaries` with the shares of
    boundaries within so many milliseconds.
    """
    tasks = found["tasks"]
    rng = np.random.default_rng(seed)
    figures = {
        name: _pooled([task[name] for task in tasks if name in task], rng) for name in _FIGURES
    }
    return {
        "tasks": len(tasks),
        "segments": sum(task["segments"] for task in tasks),
        "gamma": figures["gamma"],
        "alpha": {"left": figures["left"], "right": figures["right"]},
        "action_types": _confusion(found["types"]),
        "boundaries": _boundaries(found["offsets_ms"]),
    }


def _pooled(pairs: Sequence[Sequence[float]], rng: np.random.Generator) -> dict[str, Any]:
    """`1 - Σ observed / Σ expected` with its interval; None where nothing can be said."""
    if not pairs:
        return {"value": None, "low": None, "high": None, "tasks": 0}
    table = np.array(pairs, dtype=np.float64)
    observed, expected = table.sum(axis=0)
    answer = {"value": float(1 - observed / expected), "low": None, "high": None}
    if len(table) > 1:
        draws = rng.multinomial(len(table), np.full(len(table), 1 / len(table)), size=RESAMPLES)
        sums = draws @ table
        low, high = np.quantile(1 - sums[:, 0] / sums[:, 1], [0.025, 0.975])
        answer |= {"low": float(low), "high": float(high)}
    return answer | {"tasks": len(table)}


def _confusion(types: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """How often two annotators who saw the same action called it the same."""
    by_type: Counter[str] = Counter()
    same: Counter[str] = Counter()
    confused: list[dict[str, Any]] = []
    for one, others in types.items():
        for other, count in others.items():
            if one == other:
                by_type[one] += 2 * count
                same[one] += 2 * count
            else:
                by_type[one] += count
                by_type[other] += count
                confused.append({"one": one, "other": other, "count": count})
    total = sum(by_type.values())
    return {
        "pairs": total // 2,
        "agreement": sum(same.values()) / total if total else None,
        "by_type": [
            {"action_type": name, "count": by_type[name], "agreement": same[name] / by_type[name]}
            for name in sorted(by_type)
        ],
        "confused": sorted(confused, key=lambda c: (-c["count"], c["one"], c["other"])),
    }


def _boundaries(offsets_ms: Mapping[str, int]) -> dict[str, Any]:
    """Distances of the boundaries of what both recognised, in milliseconds."""
    ordered = sorted((int(ms), count) for ms, count in offsets_ms.items())
    total = sum(count for _, count in ordered)
    if not total:
        return {"count": 0, "mean_ms": None, "quantiles_ms": {}, "shares_within_ms": {}}
    return {
        "count": total,
        "mean_ms": sum(ms * count for ms, count in ordered) / total,
        "quantiles_ms": {f"{share:.2f}": _quantile(ordered, share * total) for share in SHARES},
        "shares_within_ms": {
            str(limit): sum(count for ms, count in ordered if ms <= limit) / total
            for limit in (33, 50, 100, 200, 500, 1000)
        },
    }


def _quantile(ordered: Iterable[tuple[int, int]], rank: float) -> int:
    """The smallest value with at least `rank` values at or below it."""
    running = 0
    for value, count in ordered:
        running += count
        if running >= rank:
            return value
    raise ValueError("no values")
