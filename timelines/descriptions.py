"""Rules about descriptions that a person can read. They rank and flag; they decide nothing."""

from __future__ import annotations

from rapidfuzz import fuzz, utils


def similarity(one: str, other: str) -> float:
    """Token-sort ratio, 0 to 100: how much of the letters agree once the words are sorted.

    Case, punctuation and the order of words do not count; two empty texts are equal. It compares
    spelling, not meaning (`rapidfuzz.fuzz.token_sort_ratio`).
    """
    return fuzz.token_sort_ratio(one, other, processor=utils.default_process)
