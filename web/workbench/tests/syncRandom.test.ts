// Whatever happens in whatever order — edits, lost answers, late effects, slow answers, killed
// tabs, offline spells, tabs that take over — nothing that was typed is lost and nothing is there
// twice. Each value that is written is unique, so each can be traced to where it went.

import assert from "node:assert/strict";
import { test } from "node:test";
import { apply } from "../model/commands.ts";
import { FakeBrowser, FakeServer, FakeTab, FakeWorld, Page, settle, type Fault }
  from "./fakeSurroundings.ts";

const RUNS = Number(process.env["SYNC_RUNS"] ?? 25);
const STEPS = 40;

function lucky(seed: number): () => number {
  let state = seed >>> 0; // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const FAULTS: Fault[] = [
  "none", "none", "none", "refused connection", "lost answer", "broken", "late effect",
];

class Run {
  readonly luck: () => number;
  readonly world: FakeWorld;
  readonly server: FakeServer;
  readonly log: string[] = [];
  private values = 0;

  constructor(readonly seed: number) {
    this.luck = lucky(seed);
    this.world = new FakeWorld(this.luck);
    this.server = new FakeServer(this.world);
    this.server.leaseMs = 3600_000 * 20;
    this.server.expiresAt = this.world.now() + this.server.leaseMs;
    this.server.fault = (q) => (q.method === "PUT" ? this.pick(FAULTS) : "none");
    this.server.delay = () => (this.luck() < 0.3 ? Math.floor(this.luck() * 4000) : 0);
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.luck() * from.length)]!;
  }
  value(): string {
    return `v${++this.values}`;
  }

  /** Opening asks the server, whose answers may take their time. */
  async open(browser: FakeBrowser): Promise<Page> {
    const page = new Page(new FakeTab(this.world, this.server, browser));
    const opening = page.open(this.server);
    for (let i = 0; i < 5; i++) await this.world.pass(1000);
    return opening;
  }

  calm(): void {
    this.world.isOnline = true;
    this.server.fault = () => "none";
    this.server.delay = () => 0;
  }

  body(): unknown {
    const { applied: _, ...timeline } = this.server.draft.body;
    return timeline;
  }

  edit(page: Page, ids: readonly string[]): void {
    const id = this.pick(ids);
    const there = page.timeline.segments.find((s) => s.id === id);
    const dice = this.luck();
    if (!there) page.add(id, Math.floor(this.luck() * 1000), this.value());
    else if (dice < 0.15) page.edit("Delete", { segments: { [id]: null } });
    else if (dice < 0.4)
      page.edit("Split", {
        segments: {
          [id]: { ...there, end_frame: there.end_frame + 1 },
          [`${id}+`]: { ...there, id: `${id}+`, description: this.value() },
        },
      });
    else page.describe(id, this.value());
  }
}

/** Tabs of one browser: the timeline is always all edits in their order. */
async function oneDevice(seed: number): Promise<void> {
  const run = new Run(seed);
  const { world, server } = run;
  const browser = new FakeBrowser();
  let editing = await run.open(browser);
  let watching: Page | null = null;
  let model = editing.timeline;
  const ids = ["a", "b", "c", "d", "e", "f"];
  const check = (page: Page, what: string) =>
    assert.deepEqual(page.timeline, model, `seed ${seed}: ${what}\n${run.log.join(", ")}`);

  for (let step = 0; step < STEPS; step++) {
    const dice = run.luck();
    if (dice < 0.55) {
      run.log.push("edit");
      run.edit(editing, ids);
      model = editing.timeline;
      check(editing, "edit");
    } else if (dice < 0.8) {
      run.log.push("wait");
      await world.pass(Math.floor(run.luck() * 8000));
      check(editing, "wait");
    } else if (dice < 0.85) {
      run.log.push("line");
      world.isOnline = !world.isOnline;
    } else if (dice < 0.93) {
      run.log.push("kill");
      await settle(); // the journal has it a few ms after the key
      editing.tab.kill(true);
      world.isOnline = true;
      if (watching) {
        editing = watching;
        watching = null;
        await world.pass(40_000);
      } else editing = await run.open(browser);
      check(editing, "kill");
      assert.equal(editing.sync.readOnly.value, false, `seed ${seed}: who edits?`);
    } else if (!watching) {
      run.log.push("second");
      await settle();
      world.isOnline = true;
      watching = await run.open(browser);
      check(watching, "second tab");
    } else {
      run.log.push("take");
      world.isOnline = true;
      const taking = watching.sync.takeOver();
      await world.pass(40_000);
      await taking;
      [editing, watching] = [watching, editing];
      check(editing, "take over");
      assert.equal(editing.sync.readOnly.value, false, `seed ${seed}: who edits?`);
      assert.equal(watching.sync.readOnly.value, true, `seed ${seed}: both edit`);
    }
  }
  run.calm();
  await world.pass(130_000);
  check(editing, "end");
  assert.equal(editing.sync.status.value, "Saved", `seed ${seed}`);
  assert.deepEqual(run.body(), JSON.parse(JSON.stringify(model)), `seed ${seed}: ${run.log.join()}`);
  assert.equal(server.draft.revision, server.saved.length);
  editing.tab.kill(true);
  watching?.tab.kill(false);
}

