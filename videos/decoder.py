"""The child process of `videos.sandbox`: one request on stdin, one answer on stdout. No Django.

Run as `python -m videos.decoder`. Limits are set before FFmpeg is even loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1

Stage = Callable[[Path, Path, dict[str, Any]], dict[str, Any]]


def main() -> int:
    """Carry out one request. Always answers with JSON unless a signal ends it."""
    request = json.load(sys.stdin)
    _confine(request["limits"], request["parent"])
    # FFmpeg and its codecs may print; only the answer goes to the real stdout.
    answer_to = os.dup(1)
    os.dup2(2, 1)
    answer = _answer(request)
    with os.fdopen(answer_to, "w") as stdout:
        json.dump(answer, stdout)
    return 0


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    memory = request["limits"]["memory_bytes"] // (1024 * 1024)
    try:
        import av

        from videos.container import UnreadableVideo
        from videos.stages import STAGES

        av.logging.set_level(av.logging.PANIC)
        stage: Stage = STAGES[request["stage"]]
        try:
            result = stage(Path(request["source"]), Path(request["folder"]), request["options"])
        except UnreadableVideo as refusal:
            return {"unreadable": str(refusal)[:450]}
        except av.FFmpegError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError from error
            # Stages catch what the file does wrong: this is the encoder, or the disk. It may pass.
            raise
        return {"result": result}
    except MemoryError:
        return {"unreadable": f"Reading it needs more than {memory} MB of memory."}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"[:900]}


def _confine(limits: dict[str, int], parent: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere the time-out holds
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the worker died before we could ask to die with it
    cpu = limits["cpu_seconds"]
    _limit(resource.RLIMIT_CPU, cpu, cpu + 5)
    _limit(resource.RLIMIT_AS, limits["memory_bytes"])
    _limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
    _limit(resource.RLIMIT_NOFILE, 128)
    _limit(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing past the limit is an OSError instead
    with contextlib.suppress(OSError):
        os.nice(5)


def _limit(which: int, soft: int, hard: int | None = None) -> None:
    wanted_hard = soft if hard is None else hard
    _, ceiling = resource.getrlimit(which)
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted_hard = min(soft, ceiling), min(wanted_hard, ceiling)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses some
        resource.setrlimit(which, (soft, wanted_hard))


if __name__ == "__main__":
    sys.exit(main())
