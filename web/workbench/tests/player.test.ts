import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, mock, test } from "node:test";
import { effect } from "@preact/signals";
import { frameTable } from "../media/frameTable.ts";
import { createPlayer, type PlayerOptions } from "../media/player.ts";
import { FakeVideo } from "./fakeVideo.ts";

const COUNT = 300;
const ntsc = frameTable(
  {
    frame_count: COUNT, time_base: [1, 30000], first: 1001, runs: [[1001, COUNT - 1]],
    duration_ticks: COUNT * 1001,
  },
  1001 / 30000,
);
const FRAME = 1001 / 30000;

EventEmitter.defaultMaxListeners = 40; // Node warns of a dozen on one signal

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  globalThis.document = { hidden: false } as Document;
});

afterEach(async () => {
  mock.timers.reset();
  await new Promise((done) => setImmediate(done));
  assert.deepEqual(unhandled, []);
});

function ready(options: Partial<PlayerOptions> = {}, fake = new FakeVideo(ntsc)) {
  const player = createPlayer({ table: ntsc, url: "/media/one", ...options });
  player.attach(fake.element);
  fake.arrives();
  fake.finishSeek();
  return { player, fake };
}

/** Lets promises that are already kept run their course. */
async function ticks(): Promise<void> {
  for (let n = 0; n < 20; n++) await Promise.resolve();
}

test("opens on frame 0, a millisecond into it", () => {
  const { player, fake } = ready();
  assert.deepEqual(fake.loaded, ["/media/one"]);
  assert.deepEqual(fake.sought, [0.001]);
  assert.equal(player.frame.value, 0);
  assert.equal(player.state.value, "ready");
});

test("a seek goes a millisecond into the frame and ends when its picture is shown", async () => {
  const { player, fake } = ready();
  let shown = false;
  void player.seek(101).then(() => (shown = true));
  assert.ok(Math.abs(fake.sought.at(-1)! - (101 * FRAME + 0.001)) < 1e-9);
  fake.report(0); // the picture of before, still on its way
  fake.finishSeek({ report: false });
  await ticks();
  assert.equal(shown, false);
  assert.equal(player.frame.value, 0);
  fake.report();
  await ticks();
  assert.equal(shown, true);
  assert.equal(player.frame.value, 101);
});

test("where no picture is reported (hidden tab) the clock is taken after a moment", async () => {
  const { player, fake } = ready();
  const shown = player.seek(40);
  fake.finishSeek({ report: false });
  mock.timers.tick(100);
  await shown;
  assert.equal(player.frame.value, 40);
});

test("without requestVideoFrameCallback the clock is searched", async () => {
  const { player, fake } = ready({}, new FakeVideo(ntsc, { reportsFrames: false }));
  const shown = player.seek(77);
  fake.finishSeek();
  await shown;
  assert.equal(player.frame.value, 77);
  await player.play();
  fake.playTo(90 * FRAME + 0.02);
  assert.equal(player.frame.value, 90);
  const paused = player.pause();
  assert.ok(Math.abs(fake.sought.at(-1)! - ntsc.seekTarget(90)) < 1e-9);
  fake.finishSeek();
  await paused;
  assert.equal(player.frame.value, 90);
});

test("30 rapid seeks: one with the browser, one waiting, the last wins, all callers go on", async () => {
  const { player, fake } = ready();
  const before = fake.sought.length;
  const all = Array.from({ length: 30 }, (_, i) => player.seek(i * 9 + 3));
  await fake.settle();
  await Promise.all(all);
  assert.deepEqual(fake.sought.slice(before), [3, 29 * 9 + 3].map((f) => ntsc.seekTarget(f)));
  assert.equal(player.frame.value, 29 * 9 + 3);
  assert.equal(fake.picture, 29 * 9 + 3);
});

test("steps add up while seeks are under way", async () => {
  const { player, fake } = ready();
  const steps = [player.step(1), player.step(1), player.step(10), player.step(-3)];
  await fake.settle();
  await Promise.all(steps);
  assert.equal(player.frame.value, 9);
  void player.step(-100);
  await fake.settle();
  assert.equal(player.frame.value, 0);
  void player.step(1e9);
  await fake.settle();
  assert.equal(player.frame.value, COUNT - 1);
});

for (const rate of [0.5, 1, 2]) {
  test(`a pause at ${rate} × snaps to the frame that was shown last, not to the clock`, async () => {
    const { player, fake } = ready();
    player.setRate(rate);
    await player.play();
    assert.equal(fake.playbackRate, rate);
    assert.equal(fake.preservesPitch, true);
    fake.playTo(50 * FRAME + 0.004);
    assert.equal(player.frame.value, 50);
    const clock = 51.2 * FRAME; // it runs on; the screen still shows 50
    Object.assign(fake, { position: clock });
    const paused = player.pause();
    assert.equal(fake.paused, true);
    await fake.settle();
    await paused;
    assert.equal(fake.sought.at(-1), ntsc.seekTarget(50));
    assert.equal(player.frame.value, 50);
    assert.equal(player.playing.value, false);
  });
}

