import assert from "node:assert/strict";
import { test } from "node:test";
import type { Media } from "../media/links.ts";
import { FIRST_SECONDS, following, NextTask, withLoaded, type NextClaim } from "../media/next.ts";

const claim = (id: number, ends: string | null): NextClaim => ({
  id, task: id * 10, lease_expires_at: ends && `2026-01-01T${ends}Z`,
});
const HERE = claim(1, "10:00:00");
const SOON = claim(2, "10:10:00");
const LATE = claim(3, "11:00:00");
const media = (url: string, minutes = 60): Media => ({
  url, kind: "proxy", zero_seconds: 0, large: null,
  expires_at: new Date(Date.now() + minutes * 60_000).toISOString(),
});

class Shelf {
  readonly kept = new Map<string, string>();
  getItem = (name: string) => this.kept.get(name) ?? null;
  setItem = (name: string, value: string) => void this.kept.set(name, value);
  removeItem = (name: string) => void this.kept.delete(name);
}

/** A next task whose loading ends when told to. */
function scene(claims: NextClaim[], minutes = 60) {
  const asked: number[] = [];
  const loads: { url: string; seconds: number; signal: AbortSignal; end(is: boolean): void }[] = [];
  const shelf = new Shelf();
  const next = new NextTask(HERE.id, {
    claims: async () => claims,
    media: async (id) => {
      asked.push(id);
      return media(`/m/${id}/${asked.length}`, minutes);
    },
    load: (url, seconds, signal) =>
      new Promise((done) => {
        loads.push({ url, seconds, signal, end: done });
        signal.addEventListener("abort", () => done(false));
      }),
    shelf,
  });
  return { next, asked, loads, shelf };
}

const rest = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

test("the other claim that ends first comes next, one without an end last", () => {
  assert.equal(following([LATE, HERE, SOON], HERE.id), SOON);
  assert.equal(following([claim(9, null), LATE], HERE.id)?.id, LATE.id);
  assert.equal(following([HERE], HERE.id), null);
});

test("its first seconds are loaded once, and the page that opens it plays that link", async () => {
  const { next, asked, loads, shelf } = scene([HERE, LATE, SOON]);
  const looking = next.look();
  void next.look(); // while one is under way
  await rest();
  assert.deepEqual(loads.map(({ url, seconds }) => [url, seconds]), [["/m/2/1", FIRST_SECONDS]]);
  assert.equal(next.claim.value, SOON);
  assert.equal(next.loaded.value, null); // not before it is here
  assert.equal(shelf.kept.size, 0);
  loads[0]!.end(true);
  await looking;
  assert.equal(next.loaded.value, SOON.id);
  await next.look();
  assert.deepEqual(asked, [SOON.id]);

  const fresh = { ...media("/fresh"), peaks: "/peaks" };
  assert.deepEqual(withLoaded(LATE.id, fresh, Date.now(), { ...shelf, removeItem() {} }), fresh);
  const opened = withLoaded(SOON.id, fresh, Date.now(), shelf);
  assert.equal(opened.url, "/m/2/1");
  assert.equal(opened.peaks, "/peaks");
  assert.equal(shelf.kept.size, 0); // played once; a reload asks for its own
});

test("a link that ends soon, or shows another file, is not played", async () => {
  for (const [minutes, changes] of [[14, {}], [60, { kind: "source" }], [60, { zero_seconds: 0.5 }]] as const) {
    const { next, loads, shelf } = scene([HERE, SOON], minutes);
    const looking = next.look();
    await rest();
    loads[0]!.end(true);
    await looking;
    assert.equal(shelf.kept.size, 1);
    const fresh = { ...media("/fresh"), ...changes };
    assert.equal(withLoaded(SOON.id, fresh, Date.now(), shelf), fresh);
  }
});

test("nothing is loaded where no other task is held", async () => {
  const { next, asked } = scene([HERE]);
  await next.look();
  assert.deepEqual([next.claim.value, asked], [null, []]);
});

test("it steps aside, keeps nothing then, and is taken up again", async () => {
  const { next, loads, shelf } = scene([HERE, SOON]);
  const looking = next.look();
  await rest();
  next.stop();
  await looking;
  assert.equal(loads[0]!.signal.aborted, true);
  assert.deepEqual([next.loaded.value, shelf.kept.size], [null, 0]);
  const again = next.look();
  await rest();
  loads[1]!.end(true);
  await again;
  assert.equal(next.loaded.value, SOON.id);
});

test("storage that is refused and a dead line do no harm", async () => {
  const refuse = () => { throw new DOMException("no", "SecurityError"); };
  const shelf = { getItem: refuse, setItem: refuse, removeItem: refuse };
  const fresh = media("/fresh");
  assert.equal(withLoaded(SOON.id, fresh, Date.now(), shelf), fresh);
  const dead = new NextTask(HERE.id, { claims: () => Promise.reject(new Error("offline")), media: async () => fresh, shelf });
  await dead.look();
  assert.equal(dead.claim.value, null);
  const refused = new NextTask(HERE.id, {
    claims: async () => [SOON], media: async () => fresh, load: async () => true, shelf,
  });
  await refused.look();
  assert.equal(refused.loaded.value, SOON.id);
});
