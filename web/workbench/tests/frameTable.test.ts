import assert from "node:assert/strict";
import { test } from "node:test";
import { frameTable, type FrameTimesDocument } from "../media/frameTable.ts";

/** A document from plain presentation times, encoded as the server does. */
function documentOf(pts: number[], num: number, den: number, lastTicks = 1): FrameTimesDocument {
  const runs: number[][] = [];
  for (let i = 1; i < pts.length; i++) {
    const ticks = pts[i]! - pts[i - 1]!;
    const run = runs.at(-1);
    if (run && run[0] === ticks) run[1]! += 1;
    else runs.push([ticks, 1]);
  }
  const duration_ticks = pts.at(-1)! - pts[0]! + lastTicks;
  return { frame_count: pts.length, time_base: [num, den], first: pts[0]!, runs, duration_ticks };
}

const regular = (count: number, ticks: number, first = 0) =>
  Array.from({ length: count }, (_, i) => first + i * ticks);

/** Small, seeded, so that a failure can be repeated. */
function dice(seed: number): () => number {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

function variable(count: number, least: number, most: number, seed: number, first = 0): number[] {
  const roll = dice(seed);
  const pts = [first];
  while (pts.length < count) {
    pts.push(pts.at(-1)! + least + Math.floor(roll() * (most - least + 1)));
  }
  return pts;
}

const FILES: Record<string, [number[], number, number, number]> = {
  "29.97": [regular(900, 1001), 1, 30000, 1001],
  "30 in 90 kHz": [regular(900, 3000), 1, 90000, 3000],
  "60": [regular(1200, 256), 1, 15360, 256],
  "240": [regular(2400, 125), 1, 30000, 125],
  "23.976 in ms (41, 42, 42 …)": [
    Array.from({ length: 500 }, (_, i) => Math.floor((i * 1001) / 24)), 1, 1000, 41,
  ],
  "variable": [variable(800, 300, 9000, 7), 1, 90000, 3000],
  "variable, 1 ms frames": [variable(800, 1, 80, 11), 1, 1000, 33],
  "variable, single 90 kHz ticks": [variable(400, 1, 3, 13), 1, 90000, 1],
  "starts at 0.033": [regular(300, 1001, 1001), 1, 30000, 1001],
  "starts before zero": [variable(300, 300, 9000, 17, -4321), 1, 90000, 3000],
  "one frame": [[512], 1, 15360, 512],
  "two frames": [[0, 512], 1, 15360, 512],
};

for (const [name, [pts, num, den, lastTicks]] of Object.entries(FILES)) {
  for (const kind of ["proxy", "source"] as const) {
    test(`${name} (${kind}): every lookup equals the plain table`, () => {
      const zero = kind === "proxy" ? (pts[0]! * num) / den : 0;
      const table = frameTable(documentOf(pts, num, den, lastTicks), zero);
      const shift = kind === "proxy" ? pts[0]! : 0;
      const at = (i: number) => ((pts[i]! - shift) * num) / den;
      assert.equal(table.frameCount, pts.length);
      for (let i = 0; i < pts.length; i++) {
        const end = i + 1 < pts.length ? at(i + 1) : at(i) + (lastTicks * num) / den;
        assert.ok(Math.abs(table.seconds(i) - at(i)) < 1e-9, `seconds(${i})`);
        const target = table.seekTarget(i);
        assert.ok(Math.abs(target - at(i) - Math.min(0.001, (end - at(i)) / 2)) < 1e-9);
        assert.ok(target > at(i) && target < end, `the target of ${i} lies within it`);
        for (const seconds of [at(i), target, at(i) - Math.min(0.0004, 0.2 * (end - at(i)))]) {
          if (seconds >= at(i) || i === 0 || at(i) - at(i - 1) >= 0.002) {
            assert.equal(table.frameAt(seconds), i, `frameAt(${seconds}) of frame ${i}`);
          }
        }
        // A browser tells its clock in whole microseconds.
        assert.equal(table.frameAt(Math.round(target * 1e6) / 1e6), i);
        assert.equal(table.frameAt(Math.floor(at(i) * 1e6) / 1e6), i);
      }
    });
  }
}

test("random moments: a floor search with half a millisecond of tolerance", () => {
  const roll = dice(23);
  for (const [pts, num, den, lastTicks] of Object.values(FILES)) {
    if (pts.some((p, i) => i > 0 && ((p - pts[i - 1]!) * num) / den < 0.002)) continue;
    const table = frameTable(documentOf(pts, num, den, lastTicks), (pts[0]! * num) / den);
    const times = pts.map((p) => ((p - pts[0]!) * num) / den);
    for (let n = 0; n < 300; n++) {
      const moment = (roll() * 1.2 - 0.1) * (times.at(-1)! + 0.1);
      const expected = Math.max(0, times.filter((t) => t <= moment + 0.0005).length - 1);
      assert.equal(table.frameAt(moment), expected, `${moment}`);
    }
  }
});

test("outside of the file the first and the last frame are shown", () => {
  const table = frameTable(documentOf(regular(90, 1001), 1, 30000, 1001), 0);
  assert.equal(table.frameAt(-5), 0);
  assert.equal(table.frameAt(1e6), 89);
  assert.equal(table.seconds(-3), 0);
  assert.equal(table.seconds(500), table.seconds(89));
  assert.equal(table.seekTarget(Number.NaN), table.seekTarget(0));
  assert.ok(Math.abs(table.duration - (90 * 1001) / 30000) < 1e-12);
  assert.ok(Math.abs(table.averageFps - 29.97) < 0.01);
});

test("10 hours at 60 frames per second are one run, exact at the end", () => {
  const count = 10 * 3600 * 60;
  const document: FrameTimesDocument = {
    frame_count: count, time_base: [1, 60000], first: 0, runs: [[1001, count - 1]],
    duration_ticks: count * 1001,
  };
  const table = frameTable(document, 0);
  assert.equal(table.seconds(count - 1), ((count - 1) * 1001) / 60000);
  for (const i of [0, 1, 1_234_567, count - 2, count - 1]) {
    assert.equal(table.frameAt(table.seekTarget(i)), i);
  }
});

test("a million runs are looked up in about twenty steps, not a million", () => {
  const runs = Array.from({ length: 1_000_000 }, (_, i) => [i % 2 ? 33 : 34, 1]);
  const table = frameTable(
    { frame_count: 1_000_001, time_base: [1, 1000], first: 5, runs, duration_ticks: null }, 0.005,
  );
  // One by one these would be 10^10 steps: the test would not end.
  for (let i = 0; i < 1_000_000; i += 37) assert.equal(table.frameAt(table.seekTarget(i)), i);
});

test("what is not a table is refused", () => {
  const good = documentOf(regular(10, 1001), 1, 30000, 1001);
  for (const bad of [
    { ...good, frame_count: 11 },
    { ...good, time_base: [0, 1] },
    { ...good, runs: [[0, 9]] },
    { ...good, runs: [[-1, 9]] },
    { ...good, frame_count: 0, runs: [] },
    { ...good, runs: [[2 ** 52, 9]] },
  ]) {
    assert.throws(() => frameTable(bad, 0), RangeError);
  }
});