test("a step while it plays stops at the neighbour", async () => {
  const { player, fake } = ready();
  await player.play();
  fake.playTo(20 * FRAME + 0.004);
  void player.step(1);
  await fake.settle();
  assert.equal(fake.paused, true);
  assert.equal(player.frame.value, 21);
});

test("a range plays once and stands on its last frame", async () => {
  const { player, fake } = ready();
  const started = player.playRange(30, 40, false);
  await fake.settle();
  await started;
  assert.equal(player.frame.value, 30);
  assert.equal(player.playing.value, true);
  fake.playTo(38 * FRAME);
  assert.equal(player.playing.value, true);
  fake.playTo(41 * FRAME); // the browser left 39 and 40 out
  await fake.settle();
  assert.equal(player.playing.value, false);
  assert.equal(player.frame.value, 39);
});

test("a loop begins again until it is paused", async () => {
  const { player, fake } = ready();
  void player.playRange(30, 40, true);
  await fake.settle();
  for (let round = 0; round < 3; round++) {
    fake.playTo(39 * FRAME);
    assert.equal(player.frame.value, 39);
    fake.playTo(40 * FRAME);
    assert.equal(fake.sought.at(-1), ntsc.seekTarget(30));
    await fake.settle();
    assert.equal(player.playing.value, true);
    assert.equal(player.frame.value, 30);
  }
  fake.playTo(35 * FRAME);
  void player.pause();
  await fake.settle();
  assert.equal(player.frame.value, 35);
  await player.play();
  fake.playTo(45 * FRAME);
  assert.equal(player.frame.value, 45, "the loop is over");
});

test("a loop over the end of the file goes on", async () => {
  const { player, fake } = ready();
  void player.playRange(290, COUNT, true);
  await fake.settle();
  fake.playTo(299 * FRAME);
  fake.ended = true;
  fake.dispatchEvent(new Event("ended"));
  await fake.settle();
  assert.equal(player.playing.value, true);
  assert.equal(player.frame.value, 290);
});

test("a wish that comes while a range is being sought calls it off", async () => {
  const { player, fake } = ready();
  const started = player.playRange(30, 40, true);
  const other = player.seek(200);
  await fake.settle();
  await Promise.all([started, other]);
  assert.equal(player.frame.value, 200);
  assert.equal(player.playing.value, false);
});

test("at the end it stands on the last frame; playing again begins at the first", async () => {
  const { player, fake } = ready();
  await player.play();
  fake.playTo(ntsc.duration);
  fake.dispatchEvent(new Event("ended"));
  await fake.settle();
  assert.equal(player.playing.value, false);
  assert.equal(player.frame.value, COUNT - 1);
  void player.play();
  await fake.settle();
  assert.equal(fake.sought.at(-1), ntsc.seekTarget(0));
  assert.equal(player.playing.value, true);
});

test("J K L: doubling, turning, stopping", async () => {
  const { player, fake } = ready();
  for (const expected of [1, 2, 4, 8, 8]) {
    await player.shuttle(1);
    assert.equal(player.rate.value, expected);
    assert.equal(fake.playbackRate, expected);
  }
  fake.playTo(100 * FRAME + 0.001);
  void player.shuttle(-1);
  assert.equal(player.rate.value, -1);
  assert.equal(fake.paused, true, "no browser plays backwards");
  void player.shuttle(-1);
  assert.equal(player.rate.value, -2);
  void player.shuttle(0);
  await fake.settle();
  assert.equal(player.playing.value, false);
  assert.equal(player.rate.value, 1);
  assert.ok(player.frame.value <= 100 && player.frame.value >= 98);
});

test("backwards by steps, at the clock's pace, until the first frame", async () => {
  let now = 0;
  const clock = mock.method(performance, "now", () => now);
  try {
    const { player, fake } = ready();
    void player.seek(60);
    await fake.settle();
    void player.shuttle(-1);
    const seen = [];
    for (let turn = 0; turn < 80 && player.playing.value; turn++) {
      now += 50;
      mock.timers.tick(16);
      await fake.settle();
      seen.push(player.frame.value);
    }
    assert.equal(seen[0], 58); // 1.5 frames back is within frame 58
    assert.equal(seen[9], 45); // half a second: 15 frames
    assert.equal(seen.at(-1), 0);
    assert.equal(player.playing.value, false);
    for (let i = 1; i < seen.length; i++) assert.ok(seen[i]! <= seen[i - 1]!);
  } finally {
    clock.mock.restore();
  }
});

