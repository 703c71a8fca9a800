"""Looking at processes from outside."""

from __future__ import annotations

import contextlib
import os

import psutil


def alive_in_group(group: int) -> set[int]:
    """Process ids of a process group, without those that ended and only wait to be noted."""
    alive = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                alive.add(process.pid)
    return alive


def alive_below(pid: int) -> set[int]:
    """Process ids of all descendants of `pid`, and itself when it runs."""
    try:
        process = psutil.Process(pid)
        return {pid} | {child.pid for child in process.children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def still_alive(pids: set[int]) -> set[int]:
    """Which of `pids` run now."""
    alive = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                alive.add(pid)
    return alive
