import assert from "node:assert/strict";
import { test } from "node:test";
import { Lease } from "../sync/lease.ts";
import { FakeBrowser, FakeServer, FakeTab, FakeWorld, Page } from "./fakeSurroundings.ts";

const MINUTE = 60_000;

function scene(skewMs = 0) {
  const world = new FakeWorld();
  const server = new FakeServer(world);
  server.skewMs = skewMs;
  server.expiresAt += skewMs;
  server.ceilingAt += skewMs;
  const over: string[] = [];
  const lease = new Lease(server.ask, world, { over: (state) => over.push(state) });
  lease.take(server.claim(), world.now());
  lease.start();
  const asked = (end: string) => server.asked.filter((q) => q.path.endsWith(end)).length;
  return { world, server, lease, over, asked };
}

test("a lease is renewed once a minute while somebody works, and never for an idle page", async () => {
  const { world, lease, asked } = scene();
  for (let i = 0; i < 20; i++) {
    lease.activity();
    await world.pass(15_000);
  }
  assert.equal(asked("/renew/"), 5);
  await world.pass(10 * MINUTE);
  assert.equal(asked("/renew/"), 5);
});

test("heartbeats tell of activity every half minute, and idle time tells nothing", async () => {
  const { world, server, lease, asked } = scene();
  lease.activity();
  lease.activity();
  await world.pass(95_000);
  assert.equal(asked("/heartbeat/"), 1);
  const beat = server.asked.find((q) => q.path.endsWith("/heartbeat/"))!;
  assert.deepEqual(beat.body, { events: 2 });
  assert.equal(lease.activeSeconds.value, 30);
  // Watching counts for two minutes after the last touch.
  lease.isPlaying = () => true;
  lease.activity();
  await world.pass(10 * MINUTE);
  assert.equal(asked("/heartbeat/"), 6);
});

test("the countdown is the server's, whatever this device's clock says", async () => {
  for (const skew of [0, -3 * 60 * MINUTE, 25 * 60 * MINUTE]) {
    const { world, lease } = scene(skew);
    await world.pass(10 * MINUTE);
    assert.equal(lease.state.value.secondsLeft, 20 * 60, `skew ${skew}`);
    assert.equal(lease.state.value.expiresAt, world.time + skew + 20 * MINUTE);
  }
});

test("a device clock that is set while the page is open is noticed", async () => {
  const { world, server, lease } = scene();
  await world.pass(5 * MINUTE);
  // The device's clock jumps; the server's does not.
  world.time += 60 * MINUTE;
  server.skewMs = -60 * MINUTE;
  await world.pass(0);
  // Timers of before are long due now: one tick, which sees that it is late and asks.
  await world.pass(2000);
  assert.equal(lease.state.value.secondsLeft, 25 * 60 - 2);
});

test("five minutes before the end there is a warning, and one key extends", async () => {
  const { world, lease } = scene();
  await world.pass(25 * MINUTE - 1000);
  assert.equal(lease.state.value.warning, false);
  await world.pass(2000);
  assert.equal(lease.state.value.warning, true);
  assert.equal(await lease.extend(), true);
  assert.equal(lease.state.value.warning, false);
  assert.equal(lease.state.value.secondsLeft, 30 * 60);
});

test("a short lease warns at half its time, not all the time", async () => {
  const world = new FakeWorld();
  const server = new FakeServer(world);
  server.leaseMs = MINUTE;
  server.expiresAt = world.now() + MINUTE;
  const lease = new Lease(server.ask, world, { over: () => {} });
  lease.take(server.claim(), world.now());
  lease.start();
  await world.pass(10);
  lease.visible(); // as a page does that was opened; the answer tells how long a lease is
  await world.pass(1000);
  assert.equal(lease.state.value.warning, false);
  await world.pass(31_000);
  assert.equal(lease.state.value.warning, true);
});

test("a claim that is opened with three minutes left warns at once", async () => {
  const world = new FakeWorld();
  const server = new FakeServer(world);
  server.expiresAt = server.ceilingAt = world.now() + 3 * MINUTE;
  const lease = new Lease(server.ask, world, { over: () => {} });
  lease.take(server.claim(), world.now());
  lease.start();
  lease.visible();
  await world.pass(1000);
  assert.equal(lease.state.value.warning, true);
});

test("becoming visible renews at once", async () => {
  const { world, lease, asked } = scene();
  await world.pass(29 * MINUTE);
  lease.visible();
  await world.pass(0);
  assert.equal(asked("/renew/"), 1);
  assert.equal(lease.state.value.secondsLeft, 30 * 60);
});