test("rates stay within .25 and 8", () => {
  const { player } = ready();
  for (const [wanted, got] of [[0.1, 0.25], [100, 8], [-3, -3], [0, 1]] as const) {
    player.setRate(wanted);
    assert.equal(player.rate.value, got);
  }
});

test("a new link keeps the frame, and goes on playing where it played", async () => {
  const { player, fake } = ready();
  void player.seek(123);
  await fake.settle();
  const again = player.setSource("/media/two");
  assert.equal(player.state.value, "loading");
  fake.arrives();
  await fake.settle();
  await again;
  assert.deepEqual(fake.loaded, ["/media/one", "/media/two"]);
  assert.equal(player.frame.value, 123);
  assert.equal(fake.picture, 123);
  await player.play();
  fake.playTo(150 * FRAME + 0.001);
  void player.setSource("/media/three");
  fake.arrives();
  await fake.settle();
  assert.equal(fake.paused, false);
  assert.equal(player.playing.value, true);
  assert.equal(player.frame.value, 150);
});

test("an expired link is replaced by itself", async () => {
  const links = ["/media/two", "/media/three"];
  const { player, fake } = ready({ freshLink: async () => links.shift()! });
  void player.seek(88);
  await fake.settle();
  fake.breaks();
  assert.equal(player.state.value, "stalled");
  mock.timers.tick(1);
  await ticks();
  assert.equal(fake.src, "/media/two");
  fake.arrives();
  await fake.settle();
  assert.equal(player.state.value, "ready");
  assert.equal(player.frame.value, 88);
  assert.equal(fake.picture, 88);
});

test("a link that keeps failing ends as failed after a few tries, and retry starts over", async () => {
  let asked = 0;
  const { player, fake } = ready({ freshLink: async () => `/media/${++asked}` });
  for (let n = 0; n < 6; n++) {
    fake.breaks(4);
    mock.timers.tick(5000);
    await ticks();
  }
  assert.equal(asked, 3);
  assert.equal(player.state.value, "failed");
  assert.equal(player.playing.value, false);
  await player.seek(5); // must not hang
  await player.play();
  player.retry();
  await ticks();
  fake.arrives();
  await fake.settle();
  assert.equal(player.state.value, "ready");
  assert.equal(player.frame.value, 5);
});

test("without a way to get a link, or with a refused one, it fails and says so", async () => {
  const { player, fake } = ready();
  fake.breaks(4);
  assert.equal(player.state.value, "failed");
  const other = ready({ freshLink: () => Promise.reject(new Error("403")) });
  other.fake.breaks(4);
  mock.timers.tick(1);
  await ticks();
  assert.equal(other.player.state.value, "failed");
});

test("a link is renewed before it ends, but never while it plays", async () => {
  let asked = 0;
  const { player, fake } = ready({ linkSeconds: 100, freshLink: async () => `/media/n${++asked}` });
  await player.play();
  mock.timers.tick(95_000);
  assert.equal(asked, 0);
  fake.playTo(10 * FRAME + 0.001);
  void player.pause();
  await fake.settle();
  assert.equal(asked, 1);
  await ticks();
  fake.arrives();
  await fake.settle();
  assert.equal(player.frame.value, 10);
  mock.timers.tick(95_000);
  await ticks();
  assert.equal(asked, 2);
});

test("a browser that refuses to play leaves it standing, without a rejection", async () => {
  const { player, fake } = ready();
  fake.refusesToPlay = true;
  await player.play();
  assert.equal(player.playing.value, false);
});

test("waiting for data says so only when it lasts", () => {
  const { player, fake } = ready();
  fake.readyState = 2;
  fake.dispatchEvent(new Event("waiting"));
  assert.equal(player.state.value, "ready");
  mock.timers.tick(500);
  assert.equal(player.state.value, "stalled");
  fake.readyState = 4;
  fake.dispatchEvent(new Event("canplay"));
  assert.equal(player.state.value, "ready");
});

test("commands do not subscribe the effect that calls them", () => {
  const { player } = ready();
  let runs = 0;
  const end = effect(() => {
    runs += 1;
    if (runs < 5) {
      void player.step(1);
      player.setRate(2);
      void player.pause();
    }
  });
  assert.equal(runs, 1);
  end();
});

test("after dispose nothing hangs and nothing is loaded", async () => {
  const { player, fake } = ready();
  const pending = player.seek(100);
  player.dispose();
  await pending;
  await player.seek(3);
  await player.play();
  assert.equal(fake.src, "");
  assert.equal(player.playing.value, false);
});
