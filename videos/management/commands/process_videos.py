"""Carry out waiting stages here and now, without a worker."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation_platform.api.problems import Problem
from videos import processing, services
from videos.models import Video, VideoJob


class Command(BaseCommand):
    help = (
        "Probe, screen and prepare videos in this process: those named, or all that wait."
        " With --rerun do the stages again that were done or given up. Videos named together with"
        " --stage large get a proxy of 720 lines, which is made only when asked for."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("videos", nargs="*", type=int, metavar="VIDEO")
        parser.add_argument("--stage", choices=VideoJob.Stage.values, action="append")
        parser.add_argument("--rerun", action="store_true")

    def handle(
        self, *args: Any, videos: list[int], stage: list[str] | None, rerun: bool, **_: Any
    ) -> None:
        stages = stage or list(VideoJob.Stage.values)
        found = Video.objects.exclude(state=Video.State.RETIRED).order_by("id")
        if videos:
            found = found.filter(pk__in=videos)
            if missing := set(videos) - set(found.values_list("pk", flat=True)):
                raise CommandError(f"There are no videos {sorted(missing)} to work on.")
        failed = 0
        for video in found.defer("frame_times"):
            for name in stages:
                if videos and stage and name == VideoJob.Stage.LARGE and not self._ask(video):
                    failed += 1
                    continue
                failed += not self._run(video, name, rerun=rerun)
        if failed:
            raise CommandError(f"{failed} stages did not succeed; the reasons are above.")

    def _ask(self, video: Video) -> bool:
        try:
            services.want_large(actor=None, video=video)
        except Problem as problem:
            self.stdout.write(f"{video.pk:>6} {VideoJob.Stage.LARGE:<10} {problem.title}")
            return False
        return True

    def _run(self, video: Video, stage: str, *, rerun: bool) -> bool:
        job = VideoJob.objects.filter(video=video, stage=stage).first()
        if job is None:
            return True
        if rerun and job.state != VideoJob.State.RUNNING:
            try:
                services.rerun(actor=None, video=video, stage=stage)
            except Problem as problem:
                self.stdout.write(f"{video.pk:>6} {stage:<10} {problem.title}")
                return False
        elif job.state != VideoJob.State.WAITING:
            return True
        job = processing.run_stage(video.pk, stage)
        assert job is not None
        self.stdout.write(f"{video.pk:>6} {stage:<10} {job.state} {job.error}".rstrip())
        return job.state == VideoJob.State.DONE
