// What a person can do to a timeline. Each command returns an Edit: plain data with what was
// there before and what is there after, so that undoing is applying `before`, and the journal can
// apply `after` again after an accident. Nothing here looks at the clock, the screen or the net.

import type { Edit, Flag, Hands, Patch, Screening, Segment, Timeline } from "../contract.ts";
import {
  contains,
  find,
  freeStretch,
  inOrder,
  indexOf,
  segmentsAt,
  shareLane,
} from "./segments.ts";

export type Edge = "start" | "end";

/** Why a command changed nothing, in words for the person. */
export class Refused extends Error {}

export interface Outcome {
  edit: Edit;
  /** What to select afterwards; undefined leaves the selection alone. */
  select?: string | null;
  /** Something the person should know, e.g. that an edge stopped at a neighbour. */
  note?: string;
}

/** 96 random bits; `crypto.randomUUID` does not exist on plain http. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const EMPTY: Timeline = {
  version: 1,
  segments: [],
  screening: { verdict: null, reason: "", note: "", start_frame: null, end_frame: null },
  flags: [],
};

function flagsInOrder(a: Flag, b: Flag): number {
  return (
    a.start_frame - b.start_frame || a.end_frame - b.end_frame || (a.id < b.id ? -1 : 1)
  );
}

/** The timeline with a patch applied. Untouched segments keep their identity. */
export function apply(timeline: Timeline, patch: Patch): Timeline {
  const changed = patch.segments;
  let segments = timeline.segments;
  if (Object.keys(changed).length > 0) {
    segments = segments.filter((segment) => !(segment.id in changed));
    for (const segment of Object.values(changed)) if (segment) segments.push(segment);
    segments.sort(inOrder);
  }
  let flags = timeline.flags;
  if (patch.flags) {
    const replaced = patch.flags;
    flags = flags.filter((flag) => !(flag.id in replaced));
    for (const flag of Object.values(replaced)) if (flag) flags.push(flag);
    flags.sort(flagsInOrder);
  }
  return { version: 1, segments, screening: patch.screening ?? timeline.screening, flags };
}

/** The edit that takes another one back. */
export function inverse(edit: Edit): Edit {
  return { id: newId(), at: Date.now(), label: edit.label, before: edit.after, after: edit.before };
}

function change(timeline: Timeline, label: string, after: Patch): Edit {
  const before: Patch = { segments: {} };
  for (const id of Object.keys(after.segments)) before.segments[id] = find(timeline.segments, id);
  if (after.screening) before.screening = timeline.screening;
  if (after.flags) {
    before.flags = {};
    for (const id of Object.keys(after.flags))
      before.flags[id] = timeline.flags.find((flag) => flag.id === id) ?? null;
  }
  return { id: newId(), at: Date.now(), label, before, after };
}

function chosen(timeline: Timeline, id: string | null): Segment {
  const segment = find(timeline.segments, id);
  if (!segment) throw new Refused("Choose a segment first.");
  return segment;
}

function numberOf(timeline: Timeline, segment: Segment): number {
  return indexOf(timeline.segments, segment.id) + 1;
}

/** A new, unlabelled segment at `frame`, as long as its hand is free. */
export function add(
  timeline: Timeline,
  frame: number,
  hands: Hands,
  frameCount: number,
): Outcome {
  const free = freeStretch(timeline.segments, hands, frame, frameCount);
  if (!free) {
    const other = segmentsAt(timeline.segments, frame).find((s) => shareLane(s.hands, hands))!;
    throw new Refused(`Segment ${numberOf(timeline, other)} has this hand here.`);
  }
  const segment: Segment = {
    id: newId(),
    start_frame: frame,
    end_frame: free.end,
    hands,
    action_type: "",
    description: "",
  };
  return {
    edit: change(timeline, "New segment", { segments: { [segment.id]: segment } }),
    select: segment.id,
  };
}

/**
 * The action on screen ends here and the next one begins with this frame. Cuts the chosen segment,
 * else the one of `hands`, else whatever is on screen; where nothing is, the next one just begins.
 */
export function split(
  timeline: Timeline,
  id: string | null,
  frame: number,
  hands: Hands,
  frameCount: number,
): Outcome {
  const here = segmentsAt(timeline.segments, frame);
  const preferred = find(timeline.segments, id);
  const cut =
    (preferred && contains(preferred, frame) ? preferred : null) ??
    here.find((segment) => segment.hands === hands) ??
    here.find((segment) => shareLane(segment.hands, hands));
  if (!cut) return add(timeline, frame, hands, frameCount);
  if (frame === cut.start_frame) throw new Refused("A segment begins with this frame already.");
  const next: Segment = {
    id: newId(),
    start_frame: frame,
    end_frame: cut.end_frame,
    hands: cut.hands,
    action_type: "",
    description: "",
  };
  return {
    edit: change(timeline, "Split", {
      segments: { [cut.id]: { ...cut, end_frame: frame }, [next.id]: next },
    }),
    select: next.id,
  };
}

