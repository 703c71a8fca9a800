from __future__ import annotations

from contractors.models import Contractor


def locked(contractor: Contractor) -> Contractor:
    """The contractor's row, fresh and locked until the transaction ends.

    The first lock of every service (contractor → task → assignment → account). NO KEY UPDATE:
    rows that merely refer to the contractor can still be inserted meanwhile.
    """
    return Contractor.objects.select_for_update(no_key=True).get(pk=contractor.pk)