/** Two devices that know nothing of each other: every value is there, replaced by somebody who
 * saw it, or asked about. */
async function twoDevices(seed: number): Promise<void> {
  const run = new Run(seed);
  const { world } = run;
  const browsers = [new FakeBrowser(), new FakeBrowser()];
  const pages = [await run.open(browsers[0]!), await run.open(browsers[1]!)];
  // What was written, what it replaced before its writer's eyes, who wrote it where.
  const written: { value: string; before: string | null; who: number; where: string }[] = [];
  const ids = ["a", "b", "c"];
  for (let step = 0; step < STEPS; step++) {
    const dice = run.luck();
    const who = run.luck() < 0.5 ? 0 : 1;
    const page = pages[who]!;
    if (dice < 0.5) {
      const id = run.pick(ids);
      const there = page.timeline.segments.find((s) => s.id === `${id}${who}` || s.id === id);
      const value = run.value();
      // Segments are made under a device's own name, and described by both.
      const target = run.luck() < 0.5 ? page.timeline.segments.at(-1) ?? there : there;
      const where = target?.id ?? `${id}${who}`;
      written.push({ value, before: target?.description ?? null, who, where });
      if (target) page.describe(target.id, value);
      else page.add(`${id}${who}`, step * 10, value);
    } else if (dice < 0.85) await world.pass(Math.floor(run.luck() * 6000));
    else if (dice < 0.9) world.isOnline = !world.isOnline;
    else {
      await settle();
      page.tab.kill(true);
      world.isOnline = true;
      pages[who] = await run.open(browsers[who]!);
    }
  }
  run.calm();
  await world.pass(130_000);
  // Each hears of the other with its next save.
  for (const page of [...pages, ...pages]) {
    page.add(`last${run.value()}`, 5000, "the end");
    await world.pass(130_000);
  }
  const final = run.body() as { segments: { description: string }[] };
  const there = new Set(final.segments.map((s) => s.description));
  const replaced = new Set(written.map(({ before }) => before));
  const asked = pages.map((page) => {
    const save = page.sync.save.value;
    return new Set(save.kind === "stale" ? save.differences.map((d) => d.mine) : []);
  });
  written.forEach(({ value, who, where }, i) =>
    assert.ok(
      there.has(value) ||
        replaced.has(value) ||
        asked[who]!.has(value) ||
        // Somebody who types on instead of deciding is asked about the last thing they typed.
        written.slice(i + 1).some((later) => later.who === who && later.where === where),
      `seed ${seed}: ${value} of device ${who} is gone`,
    ),
  );
  assert.equal(new Set(final.segments.map((s) => (s as { id?: string }).id)).size,
    final.segments.length);
  // Deciding them all as they were set here leaves nothing open.
  for (const page of pages) {
    const save = page.sync.save.value;
    for (const difference of save.kind === "stale" ? [...save.differences] : []) {
      const edit = page.sync.settle(difference, "mine");
      if (edit) page.timeline = apply(page.timeline, edit.after);
    }
    await world.pass(130_000);
  }
  for (const page of pages) page.tab.kill(true);
}

test(`one device: ${RUNS} random days, every edit is there, once`, async () => {
  for (let seed = 1; seed <= RUNS; seed++) await oneDevice(seed);
});

test(`two devices: ${RUNS} random days, nothing ends silently`, async () => {
  for (let seed = 1; seed <= RUNS; seed++) await twoDevices(seed);
});
