import assert from "node:assert/strict";
import { test } from "node:test";
import { apply } from "../model/commands.ts";
import { FakeBrowser, FakeServer, FakeTab, FakeWorld, Page, settle } from "./fakeSurroundings.ts";

function scene() {
  const world = new FakeWorld();
  const server = new FakeServer(world);
  const browser = new FakeBrowser();
  return { world, server, browser, tab: () => new FakeTab(world, server, browser) };
}

const bodyOf = (server: FakeServer): unknown => {
  const { applied: _, ...timeline } = server.draft.body as { applied?: unknown };
  return timeline;
};
const puts = (server: FakeServer) => server.asked.filter((q) => q.method === "PUT").length;

test("edits go out together after a second without one, and then it says Saved", async () => {
  const { world, server, tab } = scene();
  const page = await new Page(tab()).open(server);
  page.add("a", 0);
  await world.pass(900);
  page.add("b", 20);
  page.describe("b", "Pour");
  assert.equal(page.sync.status.value, "3 changes on this device");
  await world.pass(900);
  assert.equal(puts(server), 0);
  await world.pass(200);
  assert.equal(puts(server), 1);
  assert.deepEqual(bodyOf(server), page.timeline);
  assert.deepEqual(page.sync.save.value, { kind: "saved", revision: 1, at: world.time - 100 });
  assert.equal(page.sync.status.value, "Saved");
});

test("somebody who never pauses is saved every five seconds", async () => {
  const { world, server, tab } = scene();
  const page = await new Page(tab()).open(server);
  for (let i = 0; i < 24; i++) {
    page.add(`s${i}`, i * 20);
    await world.pass(500);
  }
  assert.equal(puts(server), 2);
});

test("a killed tab's edits come back from the journal, exactly", async () => {
  const { world, server, tab } = scene();
  const first = await new Page(tab()).open(server);
  first.add("a", 0, "Cut");
  await world.pass(3000);
  first.add("b", 20);
  first.describe("a", "Cut bread");
  await settle();
  first.tab.kill(true);

  const second = await new Page(tab()).open(server);
  assert.equal(second.sync.replayed, 2);
  assert.deepEqual(second.timeline, first.timeline);
  await world.pass(10);
  assert.deepEqual(bodyOf(server), first.timeline);
  const third = await new Page(tab()).open(server);
  assert.equal(third.sync.replayed, 0);
});

test("a lost answer is neither lost nor saved twice", async () => {
  const { world, server, tab } = scene();
  const page = await new Page(tab()).open(server);
  let replaced = 0;
  server.fault = (q) => (q.method === "PUT" && puts(server) === 0 ? "lost answer" : "none");
  page.add("a", 0);
  await world.pass(1100);
  assert.equal(page.sync.save.value.kind, "offline");
  page.add("b", 20);
  const shown = page.timeline;
  await world.pass(10_000);
  replaced += page.timeline === shown ? 0 : 1;
  assert.equal(replaced, 0); // nothing under the page has changed
  assert.deepEqual(bodyOf(server), page.timeline);
  assert.equal(page.sync.status.value, "Saved");
  // Revision 1 by the lost one, then a stale try, then revision 2 with what it lacked.
  assert.equal(server.draft.revision, 2);
});

test("offline for two minutes: everything is kept, tried ever more rarely, then saved", async () => {
  const { world, server, tab } = scene();
  const page = await new Page(tab()).open(server);
  world.isOnline = false;
  let tries = 0;
  const ask = server.ask;
  page.tab; // its `ask` goes to the server's, where the world is offline
  server.ask = (q) => {
    tries += q.method === "PUT" ? 1 : 0;
    return ask(q);
  };
  for (let i = 0; i < 12; i++) {
    page.add(`s${i}`, i * 20);
    await world.pass(10_000);
  }
  assert.equal(page.sync.status.value, "No connection: 12 changes on this device");
  assert.ok(tries >= 3 && tries <= 9, `${tries} tries`);
  world.isOnline = true;
  await world.pass(61_000);
  assert.equal(page.sync.status.value, "Saved");
  assert.deepEqual(bodyOf(server), page.timeline);
});

