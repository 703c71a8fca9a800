// Segments as a person cuts them: half-open frame intervals in lanes. A hand does one thing at a
// time, so two segments of one lane never share a frame; "both" fills the lane of each hand.

import type { Hands, Segment } from "../contract.ts";

/** Bit mask of the lanes that a segment fills: 1 left, 2 right, 4 no hand. */
export const LANES: Readonly<Record<Hands, number>> = { left: 1, right: 2, both: 3, none: 4 };

export function shareLane(a: Hands, b: Hands): boolean {
  return (LANES[a] & LANES[b]) !== 0;
}

/** The one order of a timeline: by start, then end, then id. */
export function inOrder(a: Segment, b: Segment): number {
  return (
    a.start_frame - b.start_frame ||
    a.end_frame - b.end_frame ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

export function length(segment: Segment): number {
  return segment.end_frame - segment.start_frame;
}

export function contains(segment: Segment, frame: number): boolean {
  return segment.start_frame <= frame && frame < segment.end_frame;
}

/** Where `id` stands in the list, or -1. */
export function indexOf(segments: readonly Segment[], id: string | null): number {
  return id === null ? -1 : segments.findIndex((segment) => segment.id === id);
}

export function find(segments: readonly Segment[], id: string | null): Segment | null {
  return segments.find((segment) => segment.id === id) ?? null;
}

/** How many segments start before or at `frame`: binary search in a list that is in order. */
export function countStartingBy(segments: readonly Segment[], frame: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle]!.start_frame <= frame) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The segments on screen at `frame`, the latest start first. */
export function segmentsAt(segments: readonly Segment[], frame: number): Segment[] {
  const found: Segment[] = [];
  // Without overlap in a lane at most three are open at once: three lanes seen is all there is.
  let seen = 0;
  for (let i = countStartingBy(segments, frame) - 1; i >= 0 && seen !== 7; i--) {
    const segment = segments[i]!;
    if (contains(segment, frame)) found.push(segment);
    seen |= LANES[segment.hands];
  }
  return found;
}

/** The free stretch around `frame` in these lanes, or null when it is taken. */
export function freeStretch(
  segments: readonly Segment[],
  hands: Hands,
  frame: number,
  frameCount: number,
): { start: number; end: number } | null {
  if (frame < 0 || frame >= frameCount) return null;
  let start = 0;
  let end = frameCount;
  for (const segment of segments) {
    if (!shareLane(segment.hands, hands)) continue;
    if (contains(segment, frame)) return null;
    if (segment.end_frame <= frame) start = Math.max(start, segment.end_frame);
    else end = Math.min(end, segment.start_frame);
  }
  return { start, end };
}

/** Frames that any segment covers, whatever the hand. */
export function coveredFrames(segments: readonly Segment[]): number {
  let covered = 0;
  let until = 0;
  for (const { start_frame, end_frame } of segments) {
    if (end_frame > until) {
      covered += end_frame - Math.max(start_frame, until);
      until = end_frame;
    }
  }
  return covered;
}

/** What must hold after every command; the first breach in words, or null. */
export function breach(segments: readonly Segment[], frameCount: number): string | null {
  const ends = [0, 0, 0];
  const ids = new Set<string>();
  let before: Segment | null = null;
  for (const segment of segments) {
    if (before && inOrder(before, segment) >= 0) return `${segment.id} is out of order`;
    before = segment;
    if (ids.has(segment.id)) return `${segment.id} is there twice`;
    ids.add(segment.id);
    if (!Number.isInteger(segment.start_frame) || !Number.isInteger(segment.end_frame))
      return `${segment.id} is between frames`;
    if (segment.start_frame < 0 || segment.end_frame > frameCount)
      return `${segment.id} is outside of the video`;
    if (length(segment) < 1) return `${segment.id} has no frame`;
    for (let lane = 0; lane < 3; lane++) {
      if (!(LANES[segment.hands] & (1 << lane))) continue;
      if (segment.start_frame < ends[lane]!) return `${segment.id} overlaps in lane ${lane}`;
      ends[lane] = segment.end_frame;
    }
  }
  return null;
}