test("at the ceiling nothing is renewed, and a refusal does not end a live claim", async () => {
  const { world, server, lease, over } = scene();
  server.ceilingAt = server.now() + 40 * MINUTE;
  lease.visible();
  await world.pass(12 * MINUTE);
  lease.visible();
  await world.pass(0);
  assert.equal(lease.state.value.secondsLeft, 28 * 60); // not 30
  await world.pass(29 * MINUTE);
  assert.equal(await lease.extend(), false);
  assert.deepEqual(over, []);
  assert.equal(server.state, "grace");
  assert.equal(lease.state.value.live, true);
});

test("in grace somebody comes back; after it the claim is over, once", async () => {
  const { world, server, lease, over } = scene();
  await world.pass(31 * MINUTE);
  assert.equal(server.state, "grace");
  assert.equal(lease.state.value.live, true);
  assert.equal(lease.state.value.secondsLeft, 14 * 60);
  assert.equal(await lease.extend(), true);
  assert.equal(server.state, "active");
  await world.pass(46 * MINUTE);
  assert.deepEqual(over, ["expired"]);
  assert.equal(lease.state.value.live, false);
});

test("a network that is away ends nothing", async () => {
  const { world, lease, over } = scene();
  world.isOnline = false;
  lease.activity();
  await world.pass(40 * MINUTE);
  assert.deepEqual(over, []);
  assert.equal(lease.state.value.live, true);
  assert.equal(lease.state.value.secondsLeft, null);
  world.isOnline = true;
  await world.pass(20_000);
  assert.equal(lease.state.value.secondsLeft !== null, true); // in grace: the server said so
});

test("an expired claim takes what was typed, is read-only then, and can be claimed again", async () => {
  const world = new FakeWorld();
  const server = new FakeServer(world);
  const browser = new FakeBrowser();
  const page = await new Page(new FakeTab(world, server, browser)).open(server);
  page.add("a", 0);
  await world.pass(2000);
  server.fault = (q) => (q.method === "PUT" ? "refused connection" : "none");
  page.add("b", 20);
  await world.pass(46 * MINUTE);
  assert.equal(server.state, "expired");
  assert.equal(page.sync.readOnly.value, true);
  assert.deepEqual(page.sync.save.value, {
    kind: "lost", state: "expired", reason: "The lease ran out.", changes: 1,
  });
  page.add("c", 40); // a page that doesn't look: nothing is taken, nothing is sent
  server.fault = () => "none";
  await world.pass(5 * MINUTE);
  assert.deepEqual(
    (server.draft.body["segments"] as { id: string }[]).map((s) => s.id), ["a", "b"],
  );
  assert.equal(page.sync.status.value, "This claim is over. Saved");
  assert.equal(await page.sync.reclaim(), 8);
  page.sync.dispose();
  const again = await new Page(new FakeTab(world, server, browser)).open(server);
  await world.pass(100); // the lock of the page before is let go
  assert.deepEqual(again.timeline.segments.map((s) => s.id), ["a", "b"]);
  assert.equal(again.sync.readOnly.value, false);
});

test("a claim that was handed in elsewhere keeps this device's edits for the download", async () => {
  const world = new FakeWorld();
  const server = new FakeServer(world);
  const browser = new FakeBrowser();
  const page = await new Page(new FakeTab(world, server, browser)).open(server);
  server.state = "submitted";
  page.add("a", 0);
  await world.pass(2000);
  assert.deepEqual(page.sync.save.value, {
    kind: "lost", state: "submitted", reason: "Task 3 is submitted.", changes: 1,
  });
  assert.equal(server.saved.length, 0);
  page.tab.kill(true);
  const again = await new Page(new FakeTab(world, server, browser)).open(server);
  assert.equal(again.sync.replayed, 1);
  assert.deepEqual(again.timeline, page.timeline);
});

test("signed out: it says what to do, goes on trying, and is saved after the sign-in", async () => {
  const world = new FakeWorld();
  const server = new FakeServer(world);
  const page = await new Page(new FakeTab(world, server, new FakeBrowser())).open(server);
  server.instead = () => ({ status: 401, body: { type: "/problems/not-signed-in" }, retryAfter: null });
  page.add("a", 0);
  await world.pass(3 * MINUTE);
  assert.equal(
    page.sync.status.value,
    "You are signed out. Sign in again in another tab. 1 change on this device.",
  );
  server.instead = null;
  await world.pass(MINUTE);
  assert.equal(page.sync.status.value, "Saved");
});