/** Where an edge may go, and which neighbours' edges go with it when they touch and `together`. */
export function edgeRoom(
  timeline: Timeline,
  segment: Segment,
  edge: Edge,
  frameCount: number,
  together: boolean,
): { low: number; high: number; ending: Segment[]; beginning: Segment[] } {
  const at = edge === "start" ? segment.start_frame : segment.end_frame;
  const ending: Segment[] = edge === "end" ? [segment] : [];
  const beginning: Segment[] = edge === "start" ? [segment] : [];
  const touching = together
    ? timeline.segments.filter((s) => s.start_frame === at || s.end_frame === at)
    : [];
  // Whatever shares a lane across this cut moves with it, and what shares a lane with that.
  for (let grew = together; grew; ) {
    grew = false;
    for (const other of touching) {
      if (
        other.start_frame === at &&
        !beginning.includes(other) &&
        ending.some((s) => shareLane(s.hands, other.hands))
      ) {
        beginning.push(other);
        grew = true;
      }
      if (
        other.end_frame === at &&
        !ending.includes(other) &&
        beginning.some((s) => shareLane(s.hands, other.hands))
      ) {
        ending.push(other);
        grew = true;
      }
    }
  }
  let low = edge === "start" ? 0 : 1;
  let high = edge === "end" ? frameCount : frameCount - 1;
  for (const s of ending) low = Math.max(low, s.start_frame + 1);
  for (const s of beginning) high = Math.min(high, s.end_frame - 1);
  for (const s of timeline.segments) {
    if (
      s.end_frame <= at &&
      !ending.includes(s) &&
      beginning.some((b) => shareLane(b.hands, s.hands))
    )
      low = Math.max(low, s.end_frame);
    if (
      s.start_frame >= at &&
      !beginning.includes(s) &&
      ending.some((e) => shareLane(e.hands, s.hands))
    )
      high = Math.min(high, s.start_frame);
  }
  return { low, high, ending, beginning };
}

/**
 * Moves one edge to `frame` (a start is the first frame, an end the first frame after). It stops
 * at the neighbour of its hand; where two touch and `together` is on, both edges move.
 */
export function moveEdge(
  timeline: Timeline,
  id: string | null,
  edge: Edge,
  frame: number,
  frameCount: number,
  together: boolean,
): Outcome {
  const segment = chosen(timeline, id);
  const { low, high, ending, beginning } = edgeRoom(timeline, segment, edge, frameCount, together);
  const to = Math.max(low, Math.min(high, Math.round(frame)));
  const now = edge === "start" ? segment.start_frame : segment.end_frame;
  if (to === now)
    throw new Refused(
      to === Math.round(frame) ? "It is there already." : "It can't go further: a neighbour, or its other edge.",
    );
  const segments: Record<string, Segment> = {};
  for (const s of ending) segments[s.id] = { ...s, end_frame: to };
  for (const s of beginning) segments[s.id] = { ...s, start_frame: to };
  return {
    edit: change(timeline, edge === "start" ? "Move start" : "Move end", { segments }),
    ...(to === Math.round(frame) ? {} : { note: `Stopped at frame ${to}.` }),
  };
}

/** The nearest edge of another segment to `frame` within `reach` frames, or `frame` itself. */
export function snap(timeline: Timeline, id: string, frame: number, reach: number): number {
  let best = frame;
  let distance = reach + 1;
  for (const segment of timeline.segments) {
    if (segment.id === id) continue;
    for (const edge of [segment.start_frame, segment.end_frame]) {
      const far = Math.abs(edge - frame);
      if (far < distance) [best, distance] = [edge, far];
    }
  }
  return best;
}

/** The next segment of the same hands, directly after `segment` in its lanes. */
function follower(timeline: Timeline, segment: Segment): Segment | null {
  return (
    timeline.segments.find(
      (s) => s.start_frame >= segment.end_frame && shareLane(s.hands, segment.hands),
    ) ?? null
  );
}

/** One segment of the chosen one and the next of its hands; the words of both are kept. */
export function merge(timeline: Timeline, id: string | null): Outcome {
  const segment = chosen(timeline, id);
  const next = follower(timeline, segment);
  if (!next) throw new Refused("There is no later segment of this hand to merge with.");
  if (next.hands !== segment.hands)
    throw new Refused(
      `Segment ${numberOf(timeline, next)} is of ${next.hands === "both" ? "both hands" : "another hand"}.`,
    );
  // A segment of one hand can stand between two of both.
  const between = timeline.segments.find(
    (s) =>
      s !== segment &&
      s !== next &&
      shareLane(s.hands, segment.hands) &&
      s.start_frame < next.end_frame &&
      s.end_frame > segment.start_frame,
  );
  if (between) throw new Refused(`Segment ${numberOf(timeline, between)} stands between them.`);
  const words = [segment.description, next.description].filter(
    (text, i, all) => text !== "" && all.indexOf(text) === i,
  );
  const merged: Segment = {
    ...segment,
    end_frame: next.end_frame,
    action_type: segment.action_type || next.action_type,
    description: words.join("; ").slice(0, 500),
  };
  return {
    edit: change(timeline, "Merge", { segments: { [segment.id]: merged, [next.id]: null } }),
    select: segment.id,
  };
}

