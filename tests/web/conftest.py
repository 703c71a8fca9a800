from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

if TYPE_CHECKING:  # models can be imported only once Django is set up
    from contractors.models import Contractor, User
    from tests.web.browsers import LogIn


@pytest.fixture
def log_in(db: None) -> LogIn:
    """A browser in which this person is logged in."""

    def browser(person: User | Contractor) -> Client:
        client = Client()
        account: User = getattr(person, "user", person)  # type: ignore[arg-type]
        client.force_login(account)
        return client

    return browser
