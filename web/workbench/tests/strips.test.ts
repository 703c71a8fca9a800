import assert from "node:assert/strict";
import { test } from "node:test";
import { frameTable } from "../media/frameTable.ts";
import { columnsOf, drawFilmstrip, readPeaks, tilesIn } from "../media/strips.ts";

const HOUR = 3600 * 30;
const strip = {
  tile_width: 160, tile_height: 90, columns: 10, rows: 10,
  frames: Array.from({ length: 300 }, (_, i) => i * 360),
  sheets: ["/a", "/b", "/c"],
};
const table = frameTable(
  { frame_count: HOUR, time_base: [1, 30], first: 0, runs: [[1, HOUR - 1]], duration_ticks: HOUR },
  0,
);

test("tiles fill the view without a hole and show the frame at their left edge", () => {
  for (const view of [
    { from: 0, to: HOUR, width: 1000 },
    { from: 12_345, to: 23_456, width: 777 },
    { from: 500.25, to: 540.75, width: 1600 },
  ]) {
    const tiles = tilesIn(strip, view, 36);
    assert.ok(tiles[0]!.x <= 0);
    for (let i = 1; i < tiles.length; i++) {
      assert.ok(Math.abs(tiles[i]!.x - tiles[i - 1]!.x - 64) <= 1);
    }
    assert.ok(tiles.at(-1)!.x + 64 >= view.width - 1);
    for (const tile of tiles) {
      const frame = view.from + (tile.x / view.width) * (view.to - view.from);
      const expected = strip.frames.filter((f) => f <= Math.max(frame, 0)).at(-1)!;
      const slack = ((view.to - view.from) / view.width) * 1.5 + 1; // a pixel, a half frame
      assert.ok(
        tile.frame === expected || Math.abs(frame % 360 - 360) < slack || frame % 360 < slack,
        `${frame}: ${tile.frame} for ${expected}`,
      );
      const n = strip.frames.indexOf(tile.frame);
      assert.equal(tile.sheet, Math.floor(n / 100));
      assert.equal(tile.sourceX, (n % 10) * 160);
      assert.equal(tile.sourceY, Math.floor((n % 100) / 10) * 90);
    }
  }
});

test("tiles do not swim: scrolled by a slot, each is the next one's", () => {
  const view = { from: 0, to: 6400, width: 640 };
  const slot = 640; // frames in 64 pixels
  const before = tilesIn(strip, view, 36).map((tile) => tile.frame);
  const after = tilesIn(strip, { ...view, from: slot, to: 6400 + slot }, 36);
  assert.deepEqual(after.slice(0, -1).map((tile) => tile.frame), before.slice(1));
});

test("nothing is drawn from a sheet that is not loaded; it is asked for", () => {
  const drawn: unknown[] = [];
  const pen = { drawImage: (...all: unknown[]) => drawn.push(all), fillRect() {}, fillStyle: "" };
  const view = { from: 0, to: HOUR, width: 640 };
  const missing = drawFilmstrip(pen as never, strip, new Map([[1, {} as never]]), view, 4, 36);
  assert.deepEqual([...missing].sort(), [0, 2]);
  assert.equal(drawn.length, tilesIn(strip, view, 36).filter((tile) => tile.sheet === 1).length);
});

test("an empty view has no tiles", () => {
  assert.deepEqual(tilesIn(strip, { from: 5, to: 5, width: 100 }, 36), []);
  assert.deepEqual(tilesIn({ ...strip, frames: [] }, { from: 0, to: 9, width: 100 }, 36), []);
});

test("each column is the loudest peak under it, however the frames lie in time", () => {
  const levels = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7919) % 256);
  const peaks = readPeaks({ per_second: 50, peaks: Buffer.from(levels).toString("base64") });
  assert.deepEqual(peaks.levels, levels);
  const pts = [0];
  while (pts.length < 400) pts.push(pts.at(-1)! + (pts.length % 3 === 0 ? 80 : 35));
  const variable = frameTable(
    {
      frame_count: 400, time_base: [1, 1000], first: 0,
      runs: pts.slice(1).map((p, i) => [p - pts[i]!, 1]), duration_ticks: pts.at(-1)! + 35,
    },
    0,
  );
  // One column a frame: what sounds while the frame is on screen.
  const columns = columnsOf(peaks, variable, { from: 100, to: 140, width: 40 });
  for (let i = 0; i < 40; i++) {
    const first = Math.floor(variable.seconds(100 + i) * 50);
    const end = Math.ceil(variable.seconds(101 + i) * 50);
    assert.equal(columns[i], Math.max(...levels.slice(first, Math.max(end, first + 1))), `${i}`);
  }
  const beyond = columnsOf(peaks, variable, { from: -10, to: 410, width: 42 });
  assert.equal(beyond[0], 0);
  assert.equal(beyond[41], 0);
});

test("an hour of peaks in one view reads each peak about once", () => {
  let reads = 0;
  const levels = new Proxy(new Uint8Array(3600 * 50), {
    get(target, name) {
      if (typeof name === "string" && /^\d/.test(name)) reads += 1;
      return Reflect.get(target, name) as unknown;
    },
  });
  const columns = columnsOf({ perSecond: 50, levels }, table, { from: 0, to: HOUR, width: 1000 });
  assert.equal(columns.length, 1000);
  assert.ok(reads < 3600 * 50 * 1.1, `${reads}`);
});
