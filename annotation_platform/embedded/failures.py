"""The one exception of this package: a start that failed, with what to do about it."""

from __future__ import annotations


class StartFailed(Exception):
    """A step could not be done.

    Args:
        what: what failed, one sentence.
        do: what the person at the keyboard should do now, one or two sentences.
    """

    def __init__(self, what: str, do: str) -> None:
        super().__init__(f"{what} {do}")
        self.what = what
        self.do = do
