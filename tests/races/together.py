"""Run functions at the same moment, each on a thread and a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection


def run_together(functions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call all functions at once; returns each result, or the exception it raised, in order."""
    results: list[Any] = [None] * len(functions)
    start = threading.Barrier(len(functions))

    def run(index: int) -> None:
        try:
            connection.ensure_connection()
            start.wait(timeout=30)
            results[index] = functions[index]()
        except Exception as exc:
            results[index] = exc
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads), "a race ended in a deadlock"
    return results
