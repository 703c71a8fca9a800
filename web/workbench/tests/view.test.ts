import assert from "node:assert/strict";
import { test } from "node:test";
import { signal } from "@preact/signals";
import type { Player } from "../contract.ts";
import { TimelineView } from "../ui/view.ts";

function scene(frames: number, columns: number) {
  const frame = signal(0);
  const playing = signal(false);
  const view = new TimelineView({ frame, playing } as unknown as Player, frames);
  view.columns.value = columns;
  return { view, frame, playing };
}

test("one key goes from the whole video to one frame a column around the playhead, and back", () => {
  const { view, frame } = scene(108_000, 1280);
  frame.value = 50_000;
  view.fit();
  assert.deepEqual(view.range.value, { first: 49_360, count: 1280 });
  view.fit();
  assert.deepEqual(view.range.value, { first: 0, count: 108_000 });
  frame.value = 107_999; // never beyond the end
  view.frames();
  assert.deepEqual(view.range.value, { first: 106_720, count: 1280 });
});

test("a video with fewer frames than columns, or hardly any, is shown whole", () => {
  const { view } = scene(9, 1280);
  view.frames();
  view.zoom(0.5);
  assert.deepEqual(view.range.value, { first: 0, count: 9 });
});

test("zooming keeps the frame under the pointer where it is", () => {
  const { view } = scene(10_000, 1000);
  view.look(2000, 4000);
  view.zoom(0.5, 3000); // a quarter from the left
  assert.deepEqual(view.range.value, { first: 2500, count: 2000 });
  for (let n = 0; n < 20; n++) view.zoom(0.5, 3000);
  assert.equal(view.range.value.count, 16);
});

test("the timeline follows the playhead: a page ahead while it plays, the middle on a seek", () => {
  const { view, frame, playing } = scene(10_000, 1000);
  view.look(0, 1000);
  const stop = view.follow();
  playing.value = true;
  frame.value = 1000;
  assert.deepEqual(view.range.value, { first: 900, count: 1000 });
  playing.value = false;
  frame.value = 5000;
  assert.deepEqual(view.range.value, { first: 4500, count: 1000 });
  stop();
  frame.value = 0;
  assert.equal(view.range.value.first, 4500);
});
