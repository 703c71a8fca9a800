"""The main job as a story, played through the public API against a running server.

    python -m demo.story --url http://127.0.0.1:8000 [--videos FOLDER]

Needs the accounts of `demo_setup` and a running worker. Each run makes its own project. Every
step is printed with what was answered; the first answer that is not as it should be ends the
story with what was expected, and exit status 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError

from demo import guideline, timelines
from demo.accounts import ADA, BEN, CLEO, MANAGER, NOOR, REVIEWER, REVIEWER_2, SAM
from demo.client import Answer
from demo.telling import Person, Say, StoryFailed, dollars, expect, require, wait_until
from demo.timelines import Row
from videos.demo_clips import generate_demo_clips

POLICY = "United States and Canada"
PRICE_CENTS = 1600
VIDEOS = 3
WAIT_SECONDS = 90.0
USABLE = {"verdict": "usable"}


class Story:
    """One run. `play` tells it in order; each chapter stands on what the ones before left."""

    def __init__(self, url: str, *, say: Say, wait_seconds: float) -> None:
        self.say = say
        self.wait_seconds = wait_seconds
        people = [Person(url, who, say) for who in (MANAGER, ADA, BEN, REVIEWER, REVIEWER_2)]
        self.manager, self.ada, self.ben, self.reviewer, self.second = people
        self.barred = [Person(url, who, say) for who in (CLEO, NOOR, SAM)]
        self.earned_before = {p.name: self._earned(p) for p in (self.ada, self.ben)}
        self.project = 0
        self.guideline = 0
        self.tasks: list[int] = []
        self.claims = 0
        self.hand_ins = 0

    def play(self, files: Sequence[Path]) -> None:
        """All chapters, in order, on three video files."""
        self.chapter("A manager sets up a project")
        self.set_up(files)
        self.chapter("Who may work, and who may not")
        self.who_may_work()
        self.chapter("Two people annotate the same video and agree")
        self.agreeing()
        self.chapter("They disagree: a reviewer decides, one accepted, one sent back")
        self.disagreeing()
        self.chapter("Nonsense: rejected, and only because a second reviewer concurs")
        self.rejecting()
        self.chapter("Statement of account")
        self.statement()

    def chapter(self, title: str) -> None:
        """Print a heading."""
        self.say(f"\n{title}")

    # --- 1 ---------------------------------------------------------------------------------

    def set_up(self, files: Sequence[Path]) -> None:
        """A fresh project with price, guideline, videos and open tasks."""
        manager = self.manager
        policies = require("The policies", manager.get("eligibility-policies/?page_size=200"))
        policy = {found["name"]: found["id"] for found in policies["results"]}[POLICY]
        project = require(
            "A new project",
            manager.post(
                "projects/",
                {
                    "name": f"Demo story of {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
                    "policy": policy,
                    "price_cents": PRICE_CENTS,
                    "overlap": 2,
                },
            ),
            201,
        )
        self.project = project["id"]
        expect("Its price in cents", project["price_cents"], PRICE_CENTS)
        manager.tells(
            f"makes project {self.project}: {dollars(PRICE_CENTS)} per accepted task, overlap 2, "
            f"policy “{POLICY}”"
        )
        written = require(
            "The guideline",
            manager.post(
                f"projects/{self.project}/guidelines/",
                {
                    "title": guideline.TITLE,
                    "body": guideline.text(),
                    "changelog": "First version",
                },
            ),
            201,
        )
        self.guideline = written["id"]
        require("Publishing it", manager.post(f"guidelines/{self.guideline}/publish/"))
        manager.tells(f"publishes guideline version {written['version']}")
        videos = [self._register(path) for path in files]
        for video in videos:
            ready = wait_until(
                lambda body: body["state"] != "registered",
                partial(self._video, video),
                within=self.wait_seconds,
                what=f"video {video} to be probed",
            )
            expect(f"The state of video {video}", ready["state"], "ready")
            manager.tells(
                f"sees video {video} ready: {ready['frame_count']} frames, "
                f"{ready['width']} by {ready['height']}, {ready['fps']:.3f} per second"
            )
        tasks = require(
            "The tasks",
            manager.post("tasks/", {"project": self.project, "videos": videos, "open": True}),
            201,
        )
        self.tasks = sorted(task["id"] for task in tasks)
        expect("The states of the tasks", {task["state"] for task in tasks}, {"open"})
        manager.tells(f"opens tasks {', '.join(map(str, self.tasks))}")

    def _register(self, path: Path) -> int:
        answer = self.manager.upload("videos/", path)
        if answer.problem == "video-already-registered":
            self.manager.tells(f"uploads {path.name}: known as video {answer.body['video']}")
            return int(answer.body["video"])
        video = require(f"Uploading {path.name}", answer, 201)
        self.manager.tells(f"uploads {path.name}: video {video['id']}")
        return int(video["id"])

    def _video(self, pk: int) -> Any:
        return require("A video", self.manager.get(f"videos/{pk}/"))

    # --- 2 ---------------------------------------------------------------------------------

    def who_may_work(self) -> None:
        """Ada and Ben read the guideline first; the others are refused with the reason."""
        for person, problem in zip(
            self.barred, ("not-eligible", "not-eligible", "residence-unknown"), strict=True
        ):
            person.refused("claims", self._claim_answer(person), 403, problem)
        unread = self._claim_answer(self.ada)
        self.ada.refused("claims without reading", unread, 403, "guideline-not-acknowledged")
        for person in (self.ada, self.ben):
            answer = person.post(f"guidelines/{self.guideline}/acknowledge/")
            require("Acknowledging the guideline", answer, 204)
            why = require("May I claim?", person.get(f"projects/{self.project}/why/"))
            expect(f"What stops {person.name}", why, {"may_claim": True, "refusals": []})
            person.tells("reads the guideline; nothing stands in the way of a claim")

    def _claim_answer(self, person: Person) -> Answer:
        return person.post("assignments/", {"project": self.project})

    # --- 3 ---------------------------------------------------------------------------------

    def agreeing(self) -> None:
        """Frame-exact work by both: invalid timelines refused, agreement pays by itself."""
        task, number = self.tasks[0], 0
        ada, ben = self._claim(self.ada, task), self._claim(self.ben, task)
        frames = ada["video"]["frame_count"]
        good = timelines.careful(number, frames)
        for person, claim in ((self.ada, ada), (self.ben, ben)):
            self._renew(person, claim)
            self._autosave(person, claim, good)
        self._refuse_invalid(ada, good)
        first = self._submit(self.ada, ada, good)
        second = self._submit(self.ben, ben, timelines.almost_the_same(good))
        for person, submission in ((self.ada, first), (self.ben, second)):
            self._accepted_by_rule(person, submission)
        self._shows_agreement(task)

    def _claim(self, person: Person, task: int) -> Any:
        claim = require(f"{person.name} claims", self._claim_answer(person), 201)
        expect(f"The task that {person.name} gets", claim["task"], task)
        expect("The price pinned on it", claim["price_cents"], PRICE_CENTS)
        self.claims += 1
        person.tells(
            f"claims task {task} ({claim['video']['title']}), pays {dollars(claim['price_cents'])}"
            f", lease until {claim['lease_expires_at'][11:19]}"
        )
        return claim

    def _renew(self, person: Person, claim: Any) -> None:
        answer = person.post(f"assignments/{claim['id']}/renew/")
        renewed = require("Renewing the lease", answer)["lease_expires_at"]
        expect("Renewed leases end later", renewed > claim["lease_expires_at"], True)
        person.tells(f"renews the lease: until {renewed[11:19]}")

    def _autosave(self, person: Person, claim: Any, rows: list[Row]) -> None:
        path = f"assignments/{claim['id']}/draft/"
        revisions = []
        for done in (1, len(rows)):
            etag = str(require("The draft", person.get(path))["revision"])
            body = {"body": {"segments": rows[:done]}}
            draft = require("Saving the draft", person.put(path, body, if_match=f'"{etag}"'))
            revisions.append(draft["revision"])
        expect("The draft's revisions", revisions, [1, 2])
        stale = person.put(path, {"body": {}}, if_match='"1"')
        person.tells(f"autosaves the draft: revisions {revisions[0]}, {revisions[1]}")
        person.refused("saves from a second tab", stale, 412, "stale-draft")

    def _refuse_invalid(self, claim: Any, rows: list[Row]) -> None:
        """Five segments, each with one thing wrong, in one request: five answers."""
        frames, row = claim["video"]["frame_count"], rows[0]
        wrong = [
            row | {"start_frame": 10, "end_frame": 5},
            row | {"start_frame": frames - 20, "end_frame": frames + 1, "hands": "none"},
            row | {"start_frame": 20, "end_frame": 40, "hands": "left"},
            row | {"start_frame": 39, "end_frame": 60, "hands": "left"},
            row | {"start_frame": 60, "end_frame": 70, "description": "  "},
            row | {"start_frame": 70, "end_frame": 80, "action_type": "juggle"},
        ]
        answer = self.ada.post(
            f"assignments/{claim['id']}/submissions/", {"screening": USABLE, "segments": wrong}
        )
        self.ada.refused("submits six bad segments", answer, 422, "invalid-timeline")
        for error in answer.body["errors"]:
            self.ada.tells(f"    {error['pointer']}: {error['detail']}")
        expect(
            "What is wrong with which segment",
            [(error["segment"], error["code"]) for error in answer.body["errors"]],
            [
                (1, "end_before_start"),
                (2, "past_the_end"),
                (4, "overlap_same_hand"),
                (5, "empty_description"),
                (6, "unknown_action_type"),
            ],
        )

    def _submit(self, person: Person, claim: Any, rows: list[Row]) -> int:
        body = {"screening": USABLE, "segments": rows}
        answer = person.post(f"assignments/{claim['id']}/submissions/", body)
        submission = require("Submitting", answer, 201)
        expect("The stored timeline", submission["segments"], rows)
        self.hand_ins += submission["round"] == 1
        person.tells(
            f"screens the video as usable and submits {len(rows)} segments: submission "
            f"{submission['id']}, round {submission['round']}"
        )
        return int(submission["id"])

    def _accepted_by_rule(self, person: Person, submission: int) -> None:
        decided = self._scored(person, submission)
        expect(f"What became of {person.name}'s submission", decided["state"], "accepted")
        result = require("Its result", person.get(f"submissions/{submission}/result/"))
        expect("Who accepted it", result["decision"]["by"], "rule")
        expect("At least the threshold", result["score"]["s"] >= 0.85, True)
        person.tells(f"is accepted: {result['decision']['explanation']}")

    def _shows_agreement(self, task: int) -> None:
        agreement = require("The agreement", self.manager.get(f"tasks/{task}/agreement/"))
        (score,) = agreement["scores"]
        self.manager.tells(
            f"sees task {task}: S {score['s']:.3f}, segmental F1@.50 {score['f1']['0.50']:.3f}, "
            f"boundaries {score['mean_boundary_error_frames']:.2f} frames apart"
        )
        self._expect_task(task, "completed")

    # --- 4 ---------------------------------------------------------------------------------

    def disagreeing(self) -> None:
        """Low agreement queues reviews; changes asked for and made are scored again."""
        task, number = self.tasks[1], 1
        ada, ben = self._claim(self.ada, task), self._claim(self.ben, task)
        good = timelines.careful(number, ada["video"]["frame_count"])
        hurried = timelines.coarse(good)
        first, second = self._submit(self.ada, ada, good), self._submit(self.ben, ben, hurried)
        for person, submission in ((self.ada, first), (self.ben, second)):
            waiting = self._scored(person, submission)
            expect(f"{person.name}'s submission", waiting["state"], "in_review")
            person.tells(f"waits: agreement is low, so a person looks at submission {submission}")
        self._expect_task(task, "adjudicating")

        review = self._take_review(self.reviewer, first)
        self._looks_at(review)
        self._decide(self.reviewer, review, {"outcome": "accepted", "text": "Exact cuts."})
        review = self._take_review(self.reviewer, second)
        place = hurried[0]
        self._decide(
            self.reviewer,
            review,
            {
                "outcome": "changes_requested",
                "text": "Several actions are in one segment; see section 3 of the guideline.",
                "evidence": [
                    {
                        "start_frame": place["start_frame"],
                        "end_frame": place["end_frame"],
                        "text": "Three actions: cut them apart and name the objects.",
                    }
                ],
            },
        )
        back = require("The claim", self.ben.get(f"assignments/{ben['id']}/"))
        expect("The claim sent back", (back["state"], back["is_live"]), ("rework", True))
        result = require("The result", self.ben.get(f"submissions/{second}/result/"))
        for place in result["decision"]["evidence"]:
            self.ben.tells(
                f"reads: frames {place['start_frame']} to {place['end_frame']}: {place['text']}"
            )
        again = self._submit(self.ben, ben, timelines.almost_the_same(good))
        self._accepted_by_rule(self.ben, again)
        self._expect_task(task, "completed")

    def _take_review(self, reviewer: Person, submission: int) -> Any:
        """The review of this submission. Others in the way: samples are accepted, a review of
        another project, held since an earlier run, is given back."""
        for _ in range(20):
            answer = reviewer.post("reviews/", {"project": self.project})
            if answer.status not in (200, 201):
                require(f"{reviewer.name} takes a review", answer, 201)
            review = answer.body
            if review["project"] != self.project:
                released = reviewer.post(f"reviews/{review['id']}/release/")
                require("Giving a review back", released, 204)
            elif review["kind"] == "sample":
                self._decide(reviewer, review, {"outcome": "accepted", "text": "A random sample."})
            else:
                expect("The submission to review", review["submission"], submission)
                reviewer.tells(
                    f"takes review {review['id']} of submission {submission}: {review['reason']}"
                )
                return review
        raise StoryFailed("Twenty reviews and not the one that was looked for.")

    def _looks_at(self, review: Any) -> None:
        page = require("The review", self.reviewer.get(f"reviews/{review['id']}/"))
        for timeline in page["timelines"]:
            subject = " (to decide)" if timeline["is_subject"] else ""
            self.reviewer.tells(
                f"sees timeline {timeline['letter']}{subject}: {len(timeline['segments'])} segments"
            )
        expect("Timelines beside each other", len(page["timelines"]), 2)
        for sentence in page["scores"][0]["in_words"]:
            self.reviewer.tells(f"reads: {sentence}")
        shown = json.dumps(page)
        told = [name for name in (f'"{ADA.name}"', f'"{BEN.name}"', "@") if name in shown]
        expect("Names on the review", told, [])

    def _decide(self, reviewer: Person, review: Any, findings: dict[str, Any]) -> None:
        answer = reviewer.post(f"reviews/{review['id']}/decision/", findings)
        decided = require("Deciding", answer)
        expect("The review", decided["state"], "decided")
        reviewer.tells(f"decides: {findings['outcome']}. {findings.get('text', '')}".strip())

    # --- 5 ---------------------------------------------------------------------------------

    def rejecting(self) -> None:
        """A rejection needs a reason, a clause, a place, a text and a second reviewer."""
        task, number = self.tasks[2], 2
        ada, ben = self._claim(self.ada, task), self._claim(self.ben, task)
        frames = ada["video"]["frame_count"]
        first = self._submit(self.ada, ada, timelines.careful(number, frames))
        second = self._submit(self.ben, ben, timelines.nonsense(frames))
        for person, submission in ((self.ada, first), (self.ben, second)):
            self._scored(person, submission)
        self._decide(
            self.reviewer, self._take_review(self.reviewer, first), {"outcome": "accepted"}
        )
        review = self._take_review(self.reviewer, second)
        bare = self.reviewer.post(f"reviews/{review['id']}/decision/", {"outcome": "rejected"})
        self.reviewer.refused("rejects without a reason", bare, 422, "incomplete-decision")
        self._decide(
            self.reviewer,
            review,
            {
                "outcome": "rejected",
                "reason_code": "empty_or_random",
                "guideline_clause": "3. One action, one segment",
                "text": "One segment covers the whole video and says “Video”. No action, no object "
                "and no hand is named, although seven actions with both hands can be seen.",
                "evidence": [
                    {"start_frame": 0, "end_frame": frames, "text": "Nothing is annotated here."}
                ],
            },
        )
        undecided = require("The submission", self.ben.get(f"submissions/{second}/"))
        expect("Until a second person agrees", undecided["state"], "in_review")
        concurrence = self._take_review(self.second, second)
        self._decide(self.second, concurrence, {"outcome": "rejected", "text": "I agree."})
        rejected = require("The submission", self.ben.get(f"submissions/{second}/"))
        expect("Once the second one agrees", rejected["state"], "rejected")
        self._expect_task(task, "completed")
        reasons = require("Its result", self.ben.get(f"submissions/{second}/result/"))["decision"]
        self.ben.tells(
            f"reads: {reasons['outcome']}, {reasons['reason_code']}, guideline “"
            f"{reasons['guideline_clause']}”: {reasons['explanation']}"
        )
        self.manager.tells(f"sees task {task} completed: Ada's timeline stands, Ben's is not paid")

    # --- 6 ---------------------------------------------------------------------------------

    def statement(self) -> None:
        """Exactly $16.00 for each accepted submission, explained; the manager's figures agree."""
        accepted = {self.ada.name: 3, self.ben.name: 2}
        for person in (self.ada, self.ben):
            listed = require("Earnings", person.get(f"earnings/?project={self.project}"))
            lines = listed["results"]
            for line in reversed(lines):
                person.tells(f"earned {line['why']}")
            wanted = [PRICE_CENTS] * accepted[person.name]
            expect(f"{person.name}'s lines", [line["amount_cents"] for line in lines], wanted)
            one = require("One earning", person.get(f"earnings/{lines[0]['id']}/"))
            expect("Its pinned price", one["explanation"]["price"]["price_cents"], PRICE_CENTS)
            total = self._earned(person)
            gained = total - self.earned_before[person.name]
            expect(f"What {person.name} earned in this story", gained, sum(wanted))
            person.tells(f"earned {dollars(gained)} here, {dollars(total)} altogether")
        self._manager_sees(sum(accepted.values()))

    def _manager_sees(self, accepted: int) -> None:
        report = require("The throughput", self.manager.get(f"projects/{self.project}/throughput/"))
        for day in report["days"]:
            if day["claimed"] or day["accepted"]:
                (money,) = day["money"]
                self.manager.tells(
                    f"sees {day['date']}: {day['claimed']} claimed, {day['submitted']} submitted, "
                    f"{day['accepted']} accepted, {day['earned']} earned, {day['paid']} paid out; "
                    f"{dollars(money['reserved_cents'])} reserved, "
                    f"{dollars(money['earned_cents'])} earned"
                )
        wanted = {
            "claimed": self.claims,
            "submitted": self.hand_ins,
            "accepted": accepted,
            "earned": accepted,
            "paid": 0,  # payouts are weekly
            "money": [
                {
                    "currency": "USD",
                    "reserved_cents": self.claims * PRICE_CENTS,
                    "earned_cents": accepted * PRICE_CENTS,
                    "paid_cents": 0,
                }
            ],
        }
        expect("The throughput's totals", report["totals"], wanted)
        money = require("The money", self.manager.get(f"projects/{self.project}/money/"))["money"]
        expect(
            "Reserved and earned",
            [(line["reserved_cents"], line["earned_cents"]) for line in money],
            [(0, accepted * PRICE_CENTS)],
        )
        self.manager.tells(
            f"sees the project's money: {dollars(money[0]['earned_cents'])} earned, "
            f"{dollars(money[0]['reserved_cents'])} still reserved"
        )
        closing = self.manager.patch(f"projects/{self.project}/", {"state": "closed"})
        expect("The project in the end", require("Closing it", closing)["state"], "closed")
        self.manager.tells("closes the project")

    # --- waiting and looking -----------------------------------------------------------------

    def _earned(self, person: Person) -> int:
        summary = require("Earnings", person.get("earnings/"))["summary"]
        return sum(line["earned_cents"] for line in summary)

    def _expect_task(self, task: int, state: str) -> None:
        found = require("The task", self.manager.get(f"tasks/{task}/"))
        expect(f"The state of task {task}", found["state"], state)

    def _scored(self, person: Person, submission: int) -> Any:
        return wait_until(
            lambda body: body["state"] != "submitted",
            lambda: require("The submission", person.get(f"submissions/{submission}/")),
            within=self.wait_seconds,
            what=f"submission {submission} to be scored",
        )


