import assert from "node:assert/strict";
import { test } from "node:test";
import cases from "../../../timelines/lint_cases.json" with { type: "json" };
import type { Edit, Hands, Timeline } from "../contract.ts";
import * as commands from "../model/commands.ts";
import { fromBody, toSubmission } from "../model/draft.ts";
import { checkSegments, warnSegments } from "../model/lint.ts";
import { breach, coveredFrames, segmentsAt } from "../model/segments.ts";

const HANDS: Hands[] = ["none", "left", "right", "both"]; // the server's bit mask, by value

for (const one of cases.errors)
  test(`lint: ${one.name}`, () => {
    const segments = one.segments.map((s) => ({ ...s, hands: HANDS[s.hands]! }));
    assert.deepEqual(
      checkSegments(segments, one.frame_count, new Set(one.action_types)),
      one.problems,
    );
  });

for (const one of cases.warnings)
  test(`lint: ${one.name}`, () => {
    const segments = one.segments.map((s) => ({ ...s, hands: HANDS[s.hands]! }));
    assert.deepEqual(
      warnSegments(segments, one.frame_count, one.gap_frames, one.short_frames),
      one.problems,
    );
  });

/** Mulberry32: the same sequence on every machine. */
function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const FRAMES = 240;

/** One random command; null when it was refused. */
function random(timeline: Timeline, roll: () => number): commands.Outcome | null {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(roll() * of.length)]!;
  const id = timeline.segments.length ? pick(timeline.segments).id : null;
  const frame = Math.floor(roll() * (FRAMES + 20)) - 10;
  const inside = Math.max(0, Math.min(FRAMES - 1, frame));
  const together = roll() < 0.5;
  const doing = [
    () => commands.add(timeline, inside, pick(HANDS), FRAMES),
    () => commands.split(timeline, roll() < 0.5 ? id : null, inside, pick(HANDS), FRAMES),
    () => commands.split(timeline, null, inside, pick(HANDS), FRAMES),
    () => commands.moveEdge(timeline, id, "start", frame, FRAMES, together),
    () => commands.moveEdge(timeline, id, "end", frame, FRAMES, together),
    () => commands.merge(timeline, id),
    () => commands.remove(timeline, id),
    () => commands.label(timeline, id, { hands: pick(HANDS) }),
    () => commands.label(timeline, id, { action_type: pick(["", "pour", "cut"]) }),
    () => commands.label(timeline, id, { description: `word ${frame}` }),
    () => commands.copyPrevious(timeline, id),
    () => commands.flag(timeline, inside, inside + 5),
    () =>
      timeline.flags.length
        ? commands.reflag(timeline, pick(timeline.flags).id, { end_frame: frame }, FRAMES)
        : commands.flag(timeline, 0, 3),
    () =>
      timeline.flags.length
        ? commands.unflag(timeline, pick(timeline.flags).id)
        : commands.flag(timeline, 0, 3),
    () => commands.screen(timeline, { ...timeline.screening, verdict: "usable", note: `${frame}` }),
  ];
  try {
    return pick(doing)();
  } catch (error) {
    if (error instanceof commands.Refused) return null;
    throw error;
  }
}

test("random commands: the invariants hold, undo gives the start, redo the end, a replay the same", () => {
  let done = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const roll = dice(seed);
    const history = new commands.History();
    const journal: Edit[] = [];
    const states: string[] = [JSON.stringify(commands.EMPTY)];
    let timeline = commands.EMPTY;
    for (let i = 0; i < 80; i++) {
      const outcome = random(timeline, roll);
      if (!outcome) continue;
      timeline = commands.apply(timeline, outcome.edit.after);
      history.did(outcome.edit);
      journal.push(JSON.parse(JSON.stringify(outcome.edit)));
      states.push(JSON.stringify(timeline));
      assert.equal(breach(timeline.segments, FRAMES), null, `${outcome.edit.label}, seed ${seed}`);
      done++;
    }
    const replayed = journal.reduce((t, edit) => commands.apply(t, edit.after), commands.EMPTY);
    assert.equal(JSON.stringify(replayed), states.at(-1));
    for (let i = states.length - 2; i >= 0; i--) {
      timeline = commands.apply(timeline, history.undo()!.after);
      assert.equal(JSON.stringify(timeline), states[i]);
    }
    assert.equal(history.undo(), null);
    for (let i = 1; i < states.length; i++) {
      timeline = commands.apply(timeline, history.redo()!.after);
      assert.equal(JSON.stringify(timeline), states[i]);
    }
    assert.equal(history.redo(), null);
  }
  assert.ok(done > 2000, `only ${done} commands were carried out`);
});

function of(...rows: [number, number, Hands][]): Timeline {
  const segments = rows.map(([start_frame, end_frame, hands], i) => ({
    id: String.fromCharCode(97 + i),
    start_frame,
    end_frame,
    hands,
    action_type: "",
    description: "",
  }));
  return { ...commands.EMPTY, segments };
}

