"""Which operating-system account PostgreSQL runs under.

PostgreSQL refuses to run as root. An ordinary user runs it as themself; root lends it an account
that exists already (nothing is added to the machine's user database).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation_platform.embedded.failures import StartFailed

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Account:
    """A resolvable account: initdb refuses a number without a name."""

    uid: int
    gid: int
    name: str

    @property
    def is_own(self) -> bool:
        """True when PostgreSQL runs as the very user who started us."""
        return self.uid == os.geteuid()

    def popen_arguments(self) -> dict[str, Any]:
        """Arguments for `subprocess` that make the child run as this account."""
        if self.is_own:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, directory: Path) -> bool:
        """True when this account can make `directory` its working directory.

        Asked of the kernel, so mode bits, ACLs and every parent directory count.
        """
        if self.is_own:
            return os.access(directory, os.X_OK)
        answer = subprocess.run(
            ["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            check=False,
            **self.popen_arguments(),
        )
        return answer.returncode == 0


def postgres_account(existing_data: Path | None = None) -> Account:
    """The account PostgreSQL shall run under.

    Args:
        existing_data: a data directory made earlier; its owner is kept, since PostgreSQL refuses
            data that another account owns.

    Raises:
        StartFailed: there is no account that would do.
    """
    if os.geteuid() != 0:
        try:
            return _from_entry(pwd.getpwuid(os.geteuid()))
        except KeyError:
            raise StartFailed(
                f"PostgreSQL needs an account with a name, and number {os.geteuid()} has none.",
                "Add it to /etc/passwd, or set DATABASE_URL to a running PostgreSQL.",
            ) from None
    if existing_data is not None and existing_data.exists():
        owner = existing_data.stat().st_uid
        if owner != 0:
            return _from_entry(pwd.getpwuid(owner))
    try:
        return _from_entry(pwd.getpwnam("nobody"))
    except KeyError:
        others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    if not others:
        raise StartFailed(
            "PostgreSQL refuses to run as root and this machine has no other account.",
            "Add one (`adduser --system nobody`) or set DATABASE_URL to a running PostgreSQL.",
        )
    return _from_entry(max(others, key=lambda entry: entry.pw_uid))


def _from_entry(entry: pwd.struct_passwd) -> Account:
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name)


def die_with_parent(signal_number: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel end the child when its parent is killed outright.

    Linux only (None elsewhere). The C library is loaded here, before the fork.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)

    return ask_kernel
