"""Agreement measures beside their published implementations, in one run, in CPU seconds.

    python -m benchmarks.agreement [--limit 60] [--only gamma alpha score]

Each case runs in a process of its own, after a small one that pays for imports and compilers, so
that memory and CPU time are its own (threads included). A peer that is not installed
(requirements-peers.in) is left out; one that passes ``--limit`` CPU seconds is stopped, and the
ratio is then a lower bound. All data are simulated "fair" annotators at 60 fps; γ takes 30 samples.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np

from timelines.reliability.alignment import align, group_costs
from timelines.reliability.exact import align_exactly
from timelines.reliability.framewise import framewise
from timelines.reliability.gamma import gamma, sampled_units
from timelines.reliability.unitized_alpha import unitized_alpha
from timelines.segment import Hands, Timeline
from timelines.simulator import FAIR, annotate_many, make_truth

GAMMA_SIZES = [(2, 100), (3, 100), (3, 300), (5, 20), (5, 300)]
TARGETS = {(2, 100): 40, (3, 100): 40, (3, 300): 100, (5, 20): 100}
Result = dict[str, Any]


def people(annotators: int, segments: int) -> list[Timeline]:
    """The same simulated annotators for us and for the peers."""
    return annotate_many(make_truth(1, segments=segments), skills=[FAIR] * annotators, seed=1)


def our_gamma(annotators: int, segments: int) -> Result:
    """γ with 30 samples."""
    found = gamma(people(annotators, segments), samples=30)
    return {
        "gamma": found.gamma,
        "observed": found.observed,
        "expected": found.expected,
        "exact": found.exact,
    }


def peer_gamma(annotators: int, segments: int) -> Result:
    """The same with pygamma-agreement's exact alignment and its shift sampler."""
    import pygamma_agreement as peer
    from pyannote.core import Segment as Span

    continuum = peer.Continuum()
    for number, timeline in enumerate(people(annotators, segments)):
        for s in timeline:
            continuum.add(f"a{number}", Span(s.start_frame, s.end_frame), s.action_type)
    found = continuum.compute_gamma(
        peer.CombinedCategoricalDissimilarity(alpha=3.0, beta=1.0, delta_empty=1.0),
        n_samples=30,
        sampler=peer.ShuffleContinuumSampler(),
    )
    return {
        "gamma": float(found.gamma),
        "observed": float(found.observed_disorder),
        "expected": float(found.expected_disorder),
        "exact": True,
    }


def our_unitized(annotators: int, segments: int) -> Result:
    """Unitized α of the left hand."""
    return {"alpha": unitized_alpha(people(annotators, segments), Hands.LEFT).alpha}


def peer_unitized(annotators: int, segments: int) -> Result:
    """The same with krippendorff-unitized-alpha, gaps filled by us (its own filling is wrong)."""
    from krippendorff_unitized_alpha.krippendorffs_unitized_alpha import (
        KrippendorffUnitizedAlpha,
        Segment,
    )

    data = {}
    for number, timeline in enumerate(people(annotators, segments)):
        tiles, at = [], 0
        for s in timeline:
            if s.hands & Hands.LEFT:
                if at < s.start_frame:
                    tiles.append(Segment("_empty", at, s.start_frame))
                tiles.append(Segment(s.action_type, s.start_frame, s.end_frame))
                at = s.end_frame
        if at < timeline.frame_count:
            tiles.append(Segment("_empty", at, timeline.frame_count))
        data[str(number)] = tiles
    return {"alpha": float(KrippendorffUnitizedAlpha(data).result)}


def our_framewise(annotators: int, segments: int) -> Result:
    """Nominal framewise α of the left hand, over runs."""
    return {"alpha": framewise(people(annotators, segments), Hands.LEFT).alpha}


def peer_framewise(annotators: int, segments: int) -> Result:
    """The same with krippendorff, over expanded frames."""
    import krippendorff

    timelines = people(annotators, segments)
    codes: dict[str, int] = {}
    data = np.zeros((len(timelines), timelines[0].frame_count))
    for row, timeline in zip(data, timelines, strict=True):
        for s in timeline:
            if s.hands & Hands.LEFT:
                row[s.start_frame : s.end_frame] = codes.setdefault(s.action_type, len(codes) + 1)
    alpha = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    return {"alpha": float(alpha)}


def sampled_gap(annotators: int, segments: int) -> Result:
    """How far the disorder of sampled continua, which nobody proves, lies above the exact one."""
    found, proven = 0.0, 0.0
    for seed in range(3):
        units = sampled_units(people(annotators, segments), samples=1, seed=seed)
        members = align(units, rounds=2)
        best = align_exactly(units, members, force=True)
        assert best is not None
        found += group_costs(units, members).sum()
        proven += group_costs(units, best).sum()
    return {"gap": found / proven - 1}


def our_score(annotators: int, segments: int) -> Result:
    """Score and diagnosis of one candidate, median of 50, in milliseconds of CPU."""
    from timelines.diagnosis import diagnose
    from timelines.score import score_timelines

    times = []
    for _ in range(50):
        reference, candidate = people(annotators, segments)  # fresh: nothing cached
        start = time.process_time()
        score_timelines(reference, candidate)
        diagnose(reference, candidate)
        times.append(time.process_time() - start)
    return {"milliseconds": 1000 * median(times)}


