// When each frame is on screen: a lookup table, never a frame rate. Runs of equal deltas keep ten
// regular hours in one entry; every lookup is a binary search over the runs.

import type { FrameTable } from "../contract.ts";

/** `GET /api/v1/assignments/{id}/frame-times/`. Ticks of `time_base` = [num, den] seconds. */
export interface FrameTimesDocument {
  frame_count: number;
  time_base: number[];
  first: number;
  /** `[[ticks, repeat], …]`: how much later each next frame appears. */
  runs: number[][];
  duration_ticks: number | null;
}

/** Half a millisecond: what a browser's media clock loses. */
const TOLERANCE = 0.0005;
/** How far into a frame to seek: past rounding, far from the next frame. */
const INTO_FRAME = 0.001;
const SAME_INSTANT = 1e-6;

/**
 * The table of a played file.
 *
 * `zeroSeconds` is the assignment's `media.zero_seconds`: what the played file's clock lacks (a
 * proxy starts at zero, a source where it starts). Ticks are integers below 2^53 and so exact;
 * throws a RangeError for a document that is not a table.
 */
export function frameTable(document: FrameTimesDocument, zeroSeconds: number): FrameTable {
  const [num, den] = document.time_base;
  const count = document.frame_count;
  if (!num || !den || num < 0 || den < 0 || !Number.isSafeInteger(count) || count < 1) {
    throw new RangeError("This is not a frame-time table.");
  }
  const runs = document.runs;
  // Run r covers the frames startFrame[r] … startFrame[r + 1]; ticks count from frame 0.
  const startFrame = new Float64Array(runs.length + 1);
  const startTick = new Float64Array(runs.length + 1);
  const delta = new Float64Array(runs.length);
  for (let r = 0; r < runs.length; r++) {
    const [ticks = 0, repeat = 0] = runs[r] ?? [];
    delta[r] = ticks;
    startFrame[r + 1] = startFrame[r]! + repeat;
    startTick[r + 1] = startTick[r]! + ticks * repeat;
    if (ticks <= 0 || repeat <= 0 || !Number.isSafeInteger(startTick[r + 1])) {
      throw new RangeError("Presentation times must increase strictly and stay below 2^53 ticks.");
    }
  }
  const last = count - 1;
  if (startFrame[runs.length] !== last) {
    throw new RangeError(`The table has ${startFrame[runs.length]! + 1} frames, not ${count}.`);
  }
  const lastTick = startTick[runs.length]!;
  // Where the file does not say, a last frame lasts as long as the one before it.
  const lastLength = delta[runs.length - 1] ?? Math.ceil(den / num / 30);
  const endTick = Math.max(document.duration_ticks ?? lastTick + lastLength, lastTick + 1);
  // zero_seconds is first × time base as a float: the difference is meant to be nothing.
  const started = (document.first * num) / den - zeroSeconds;
  const offset = Math.abs(started) < SAME_INSTANT ? 0 : started;

  /** The last index whose entry is at most `value`; entries increase. */
  function floorIndex(entries: Float64Array, value: number): number {
    let low = 0;
    let high = entries.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (entries[middle]! <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  const inside = (frame: number) => Math.min(Math.max(Math.trunc(frame) || 0, 0), last);
  const toSeconds = (ticks: number) => (ticks * num) / den;

  function tick(frame: number): number {
    const run = floorIndex(startFrame, frame);
    return startTick[run]! + (frame - startFrame[run]!) * (delta[run] ?? 0);
  }

  /** Seconds that a frame stays on screen. */
  function length(frame: number): number {
    return toSeconds((frame < last ? tick(frame + 1) : endTick) - tick(frame));
  }

  /** The last frame that has appeared at a tick (not necessarily whole). */
  function floorFrame(at: number): number {
    if (at <= 0) return 0;
    if (at >= lastTick) return last;
    const run = floorIndex(startTick, at);
    return startFrame[run]! + Math.floor((at - startTick[run]!) / delta[run]!);
  }

  const duration = offset + toSeconds(endTick);
  return {
    frameCount: count,
    duration,
    averageFps: last > 0 ? last / toSeconds(lastTick) : 1 / length(0),
    seconds(frame) {
      return offset + toSeconds(tick(inside(frame)));
    },
    seekTarget(frame) {
      const i = inside(frame);
      return offset + toSeconds(tick(i)) + Math.min(INTO_FRAME, length(i) / 2);
    },
    frameAt(seconds) {
      const at = ((seconds - offset) * den) / num;
      const now = floorFrame(at);
      if (now >= last || Number.isNaN(at)) return now;
      // A frame shorter than 2 ms keeps at least its first three quarters.
      const tolerance = Math.min(TOLERANCE, length(now) / 4);
      return tick(now + 1) - at <= (tolerance * den) / num ? now + 1 : now;
    },
  };
}