def play(
    url: str,
    videos: Sequence[Path] = (),
    *,
    say: Say = print,
    wait_seconds: float = WAIT_SECONDS,
) -> None:
    """Play the whole story against the server at `url`.

    Arguments:
        videos: at least three video files; three clips are drawn when there are none.
        say: takes each printed line.
        wait_seconds: how long the worker may take for one piece of work.

    Raises `StoryFailed` with what was expected, and `URLError` when nobody answers.
    """
    story = Story(url, say=say, wait_seconds=wait_seconds)
    with tempfile.TemporaryDirectory(prefix="demo-story-") as folder:
        files = list(videos)[:VIDEOS] or [
            clip.path for clip in generate_demo_clips(Path(folder), count=VIDEOS, seconds=8)
        ]
        if len(files) < VIDEOS:
            raise StoryFailed(f"The story needs {VIDEOS} videos, there are {len(files)}.")
        story.play(files)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.story", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--videos", type=Path, help="a folder with three real videos (.mp4)")
    arguments = parser.parse_args()
    files = sorted(arguments.videos.glob("*.mp4")) if arguments.videos else []
    if arguments.videos and not files:
        parser.error(f"there is no .mp4 file in {arguments.videos}")
    try:
        play(arguments.url, files)
    except StoryFailed as failure:
        sys.stderr.write(f"\nFAILED  {failure}\n")
        return 1
    except URLError as error:
        sys.stderr.write(
            f"\nFAILED  Nobody answers at {arguments.url} ({error.reason}).\n"
            "        Start the platform with `make run` in another terminal.\n"
        )
        return 1
    sys.stdout.write("\nThe story went as it should.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
