"""The main story through a real web server and a real worker, on real and on drawn clips."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from demo import services, story
from demo.telling import StoryFailed
from events.models import Event
from payouts.models import Payable
from payouts.queries import decided_but_unpaid, unbalanced_transactions, wrong_balances
from tests.faults.processes import WebServer, Worker
from videos.demo_clips import generate_demo_clips
from videos.models import Video

pytestmark = pytest.mark.faults  # it starts real processes


@pytest.fixture
def people(transactional_db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's accounts and policy; the story brings its own videos."""
    settings.PLATFORM_DEMO = True
    monkeypatch.setattr(services, "CLIPS", 0)
    services.set_up()


@pytest.fixture
def platform(people: None, web_server: WebServer, worker_process: Worker) -> str:
    """The address of a server that has a worker."""
    web_server.start()
    worker_process.start()
    return web_server.url


@pytest.fixture(scope="module")
def drawn_clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [clip.path for clip in generate_demo_clips(folder, count=3, seconds=6)]


def check_what_is_left() -> None:
    """The rows behind the story: five earnings of $16.00, a ledger that balances."""
    paid = Payable.objects.values_list("contractor__user__name", "amount_cents", "kind")
    assert sorted(paid) == [("Ada", 1600, "accepted")] * 3 + [("Ben", 1600, "accepted")] * 2
    assert list(wrong_balances()) == []
    assert unbalanced_transactions() == []
    assert list(decided_but_unpaid()) == []
    assert Event.objects.filter(type="payable.accrued").count() == 5


@pytest.mark.django_db(transaction=True)
def test_the_story_on_real_clips(platform: str, shared_data: Path) -> None:
    homes = shared_data / "video" / "homes"
    clips = [homes / f"{name}.mp4" for name in ("making_tea", "folding_clothes", "pouring_water")]
    told: list[str] = []
    story.play(platform, clips, say=told.append)
    assert {video.frame_count for video in Video.objects.all()} == {300}
    assert "earned $48.00 here" in "\n".join(told)
    check_what_is_left()


@pytest.mark.django_db(transaction=True)
def test_the_story_on_drawn_clips_and_again_in_a_project_of_its_own(
    platform: str, drawn_clips: list[Path]
) -> None:
    story.play(platform, drawn_clips, say=lambda line: None)
    check_what_is_left()
    story.play(platform, drawn_clips, say=lambda line: None)
    assert Payable.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_the_story_fails_without_a_worker(
    people: None, web_server: WebServer, drawn_clips: list[Path]
) -> None:
    """What it tells is what happened: it ends with what it waited for."""
    web_server.start()
    with pytest.raises(StoryFailed, match=r"to be probed\. Is a worker running"):
        story.play(web_server.url, drawn_clips, say=lambda line: None, wait_seconds=1)