CASES: dict[str, Callable[[int, int], Result]] = {
    "our_gamma": our_gamma,
    "peer_gamma": peer_gamma,
    "our_unitized": our_unitized,
    "peer_unitized": peer_unitized,
    "our_framewise": our_framewise,
    "peer_framewise": peer_framewise,
    "sampled_gap": sampled_gap,
    "our_score": our_score,
}
PEER_PACKAGES = {
    "peer_gamma": "pygamma_agreement",
    "peer_unitized": "krippendorff_unitized_alpha",
    "peer_framewise": "krippendorff",
}


def child(case: str, annotators: int, segments: int, limit: int) -> None:
    """Run one case here and print its result as JSON."""
    run = CASES[case]
    run(2, 4)  # imports and compilers
    people(annotators, segments)
    spent = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(spent) + limit, int(spent) + limit + 5))
    # Making the data is not what we measure.
    start = time.process_time()
    people(annotators, segments)
    making = time.process_time() - start
    quick = case.startswith("our_") and annotators * segments <= 1500
    times = []
    for _ in range(3 if quick else 1):
        start = time.process_time()
        result = run(annotators, segments)
        times.append(time.process_time() - start - making)
    result["seconds"] = max(median(times), 1e-6)
    result["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(result))


def measure(case: str, annotators: int, segments: int, limit: int) -> Result | None:
    """Run one case in a process of its own; None if it was stopped or is not installed."""
    package = PEER_PACKAGES.get(case)
    if package and find_spec(package) is None:
        return {"missing": package}
    command = [sys.executable, "-m", "benchmarks.agreement", "--child", case]
    command += [str(annotators), str(segments), "--limit", str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return None
    if done.returncode:
        raise RuntimeError(f"{case} {annotators}x{segments} failed:\n{done.stderr}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def beside(ours: Result | None, peer: Result | None, limit: int) -> tuple[str, str, str]:
    """Our CPU seconds, the peer's, and their ratio, as text."""
    mine = "failed" if ours is None else f"{ours['seconds']:.4f}"
    if ours is None or (peer and "missing" in peer):
        return mine, "not installed" if peer and "missing" in peer else "-", "-"
    if peer is None:
        return mine, f"> {limit}", f"> {limit / ours['seconds']:.0f}"
    return mine, f"{peer['seconds']:.3f}", f"{peer['seconds'] / ours['seconds']:.0f}"


def gamma_table(limit: int) -> None:
    """γ by size."""
    print("\nγ, 30 samples (CPU seconds)")
    print("| size | ours | MB | pygamma | ratio | target | observed ours / peer | γ ours / peer |")
    print("|---|---|---|---|---|---|---|---|")
    for size in GAMMA_SIZES:
        ours = measure("our_gamma", *size, limit=600)
        peer = measure("peer_gamma", *size, limit=limit)
        mine, theirs, ratio = beside(ours, peer, limit)
        target = f"{TARGETS[size]}" if size in TARGETS else "3 s, 150 MB"
        known = peer or {}
        print(
            f"| {size[0]}x{size[1]} | {mine} | {(ours or {}).get('megabytes', 0):.0f} | {theirs} "
            f"| {ratio} | {target} | {_number(ours, 'observed')}"
            f"{' exact' if (ours or {}).get('exact') else ''} / {_number(known, 'observed')} "
            f"| {_number(ours, 'gamma')} / {_number(known, 'gamma')} |",
            flush=True,
        )
    print("\nDisorder of sampled continua above the exact one (3 samples)")
    for size in GAMMA_SIZES:
        gap = measure("sampled_gap", *size, limit=600)
        print(f"{size[0]}x{size[1]}: {'failed' if gap is None else format(gap['gap'], '+.2%')}")


def _number(result: Result | None, key: str) -> str:
    return f"{result[key]:.6f}" if result and key in result else "-"


def alpha_table(limit: int) -> None:
    """Unitized and framewise α at 5 x 300."""
    print("\nα of one hand, 5x300 (CPU seconds)")
    print("| coefficient | ours | peer | ratio | difference |")
    print("|---|---|---|---|---|")
    for name in ("unitized", "framewise"):
        ours = measure(f"our_{name}", 5, 300, limit=600)
        peer = measure(f"peer_{name}", 5, 300, limit=limit)
        both = ours and peer and "alpha" in peer
        off = f"{abs(ours['alpha'] - peer['alpha']):.1e}" if ours and peer and both else "-"
        print("| " + " | ".join((name, *beside(ours, peer, limit), off)) + " |", flush=True)


def score_line() -> None:
    """Score and diagnosis of one submission."""
    found = measure("our_score", 2, 100, limit=600)
    text = "failed" if found is None else f"{found['milliseconds']:.2f} ms of CPU"
    print(f"\nScore and diagnosis of 2x100: {text} (target 4 ms)")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=60, help="CPU seconds a peer may take")
    parser.add_argument("--only", nargs="+", choices=("gamma", "alpha", "score"))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        case, annotators, segments = options.child
        child(case, int(annotators), int(segments), options.limit)
        return
    wanted = options.only or ("gamma", "alpha", "score")
    if "gamma" in wanted:
        gamma_table(options.limit)
    if "alpha" in wanted:
        alpha_table(options.limit)
    if "score" in wanted:
        score_line()


if __name__ == "__main__":
    main()
