"""`python -m benchmarks [name …]`: list the benchmarks, or run one with its arguments."""

from __future__ import annotations

import runpy
import sys

BENCHMARKS = {
    "agreement": "γ, unitized α and framewise α beside their published implementations",
    "agreement_score": "task score and diagnosis of two timelines",
    "diagnosis": "planted errors in real timelines, and what they are diagnosed as",
    "claim": "claims and whole cycles over HTTP beside pgbench",
    "growth": "what a claim costs as the queue, the history and the locks grow",
    "ledger": "earnings posted beside bare INSERTs of the same rows",
    "rescore": "a project scored anew by one worker, and where its time goes",
    "workbench": "from a key press to the painted picture, with 500 segments beside one",
    "label_studio_steps": "keys, clicks and drags of twenty segments in Label Studio",
    "video": "each stage of the pipeline beside ffmpeg",
}


def main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHMARKS:
        print('make bench ARGS="<name> [--help …]"\n')
        for name, what in BENCHMARKS.items():
            print(f"  {name:18} {what}")
        return 0 if len(sys.argv) < 2 else 2
    name = sys.argv.pop(1)
    runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
