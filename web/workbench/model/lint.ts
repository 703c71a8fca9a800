// The rules of timelines/lint.py, word for word; both suites read timelines/lint_cases.json.

import type { Hands, Segment } from "../contract.ts";
import { LANES } from "./segments.ts";

export interface Problem {
  index: number; // from 0, in the order given; words count from 1
  code: string;
  field: "start_frame" | "end_frame" | "description" | "action_type";
  detail: string;
  frame: number | null;
  other_index: number | null;
  severity: "error" | "warning";
}

type Checked = Omit<Segment, "id">;

const RULES = [
  "end_before_start",
  "starts_before_video",
  "past_the_end",
  "overlap_same_hand",
  "empty_description",
  "unknown_action_type",
];
const WARNINGS = ["gap", "too_short"];
const LANE_NAMES: readonly (readonly [string, number])[] = [
  ["left hand", 1],
  ["right hand", 2],
  ["no hand", 4],
];
// Without a letter or digit ("…", "-", a zero-width space) nothing is described.
const WORD = /[\p{L}\p{N}]/u;

function found(
  index: number,
  code: string,
  field: Problem["field"],
  detail: string,
  frame: number | null = null,
  other_index: number | null = null,
  severity: Problem["severity"] = "error",
): Problem {
  return { index, code, field, detail, frame, other_index, severity };
}

function ordered(problems: Problem[], rules: string[]): Problem[] {
  return problems.sort(
    (a, b) => a.index - b.index || rules.indexOf(a.code) - rules.indexOf(b.code),
  );
}

/** Everything that must be mended before the segments can be submitted. O(n log n). */
export function checkSegments(
  segments: readonly Checked[],
  frameCount: number,
  actionTypes: ReadonlySet<string>,
): Problem[] {
  const problems: Problem[] = [];
  segments.forEach((segment, index) => {
    const name = `Segment ${index + 1}`;
    const { start_frame: start, end_frame: end } = segment;
    if (end <= start)
      problems.push(
        found(index, "end_before_start", "end_frame",
          `${name} ends at frame ${end}, but it starts at frame ${start}.`, end),
      );
    if (start < 0)
      problems.push(
        found(index, "starts_before_video", "start_frame",
          `${name} starts at frame ${start}, before the first frame 0.`, start),
      );
    if (end > frameCount)
      problems.push(
        found(index, "past_the_end", "end_frame",
          `${name} ends at frame ${end}, past the last frame ${frameCount - 1}.`, end),
      );
    if (!WORD.test(segment.description))
      problems.push(
        found(index, "empty_description", "description", `${name} has no description.`),
      );
    if (!segment.action_type)
      problems.push(
        found(index, "unknown_action_type", "action_type", `${name} has no action type.`),
      );
    else if (!actionTypes.has(segment.action_type))
      problems.push(
        found(index, "unknown_action_type", "action_type",
          `${name} has the action type “${segment.action_type}”, unknown to this project.`),
      );
  });
  problems.push(...overlaps(segments));
  return ordered(problems, RULES);
}

function overlaps(segments: readonly Checked[]): Problem[] {
  const problems: Problem[] = [];
  const told = new Set<string>();
  const byStart = segments
    .map((segment, index) => ({ segment, index }))
    .filter(({ segment }) => segment.end_frame > segment.start_frame)
    .sort((a, b) => a.segment.start_frame - b.segment.start_frame || a.index - b.index);
  for (const [lane, mask] of LANE_NAMES) {
    let latest: { segment: Checked; index: number } | null = null;
    for (const here of byStart) {
      if (!(LANES[here.segment.hands as Hands] & mask)) continue;
      if (latest && here.segment.start_frame < latest.segment.end_frame) {
        // Two of "both" collide in both lanes; once is enough to say so.
        const pair = `${here.index} ${latest.index}`;
        if (!told.has(pair)) {
          told.add(pair);
          problems.push(
            found(here.index, "overlap_same_hand", "start_frame",
              `Segment ${here.index + 1} starts at frame ${here.segment.start_frame}, before ` +
                `segment ${latest.index + 1} of the same hand (${lane}) ends at frame ` +
                `${latest.segment.end_frame}.`,
              here.segment.start_frame, latest.index),
          );
        }
        if (here.segment.end_frame <= latest.segment.end_frame) continue;
      }
      latest = here;
    }
  }
  return problems;
}

/** What looks forgotten or slipped, but may be right: it never blocks a submission. */
export function warnSegments(
  segments: readonly Checked[],
  frameCount: number,
  gapFrames: number,
  shortFrames: number,
): Problem[] {
  const problems = gaps(segments, frameCount, gapFrames);
  segments.forEach((segment, index) => {
    const frames = segment.end_frame - segment.start_frame;
    if (frames > 0 && frames < shortFrames)
      problems.push(
        found(index, "too_short", "end_frame",
          `Segment ${index + 1} is only ${frames === 1 ? "1 frame" : `${frames} frames`} long.`,
          segment.start_frame, null, "warning"),
      );
  });
  return ordered(problems, WARNINGS);
}

function gaps(segments: readonly Checked[], frameCount: number, gapFrames: number): Problem[] {
  const problems: Problem[] = [];
  let covered = 0; // every frame below has been looked at
  let before: number | null = null;
  const gap = (index: number, field: Problem["field"], start: number, end: number, other: number | null) =>
    found(index, "gap", field, `Nothing is marked from frame ${start} to frame ${end - 1}.`,
      start, other, "warning");
  const byStart = segments
    .map((_, index) => index)
    .sort((a, b) => segments[a]!.start_frame - segments[b]!.start_frame || a - b);
  for (const index of byStart) {
    const { start_frame, end_frame } = segments[index]!;
    if (end_frame <= start_frame) continue;
    if (start_frame - covered >= gapFrames)
      problems.push(gap(index, "start_frame", covered, start_frame, before));
    if (before === null || end_frame > covered) {
      covered = Math.max(covered, end_frame);
      before = index;
    }
  }
  if (before !== null && frameCount - covered >= gapFrames)
    problems.push(gap(before, "end_frame", covered, frameCount, null));
  return problems;
}