export function remove(timeline: Timeline, id: string | null): Outcome {
  const segment = chosen(timeline, id);
  const index = indexOf(timeline.segments, segment.id);
  const heir = timeline.segments[index + 1] ?? timeline.segments[index - 1] ?? null;
  return {
    edit: change(timeline, "Delete", { segments: { [segment.id]: null } }),
    select: heir?.id ?? null,
  };
}

/** Sets type, hands or description. Hands that are busy at the time are refused. */
export function label(
  timeline: Timeline,
  id: string | null,
  fields: Partial<Pick<Segment, "action_type" | "description" | "hands">>,
): Outcome {
  const segment = chosen(timeline, id);
  const next = { ...segment, ...fields };
  if (
    next.action_type === segment.action_type &&
    next.description === segment.description &&
    next.hands === segment.hands
  )
    throw new Refused("It is so already.");
  if (next.hands !== segment.hands) {
    const busy = timeline.segments.find(
      (s) =>
        s.id !== segment.id &&
        shareLane(s.hands, next.hands) &&
        s.start_frame < next.end_frame &&
        s.end_frame > next.start_frame,
    );
    if (busy)
      throw new Refused(`Segment ${numberOf(timeline, busy)} has this hand at the same time.`);
  }
  const what =
    fields.hands !== undefined
      ? "Set hands"
      : fields.action_type !== undefined
        ? "Set type"
        : "Describe";
  return { edit: change(timeline, what, { segments: { [segment.id]: next } }) };
}

/** Type and description of the segment before it. */
export function copyPrevious(timeline: Timeline, id: string | null): Outcome {
  const segment = chosen(timeline, id);
  const before = timeline.segments[indexOf(timeline.segments, segment.id) - 1];
  if (!before) throw new Refused("This is the first segment.");
  const outcome = label(timeline, id, {
    action_type: before.action_type,
    description: before.description,
  });
  return { ...outcome, edit: { ...outcome.edit, label: "Copy from the previous" } };
}

export function screen(timeline: Timeline, screening: Screening): Outcome {
  return { edit: change(timeline, "Screening", { segments: {}, screening }) };
}

export function flag(timeline: Timeline, start: number, end: number): Outcome & { flag: Flag } {
  const made: Flag = { id: newId(), start_frame: start, end_frame: end, note: "" };
  return {
    edit: change(timeline, "Flag", { segments: {}, flags: { [made.id]: made } }),
    flag: made,
  };
}

/** Changes a flag's range or note. Frames are kept inside the video and in order. */
export function reflag(
  timeline: Timeline,
  id: string,
  fields: Partial<Omit<Flag, "id">>,
  frameCount: number,
): Outcome {
  const old = timeline.flags.find((f) => f.id === id);
  if (!old) throw new Refused("This flag is gone.");
  const next = { ...old, ...fields };
  next.start_frame = Math.max(0, Math.min(frameCount - 1, next.start_frame));
  next.end_frame = Math.max(next.start_frame + 1, Math.min(frameCount, next.end_frame));
  return { edit: change(timeline, "Change flag", { segments: {}, flags: { [id]: next } }) };
}

export function unflag(timeline: Timeline, id: string): Outcome {
  return { edit: change(timeline, "Remove flag", { segments: {}, flags: { [id]: null } }) };
}

/** The past and the future of a timeline in this tab. Bounded, so a long day can't fill memory. */
export class History {
  private past: Edit[] = [];
  private future: Edit[] = [];
  private readonly most: number;

  constructor(most = 2000) {
    this.most = most;
  }

  did(edit: Edit): void {
    this.past.push(edit);
    if (this.past.length > this.most) this.past.shift();
    this.future = [];
  }

  /** The edit to apply in order to take the last one back, or null. */
  undo(): Edit | null {
    const edit = this.past.pop();
    if (!edit) return null;
    this.future.push(edit);
    return inverse(edit);
  }

  /** The edit to apply in order to do again what was taken back, or null. */
  redo(): Edit | null {
    const edit = this.future.pop();
    if (!edit) return null;
    this.past.push(edit);
    return { ...edit, id: newId(), at: Date.now() };
  }

  get depth(): { past: number; future: number } {
    return { past: this.past.length, future: this.future.length };
  }

  get lastLabel(): string {
    return this.past.at(-1)?.label ?? "";
  }
}
