"""What may have left is written down where a restored database does not reach.

A *witness* is a small object in the storage `witnesses`: the references and amounts of one bank
file, written before its bytes are handed out for the first time, or of a run's payouts over a
provider, written with the approval. Our database has a row for each. An object without a row
comes from a history that a restored backup has undone: what it lists may have been paid.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from annotation_platform.clock import database_now
from payouts.models import PayoutRun, PayoutWitness
from payouts.problems import WitnessesUnreachable
from payouts.rails.registry import API_RAILS

FOLDER = "payout-witnesses"
_BROKEN = (OSError, BotoCoreError, ClientError)


@dataclass(frozen=True)
class Lost:
    """What a lost history says about one reference: that a rail may have paid it."""

    rail: str
    amount_cents: int
    at: datetime


def testify(*, run: PayoutRun, rail: str, payments: Mapping[str, int]) -> None:
    """Write down that these references (→ cents) may leave through a rail from now on.

    In the caller's transaction; the object comes first, is named by what it says, and is never
    overwritten. Raises `WitnessesUnreachable`: then nothing may leave.
    """
    what = {"rail": rail, "payments": dict(payments)}
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
    name = f"{rail}-{digest}.json"
    if PayoutWitness.objects.filter(name=name).exists():
        return
    content = json.dumps({"at": database_now().isoformat(), **what}, sort_keys=True)
    path, storage = f"{FOLDER}/{name}", _storage()
    try:
        if not storage.exists(path):
            storage.save(path, ContentFile(content.encode()))
    except _BROKEN as error:
        raise WitnessesUnreachable(str(error)) from error
    PayoutWitness.objects.create(run=run, name=name)


def lost_history() -> dict[str, Lost]:
    """By reference, what may have been paid in histories that our database does not know.

    One listing; objects are read only where a backup was restored. Raises `WitnessesUnreachable`.
    """
    storage = _storage()
    lost: dict[str, Lost] = {}
    try:
        names = set(_names(storage))
        for name in sorted(names - set(PayoutWitness.objects.values_list("name", flat=True))):
            with storage.open(f"{FOLDER}/{name}") as file:
                said = json.load(file)
            at = datetime.fromisoformat(said["at"])
            for reference, cents in said["payments"].items():
                known = lost.get(reference)
                # A file that was handed out says more than that a provider was to be called.
                if known is None or known.rail in API_RAILS:
                    lost[reference] = Lost(said["rail"], cents, at)
    except _BROKEN as error:
        raise WitnessesUnreachable(str(error)) from error
    return lost


def _names(storage: Storage) -> list[str]:
    try:
        return list(storage.listdir(FOLDER)[1])
    except FileNotFoundError:  # a directory comes with its first file
        return []


def _storage() -> Storage:
    return storages["witnesses"]