function spans(timeline: Timeline, outcome: commands.Outcome): [number, number][] {
  return commands
    .apply(timeline, outcome.edit.after)
    .segments.map((s) => [s.start_frame, s.end_frame]);
}

test("a split ends the action before this frame and begins the next with it", () => {
  const timeline = of([0, 100, "right"]);
  assert.deepEqual(spans(timeline, commands.split(timeline, null, 40, "left", 100)), [[0, 100], [40, 100]]);
  assert.deepEqual(spans(timeline, commands.split(timeline, null, 40, "right", 100)), [[0, 40], [40, 100]]);
  assert.throws(() => commands.split(timeline, "a", 0, "right", 100), commands.Refused);
});

test("edges that touch move together, and only then", () => {
  const timeline = of([0, 50, "right"], [50, 100, "right"], [0, 50, "left"]);
  assert.deepEqual(spans(timeline, commands.moveEdge(timeline, "a", "end", 60, 100, true)), [
    [0, 50], [0, 60], [60, 100],
  ]);
  assert.throws(() => commands.moveEdge(timeline, "a", "end", 60, 100, false), commands.Refused);
  assert.deepEqual(spans(timeline, commands.moveEdge(timeline, "a", "end", 45, 100, false)), [
    [0, 45], [0, 50], [50, 100],
  ]);
});

test("an edge of both hands takes the neighbours of each hand along", () => {
  const timeline = of([0, 50, "left"], [0, 50, "right"], [50, 100, "both"]);
  assert.deepEqual(spans(timeline, commands.moveEdge(timeline, "c", "start", 30, 100, true)), [
    [0, 30], [0, 30], [30, 100],
  ]);
});

test("an edge stops at the neighbour of its hand and says where", () => {
  const timeline = of([0, 30, "right"], [50, 100, "right"]);
  const outcome = commands.moveEdge(timeline, "a", "end", 70, 100, true);
  assert.deepEqual(spans(timeline, outcome), [[0, 50], [50, 100]]);
  assert.equal(outcome.note, "Stopped at frame 50.");
});

test("busy hands are refused by the number of who has them", () => {
  const timeline = of([0, 60, "right"], [20, 80, "left"]);
  assert.throws(() => commands.label(timeline, "b", { hands: "both" }), /Segment 1 has this hand/);
});

test("merging keeps the words of both and refuses what stands between", () => {
  const timeline = of([0, 50, "both"], [50, 60, "left"], [60, 100, "both"]);
  assert.throws(() => commands.merge(timeline, "a"), /another hand/);
  const two = of([0, 50, "right"], [55, 100, "right"]);
  two.segments[0]!.description = "reach";
  two.segments[1]!.description = "grasp";
  const merged = commands.apply(two, commands.merge(two, "a").edit.after).segments;
  assert.deepEqual(merged, [{ ...two.segments[0], end_frame: 100, description: "reach; grasp" }]);
});

test("what is on screen, and how much is covered", () => {
  const timeline = of([0, 200, "left"], [10, 20, "right"], [30, 60, "right"], [150, 160, "none"]);
  assert.deepEqual(segmentsAt(timeline.segments, 40).map((s) => s.id), ["c", "a"]);
  assert.deepEqual(segmentsAt(timeline.segments, 200), []);
  assert.equal(coveredFrames(timeline.segments), 200);
});

test("a draft comes back as it was; a stranger's is completed", () => {
  const timeline = of([0, 50, "right"], [50, 100, "both"]);
  assert.deepEqual(fromBody(JSON.parse(JSON.stringify(timeline))), timeline);
  const strange = fromBody({ segments: [{ start_frame: 3, end_frame: 9, hands: "feet" }, 7] });
  assert.equal(strange.segments.length, 1);
  assert.equal(strange.segments[0]!.hands, "none");
  assert.notEqual(strange.segments[0]!.id, "");
  assert.deepEqual(fromBody(null), commands.EMPTY);
});

test("a submission carries the flags in its screening, and no page ids", () => {
  const timeline = of([0, 50, "right"]);
  timeline.segments[0]!.description = "  reach  ";
  timeline.flags = [{ id: "f", start_frame: 5, end_frame: 9, note: "dark" }];
  timeline.screening = { ...timeline.screening, verdict: "usable_with_issues", reason: "too_dark" };
  assert.deepEqual(toSubmission(timeline), {
    screening: {
      verdict: "usable_with_issues", reason: "too_dark", note: "Frames 5–8: dark",
      start_frame: 5, end_frame: 9,
    },
    segments: [
      { start_frame: 0, end_frame: 50, hands: "right", action_type: "", description: "reach" },
    ],
  });
  const unusable = { ...timeline, screening: { ...timeline.screening, verdict: "unusable" as const } };
  assert.deepEqual(toSubmission(unusable).segments, []);
});
