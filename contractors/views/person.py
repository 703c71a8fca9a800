"""Who is asking."""

from __future__ import annotations

from rest_framework.request import Request

from contractors.models import Contractor, User
from contractors.problems import NotAContractor


def signed_in(request: Request) -> User:
    """The signed-in person. The view's permissions have refused everybody else already."""
    assert isinstance(request.user, User)
    return request.user


def own_contractor(request: Request) -> Contractor:
    """The signed-in person's own contractor row. Errors: `NotAContractor`."""
    found = Contractor.objects.filter(pk=request.user.pk).first()
    if found is None:
        raise NotAContractor()
    return found
