"""Every stage on real files: what it makes, frame by frame, and what it says of damage."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from contractors.models import User
from events.models import Event
from tests.videos.files import cut_short
from videos import filmstrip, links, processing, proxy, queries, services
from videos.container import UnreadableVideo, decode_displayed, open_video
from videos.damaged_clips import VARIANTS, write_variant
from videos.demo_clips import KINDS, read_barcode, write_clip
from videos.models import FrameHash, Video, VideoJob
from videos.probe import probe

TRAPS = [
    "rotated_0.mov", "rotated_90.mov", "rotated_180.mov", "rotated_270.mov", "unordered.mov",
    "vfr_with_audio.mp4", "corrupted.mp4",
]  # fmt: skip


def proxy_of(source: Path, folder: Path) -> tuple[Path, proxy.ProxyReport]:
    found = probe(source)
    target = folder / "proxy.mp4"
    report = proxy.make_proxy(source, target, times=found.times, rotation=found.rotation)
    return target, report


def packet_times(path: Path) -> list[Fraction]:
    """Independent of the code under test: straight from PyAV's packets."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [
            p.pts * stream.time_base
            for p in container.demux(stream)
            if p.size and p.pts is not None and not p.is_discard
        ]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_proxy_shows_every_frame_at_its_time(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    write_clip(source, KINDS[name], seconds=2)
    target, report = proxy_of(source, tmp_path)
    wanted = sorted(packet_times(source))
    assert packet_times(target) == [t - wanted[0] for t in wanted]
    with open_video(target) as (container, stream):
        shown = [
            read_barcode(f.to_ndarray(format="gray")) for f in decode_displayed(container, stream)
        ]
    hidden = KINDS[name].hidden
    assert shown == list(range(hidden, hidden + len(wanted)))
    assert (report.missing, report.corrupt) == ([], [])
    assert report.has_audio is KINDS[name].audio


@pytest.mark.parametrize("name", TRAPS)
def test_real_traps_keep_their_frames_to_the_tick(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "video/traps" / name
    target, _ = proxy_of(source, tmp_path)
    wanted = sorted(packet_times(source))
    assert packet_times(target) == [t - wanted[0] for t in wanted]


@pytest.mark.parametrize(("name", "turn"), [("90", 1), ("180", 2), ("270", 3)])
def test_a_turned_source_gets_an_upright_proxy(
    name: str, turn: int, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / f"video/traps/rotated_{name}.mov"
    target, _ = proxy_of(source, tmp_path)
    with av.open(str(source)) as raw, av.open(str(target)) as made:
        coded = next(raw.decode(video=0)).to_ndarray(format="gray")
        first = next(made.decode(video=0))
    assert first.rotation == 0
    upright = np.rot90(coded, -turn).astype(float)  # clockwise
    shown = first.to_ndarray(format="gray").astype(float)
    assert shown.shape == upright.shape
    assert abs(shown - upright).mean() < 6
    assert abs(shown - np.rot90(upright, 2)).mean() > 20  # the other way up is far off


def test_corrupted_bytes_are_counted_and_filled(shared_data: Path, tmp_path: Path) -> None:
    _, report = proxy_of(shared_data / "video/traps/corrupted.mp4", tmp_path)
    assert report.frame_count == 50
    assert (report.missing, report.corrupt) == ([(30, 31)], [32])


def test_a_truncated_file_has_the_frames_it_holds(tmp_path: Path) -> None:
    source = cut_short(tmp_path, seconds=4, keep=0.6)
    found = probe(source)
    assert found.is_truncated
    assert found.promised_frames == 120
    assert 40 < len(found.times) < 110
    target, report = proxy_of(source, tmp_path)
    assert len(packet_times(target)) == len(found.times)
    assert report.missing_count <= 3


def test_a_file_of_which_nothing_decodes_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    write_clip(source, KINDS["regular"], seconds=2)
    times = probe(source).times
    raw = bytearray(source.read_bytes())
    start = raw.index(b"mdat") + 4
    chance = np.random.default_rng(0)
    raw[start : start + 150_000] = chance.integers(0, 256, 150_000, dtype=np.uint8).tobytes()
    source.write_bytes(raw[: start + 150_000] + raw[start + 150_000 :])
    with pytest.raises(UnreadableVideo):
        proxy.make_proxy(source, tmp_path / "p.mp4", times=times)


def test_a_wrong_proxy_is_noticed(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    write_clip(source, KINDS["regular"], seconds=1)
    times = probe(source).times
    with pytest.raises(proxy.WrongProxy, match="B-frames"):
        proxy.check_proxy(source, times)
    target, _ = proxy_of(source, tmp_path)
    write_clip(source, KINDS["variable"], seconds=1)
    with pytest.raises(proxy.WrongProxy):
        proxy.check_proxy(target, probe(source).times)


@pytest.mark.parametrize("frames", [0, 7])
def test_sound_stays_in_step_with_a_late_start(tmp_path: Path, frames: int) -> None:
    """The demo's knocks come once a second of the sound; the proxy, which begins with frame 0,
    has them as much earlier as that was late."""
    source = tmp_path / "source.mp4"
    write_clip(source, replace(KINDS["regular"], late_frames=frames), seconds=3)
    zero = float(probe(source).times.seconds(0))
    assert zero == frames / 30
    target, _ = proxy_of(source, tmp_path)
    with av.open(str(target)) as container:
        stream = container.streams.audio[0]
        sound = np.concatenate([f.to_ndarray().ravel() for f in container.decode(stream)])
        rate = stream.rate
    for second in (1 - zero, 2 - zero):
        window = np.abs(sound[int((second - 0.2) * rate) : int((second + 0.2) * rate)])
        onset = np.argmax(window > 0.5 * window.max()) / rate - 0.2
        assert abs(onset) < 0.01


def test_the_filmstrip_shows_the_frames_it_names(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    write_clip(source, KINDS["edited"], seconds=3)
    times = probe(source).times
    strip = filmstrip.make_filmstrip(source, tmp_path, times=times)
    assert strip.frames == sorted(set(strip.frames))
    assert strip.frames[0] == 0
    with open_video(source) as (container, stream):
        truth = [
            f.reformat(width=strip.tile_width, height=strip.tile_height, format="gray").to_ndarray()
            for f in decode_displayed(container, stream)
        ]
    sheet = np.asarray(Image.open(tmp_path / strip.sheets[0]).convert("L")).astype(float)
    for n, frame in enumerate(strip.frames):
        x, y = n % strip.columns * strip.tile_width, n // strip.columns * strip.tile_height
        tile = sheet[y : y + strip.tile_height, x : x + strip.tile_width]
        errors = [abs(tile - t).mean() for t in truth]
        assert int(np.argmin(errors)) == frame
    text = filmstrip.webvtt(strip, times, ["s.jpg"])
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert text.count("s.jpg#xywh=") == len(strip.frames)


@pytest.mark.django_db
def test_the_whole_pipeline_on_a_real_clip(
    register: Callable[[Path], Video], shared_data: Path, media_root: Path, manager_user: User
) -> None:
    video = services.probe(register(shared_data / "video/traps/vfr_with_audio.mp4").pk)
    for stage in ("screen", "proxy", "filmstrip", "peaks"):
        job = processing.run_stage(video.pk, stage)
        assert job is not None
        assert (job.state, job.error) == ("done", "")
    video = Video.objects.get()
    playable = links.playable(video, user=manager_user)
    assert playable["kind"] == "proxy"
    assert playable["zero_seconds"] == 0
    proxy_path = media_root / links.key_of(video, "proxy")
    assert packet_times(proxy_path) == [video.times.seconds(i) for i in range(527)]
    peaks = json.loads((media_root / links.key_of(video, "peaks")).read_text())
    assert len(base64.b64decode(peaks["peaks"])) == 881
    strip = links.filmstrip(video, user=manager_user)
    assert len(strip["sheets"]) == 1
    vtt = links.filmstrip_vtt(video, user=manager_user)
    assert strip["sheets"][0].split("/")[3] in vtt
    assert vtt.count("-->") == len(strip["frames"])
    shown = links.sample_frames(video, user=manager_user)
    assert [s["frame"] for s in shown] == sorted({s["frame"] for s in shown})
    assert {w["frame"] for w in queries.warnings(video)} <= {s["frame"] for s in shown}
    assert FrameHash.objects.filter(kept=100).count() >= 5
    assert Event.objects.filter(type__startswith="video.", type__endswith="_made").count() == 4
    # Done again, the old files go and the new ones are there.
    services.rerun(actor=manager_user, video=video, stage="proxy", parameters={"height": 240})
    assert links.key_of(Video.objects.get(), "proxy")  # the old one serves meanwhile
    processing.run_stage(video.pk, "proxy")
    again = media_root / links.key_of(Video.objects.get(), "proxy")
    assert again.exists()
    assert again != proxy_path
    assert not proxy_path.exists()
    assert VideoJob.objects.get(stage="proxy").result["height"] == 240  # type: ignore[index]


@pytest.mark.django_db
def test_near_duplicates_are_found_across_the_library(
    register: Callable[[Path], Video], shared_data: Path, tmp_path: Path
) -> None:
    homes = shared_data / "video/homes"
    originals = [homes / "making_tea.mp4", homes / "mopping.mp4"]
    copies = []
    for name in ("re-encoded copy", "cropped copy"):
        copies.append(tmp_path / f"{name}.mp4")
        write_variant(originals[0], copies[-1], VARIANTS[name][0])
    videos = []
    for path in originals + copies:
        videos.append(services.probe(register(path).pk))
        processing.run_stage(videos[-1].pk, "screen")
    tea, mop, small, cropped = videos

    def like(video: Video) -> set[int]:
        return {found.video_id for found in queries.near_duplicates(video.pk)}

    assert like(mop) == set()
    assert like(tea) == {small.pk, cropped.pk}
    assert tea.pk in like(small)
    assert tea.pk in like(cropped)
    warned = [w for w in queries.warnings(small) if w["code"] == "near_duplicate"]
    assert [w["video"] for w in warned] == [tea.pk]


@pytest.mark.django_db
def test_damage_is_a_warning_that_points_to_a_frame(
    register: Callable[[Path], Video], shared_data: Path, tmp_path: Path
) -> None:
    video = services.probe(register(shared_data / "video/traps/corrupted.mp4").pk)
    processing.run_stage(video.pk, "proxy")
    found = queries.warnings(Video.objects.get(pk=video.pk))
    assert [(w["code"], w["frame"]) for w in found] == [("damaged", 30)]
    cut = services.probe(register(cut_short(tmp_path, seconds=2, keep=0.6)).pk)
    assert [w["code"] for w in queries.warnings(cut)] == ["truncated"]