test("a newer revision from elsewhere: other things merge, the same field is asked about", async () => {
  const { world, server, browser, tab } = scene();
  const page = await new Page(tab()).open(server);
  page.add("a", 0, "Cut");
  page.add("b", 20, "Pour");
  await world.pass(2000);
  // Another device, with another journal and no lock of this browser.
  const other = await new Page(new FakeTab(world, server, new FakeBrowser())).open(server);
  other.describe("a", "Cut bread");
  other.describe("b", "Pour water");
  other.add("c", 40);
  await world.pass(2000);
  page.describe("a", "Cut cheese");
  const b = page.timeline.segments.find((s) => s.id === "b")!;
  page.edit("Move end", { segments: { b: { ...b, end_frame: 35 } } });
  await world.pass(3000);

  const description = (id: string) => page.timeline.segments.find((s) => s.id === id)?.description;
  assert.deepEqual(page.timeline.segments.map((s) => s.id), ["a", "b", "c"]);
  assert.equal(description("a"), "Cut bread");
  assert.equal(description("b"), "Pour water");
  assert.equal(page.timeline.segments[1]!.end_frame, 35);
  assert.deepEqual(page.told, [
    "Segment 1, description: “Cut bread” elsewhere, “Cut cheese” here (Describe).",
  ]);
  const save = page.sync.save.value;
  assert.equal(save.kind, "stale");
  assert.deepEqual(bodyOf(server), page.timeline);
  // It is asked about until it is decided, a killed tab included.
  page.tab.kill(true);
  const again = await new Page(new FakeTab(world, server, browser)).open(server);
  const open = again.sync.save.value;
  assert.ok(open.kind === "stale");
  const edit = again.sync.settle(open.differences[0]!, "mine")!;
  again.timeline = apply(again.timeline, edit.after);
  await world.pass(2000);
  assert.equal(again.timeline.segments[0]!.description, "Cut cheese");
  assert.deepEqual(bodyOf(server), again.timeline);
  assert.equal(again.sync.status.value, "Saved");
});

test("where IndexedDB is refused it says so and saves at once", async () => {
  const { world, server, browser, tab } = scene();
  browser.databases = {
    open() {
      throw new DOMException("refused", "SecurityError");
    },
  } as unknown as IDBFactory;
  const page = await new Page(tab()).open(server);
  assert.equal(page.sync.kept.value, "memory");
  page.add("a", 0);
  assert.equal(
    page.sync.status.value,
    "1 change not saved yet. This browser keeps nothing on this device.",
  );
  await world.pass(0);
  assert.deepEqual(bodyOf(server), page.timeline);
  assert.equal(page.sync.status.value, "Saved. This browser keeps nothing on this device.");
});

test("one tab edits; a second watches, takes over politely, and has everything", async () => {
  const { world, server, tab } = scene();
  const first = await new Page(tab()).open(server);
  first.add("a", 0);
  await settle();
  const second = await new Page(tab()).open(server);
  assert.deepEqual(second.sync.save.value, { kind: "elsewhere" });
  assert.ok(second.sync.readOnly.value);
  first.add("b", 20);
  const taking = second.sync.takeOver();
  await world.pass(100);
  await taking;
  assert.deepEqual(first.sync.save.value, { kind: "elsewhere" });
  assert.equal(second.sync.readOnly.value, false);
  assert.deepEqual(second.timeline, first.timeline);
  second.add("c", 40);
  await world.pass(2000);
  assert.deepEqual(bodyOf(server), second.timeline);
  assert.equal(second.timeline.segments.length, 3);
  // When the second one goes, the first edits again by itself and has what the second did.
  second.sync.dispose();
  await world.pass(100);
  assert.equal(first.sync.readOnly.value, false);
  assert.deepEqual(first.timeline, second.timeline);
});

test("a tab that does not answer is pushed aside", async () => {
  const { world, server, tab } = scene();
  const first = await new Page(tab()).open(server);
  first.add("a", 0);
  await settle();
  first.tab.killed = true; // frozen: it holds the lock and hears nothing in time
  const second = await new Page(tab()).open(server);
  const taking = second.sync.takeOver();
  await world.pass(1900);
  await world.pass(200);
  await taking;
  await world.pass(100);
  assert.equal(second.sync.readOnly.value, false);
  assert.deepEqual(second.timeline, first.timeline);
});
