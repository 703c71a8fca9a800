"""While one task is worked on, the first seconds of the next one in hand are loaded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.signals import request_started
from playwright.sync_api import expect

from tests.browser.desk import OpenTask, draft, row, task_on

BACK_IN_THE_TAB = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.mark.django_db(transaction=True)
def test_the_next_task_opens_with_what_was_loaded_meanwhile(
    open_task: OpenTask, short_clip: Path
) -> None:
    from tests import factories

    served: list[str] = []  # whatever the browser asks the server for, and has not kept itself

    def heard(environ: dict[str, Any], **_: Any) -> None:
        served.append(environ["PATH_INFO"])

    desk = open_task(body=draft(row(0, 210)))
    page = desk.page
    assert desk.assignment is not None
    project = desk.assignment.task.project
    task_on(short_clip, project)
    request_started.connect(heard, weak=False, dispatch_uid="next")
    try:
        # It is open to everybody, and nobody's yet: nothing of it may be loaded.
        with page.expect_response("**/assignments/?is_live=true**") as none:
            page.evaluate(BACK_IN_THE_TAB)
        assert [claim["id"] for claim in none.value.json()["results"]] == [desk.assignment.pk]
        assert [path for path in served if "/media/" in path] == []

        second = factories.claimed(project, desk.assignment.contractor)
        page.evaluate(BACK_IN_THE_TAB)
        page.wait_for_function("id => workbench.next.loaded.value === id", arg=second.pk)
        asked = [path for path in served if "/media/" in path]
        link = asked[-1]
        assert asked[0] == f"/api/v1/assignments/{second.pk}/media/"
        assert set(asked[1:]) == {link}
        page.evaluate(BACK_IN_THE_TAB)  # once is enough
        desk.press("Control+Shift+Enter", "Enter")
        expect(page.get_by_role("heading", name="Handed in")).to_be_visible()
        on = page.get_by_role("link", name=f"Open task {second.task_id}, which you hold, too")
        desk.press("Tab")
        expect(on).to_be_focused()
        del served[:]
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):  # links are by second
            desk.press("Enter")
            page.wait_for_url(f"**/work/assignments/{second.pk}/")
            desk.ready()
        assert page.evaluate("workbench.player.source.value") == link
        assert [path for path in served if "/media/" in path] == []  # it was here already
        # A reload is no other task: it asks for a link of its own.
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2)):
            page.reload()
            desk.ready()
        assert page.evaluate("workbench.player.source.value") != link
    finally:
        request_started.disconnect(dispatch_uid="next")
