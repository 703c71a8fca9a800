"""Doing the same for many rows, where one that fails must not stop the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

logger = logging.getLogger(__name__)


def each(ids: Iterable[int], work: Callable[[int], Any], failure: str) -> tuple[int, int]:
    """Do `work` for each id, in a transaction of its own. Returns how many were done and failed.

    Arguments:
        failure: the log's sentence about one that failed, with `%s` for its id.
    """
    done = failed = 0
    for pk in ids:
        try:
            work(pk)
        except Exception:
            logger.exception(failure, pk)
            failed += 1
        else:
            done += 1
    return done, failed
