"""Running a decoder on a hostile file: in a process of its own, with limits, and no secrets.

A bomb, an endless file or one that crashes FFmpeg ends the child, not the worker. The child gets
an empty environment, sets its own limits before it opens the file, and dies with its parent.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from videos.container import UnreadableVideo
from videos.rules import StageLimits

PROJECT_ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "videos.decoder"]

ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",  # numpy's threads would only spin
    # glibc raises this limit with each large block that is freed, and later ones come from the heap
    # and stay there: a file's index would be paid for once per opening.
    "MALLOC_MMAP_THRESHOLD_": str(128 * 1024),
}

# What a broken decoder dies of. SIGKILL is not among them: that is the operator or the kernel.
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}


class StageFailed(Exception):
    """The stage broke for a reason that may pass (killed, disk full): try again later."""


def run_isolated(
    stage: str,
    *,
    source: Path,
    folder: Path,
    options: dict[str, Any],
    limits: StageLimits,
) -> dict[str, Any]:
    """Run one stage of `videos.decoder` on `source` and return its result (plain JSON).

    Files the stage makes are in `folder` afterwards. Raises `UnreadableVideo` when the file is to
    blame, `StageFailed` when it may not be.
    """
    request = {
        "stage": stage,
        "source": str(source.resolve()),
        "folder": str(folder.resolve()),
        "options": options,
        "limits": {
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_bytes,
            "file_bytes": limits.file_bytes,
        },
        "parent": os.getpid(),
    }
    try:
        done = subprocess.run(
            COMMAND,
            input=json.dumps(request).encode(),
            capture_output=True,
            cwd=PROJECT_ROOT,
            env=ENVIRONMENT | {"PATH": os.environ.get("PATH", "")},
            timeout=limits.wall_seconds,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableVideo(
            f"Reading it took longer than {limits.wall_seconds} seconds."
        ) from error
    if done.returncode < 0:
        raise _death(-done.returncode, limits)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        tail = done.stderr.decode(errors="replace").strip()[-400:]
        raise StageFailed(f"The decoder ended with status {done.returncode}: {tail}") from None
    if "unreadable" in answer:
        raise UnreadableVideo(answer["unreadable"])
    if "failed" in answer:
        raise StageFailed(answer["failed"])
    result: dict[str, Any] = answer["result"]
    return result


def _death(number: int, limits: StageLimits) -> Exception:
    if number == signal.SIGXCPU:
        return UnreadableVideo(f"Reading it took more than {limits.cpu_seconds} CPU seconds.")
    if number in _CRASHES:
        return UnreadableVideo(f"It crashes the decoder ({signal.Signals(number).name}).")
    return StageFailed(f"The decoder was ended by signal {number}.")
