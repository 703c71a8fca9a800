from __future__ import annotations

from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests import factories
from tests.browser.people import SignIn


def test_holder_opens_the_workbench_and_others_get_404(
    live_server: LiveServer, page: Page, sign_in: SignIn
) -> None:
    project = factories.project()
    factories.open_tasks(project)
    assignment = factories.claimed(project)
    stranger = factories.worker(project)
    address = f"{live_server.url}/work/assignments/{assignment.pk}/"

    sign_in(assignment.contractor)
    page.goto(address)
    expect(page.locator("#workbench")).not_to_be_empty()

    sign_in(stranger)
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 404
