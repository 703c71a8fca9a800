// A world that a test turns by hand: its clock, its server with its faults, its tabs and its disk.

import { IDBFactory } from "fake-indexeddb";
import type { Edit, Sync, Timeline } from "../contract.ts";
import { apply, EMPTY, newId } from "../model/commands.ts";
import { openSync, type Surroundings } from "../sync/index.ts";
import type { Channel, Locks } from "../sync/tab.ts";
import type { Answer, Ask, Question, World } from "../sync/world.ts";

/** Lets everything that is not waiting for the clock come to its end (fake-indexeddb included). */
export async function settle(rounds = 12): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise((go) => setImmediate(go));
}

export class FakeWorld implements World {
  time = Date.parse("2026-03-01T12:00:00Z");
  isOnline = true;
  private timers = new Map<number, { at: number; action: () => void }>();
  private next = 1;
  luck: () => number;

  constructor(luck: () => number = () => 0.5) {
    this.luck = luck;
  }

  now(): number {
    return this.time;
  }
  random(): number {
    return this.luck();
  }
  online(): boolean {
    return this.isOnline;
  }
  later(ms: number, action: () => void): () => void {
    const id = this.next++;
    this.timers.set(id, { at: this.time + ms, action });
    return () => this.timers.delete(id);
  }

  /** Moves the clock, firing timers at their time and letting what they start come to rest. */
  async pass(ms: number): Promise<void> {
    const until = this.time + ms;
    await settle();
    for (;;) {
      let first: [number, { at: number; action: () => void }] | null = null;
      for (const timer of this.timers)
        if (timer[1].at <= until && (!first || timer[1].at < first[1].at)) first = timer;
      if (!first) break;
      this.timers.delete(first[0]);
      this.time = Math.max(this.time, first[1].at);
      first[1].action();
      await settle(4);
    }
    this.time = until;
    await settle();
  }
}

export interface Draft {
  revision: number;
  body: Record<string, unknown>;
}

export type Fault =
  | "none"
  | "refused connection" // nothing reaches the server
  | "lost answer" // it took effect, nobody hears
  | "broken" // 500, nothing saved
  | "late effect"; // no answer; it takes effect some requests later

/** The API's rules about claims and drafts, small. */
export class FakeServer {
  draft: Draft = { revision: 0, body: {} };
  state = "active";
  leaseMs = 30 * 60_000;
  graceMs = 15 * 60_000;
  expiresAt: number;
  ceilingAt: number;
  asked: Question[] = [];
  /** Decides for each request. */
  fault: (question: Question) => Fault = () => "none";
  /** How long an answer takes, by the world's clock. */
  delay: () => number = () => 0;
  /** What the server says instead, for one kind of request. */
  instead: ((question: Question) => Answer | null) | null = null;
  /** Bodies of all revisions, oldest first. */
  readonly saved: Record<string, unknown>[] = [];
  beats = 0;
  private late: Question[] = [];
  private readonly world: FakeWorld;
  /** The server's clock is another one. */
  skewMs = 0;

  constructor(world: FakeWorld) {
    this.world = world;
    this.expiresAt = this.now() + this.leaseMs;
    this.ceilingAt = this.now() + 24 * 3600_000;
  }

  now(): number {
    return this.world.time + this.skewMs;
  }

  get isLive(): boolean {
    return ["active", "grace", "rework"].includes(this.state);
  }

  claim() {
    this.sweep();
    return {
      id: 7,
      task: 3,
      state: this.state,
      is_live: this.isLive,
      lease_expires_at: this.isLive ? new Date(this.expiresAt).toISOString() : null,
      lease_ceiling_at: new Date(this.ceilingAt).toISOString(),
      server_time: new Date(this.now()).toISOString(),
      end_reason: this.isLive ? "" : "The lease ran out.",
      media: this.isLive ? { url: `/media/${this.asked.length}/` } : null,
    };
  }

  ask: Ask = async (question) => {
    const fault = this.world.isOnline ? this.fault(question) : "refused connection";
    // As on a wire: nobody can change it afterwards.
    question = structuredClone(question);
    const wait = this.delay();
    if (fault === "refused connection") throw new TypeError("Failed to fetch");
    if (fault === "late effect") {
      this.late.push(question);
      throw new TypeError("Failed to fetch");
    }
    if (wait > 0) await new Promise<void>((go) => this.world.later(wait, go));
    if (fault === "broken") return { status: 500, body: { title: "Broken" }, retryAfter: null };
    const answer = this.answer(question);
    // A request that was held up on its way arrives after a later one.
    const late = this.late.splice(0);
    for (const held of late) this.answer(held);
    if (fault === "lost answer") throw new TypeError("Failed to fetch");
    return structuredClone(answer);
  };

  private sweep(): void {
    if (this.state === "active" && this.now() >= this.expiresAt) {
      this.state = "grace";
      this.expiresAt += this.graceMs;
    }
    if (this.state === "grace" && this.now() >= this.expiresAt) this.state = "expired";
  }

  private answer(question: Question): Answer {
    this.asked.push(question);
    this.sweep();
    const instead = this.instead?.(question);
    if (instead) return instead;
    const { method, path } = question;
    const ok = (body: unknown, status = 200): Answer => ({ status, body, retryAfter: null });
    const over = (): Answer =>
      this.state === "submitted"
        ? ok({ type: "/problems/already-submitted", detail: "Task 3 is submitted." }, 409)
        : ok({ type: "/problems/lease-over", detail: "Over.", state: this.state }, 409);
    if (path.endsWith("/draft/") && method === "GET") return ok(structuredClone(this.draft));
    if (path.endsWith("/draft/")) {
      if (!this.isLive && this.state !== "expired") return over();
      if (question.headers?.["If-Match"] !== `"${this.draft.revision}"`)
        return ok({ type: "/problems/stale-draft", revision: this.draft.revision,
                    draft: structuredClone(this.draft.body) }, 412);
      const body = (question.body as { body: Record<string, unknown> }).body;
      this.draft = { revision: this.draft.revision + 1, body };
      this.saved.push(body);
      return ok({ ...structuredClone(this.draft), saved_at: "" });
    }
    if (path.endsWith("/renew/")) {
      if (!this.isLive || this.now() >= this.ceilingAt) return over();
      if (this.state !== "rework") {
        this.state = "active";
        this.expiresAt = Math.min(this.now() + this.leaseMs, this.ceilingAt);
      }
      return ok(this.claim());
    }
    if (path.endsWith("/heartbeat/")) {
      if (!this.isLive) return over();
      this.beats += 1;
      return ok({ active_seconds: this.beats * 30 });
    }
    if (path.endsWith("/reclaim/")) {
      this.state = "active";
      this.expiresAt = this.now() + this.leaseMs;
      return ok({ ...this.claim(), id: 8 }, 201);
    }
    return ok(this.claim());
  }
}

/** Web Locks and channels of one browser, for one name. */
export class FakeBrowser {
  databases: IDBFactory | undefined = new IDBFactory();
  private holder: { over: (why: Error) => void; grant: Promise<unknown> } | null = null;
  private queue: (() => void)[] = [];
  private channels = new Set<FakeChannel>();

  readonly locks: Locks = {
    request: ((_: string, options: LockOptions, work: (lock: unknown) => unknown) =>
      this.request(options, work)) as unknown as Locks["request"],
  };

  private async request(options: LockOptions, work: (lock: unknown) => unknown): Promise<unknown> {
    if (options.ifAvailable && (this.holder || this.queue.length)) return work(null);
    if (options.steal) {
      this.holder?.over(new DOMException("stolen", "AbortError"));
      this.holder = null;
    } else if (this.holder || this.queue.length) {
      await new Promise<void>((go, no) => {
        this.queue.push(go);
        options.signal?.addEventListener("abort", () => {
          this.queue = this.queue.filter((one) => one !== go);
          no(new DOMException("called off", "AbortError"));
        });
      });
    }
    return new Promise((resolve, reject) => {
      const mine = { over: reject, grant: Promise.resolve() };
      this.holder = mine;
      void Promise.resolve(work({})).then((value) => {
        if (this.holder === mine) this.freed();
        resolve(value);
      });
    });
  }

  private freed(): void {
    this.holder = null;
    this.queue.shift()?.();
  }

  /** What the browser does when a tab that holds the lock dies. */
  died(): void {
    if (this.holder) this.freed();
  }

  channel(): Channel {
    const made = new FakeChannel((message) => {
      for (const other of this.channels)
        if (other !== made) other.onmessage?.({ data: message } as MessageEvent);
    }, () => this.channels.delete(made));
    this.channels.add(made);
    return made as unknown as Channel;
  }
}

class FakeChannel {
  onmessage: ((event: MessageEvent) => void) | null = null;
  private readonly send: (message: unknown) => void;
  private readonly remove: () => void;
  constructor(send: (message: unknown) => void, remove: () => void) {
    this.send = send;
    this.remove = remove;
  }
  postMessage(message: unknown): void {
    queueMicrotask(() => this.send(message));
  }
  close(): void {
    this.onmessage = null;
    this.remove();
  }
}

/** One tab of a browser: what dies when it is killed. */
export class FakeTab implements Surroundings {
  killed = false;
  readonly world: World;
  readonly ask: Ask;
  readonly locks: Locks | undefined;
  private readonly browser: FakeBrowser;
  private readonly channels: Channel[] = [];

  constructor(world: FakeWorld, server: FakeServer, browser: FakeBrowser, withLocks = true) {
    this.browser = browser;
    this.world = {
      now: () => world.now(),
      random: () => world.random(),
      online: () => world.online(),
      later: (ms, action) => world.later(ms, () => void (this.killed || action())),
    };
    // A dead tab's request may have left before; its answer is heard by nobody.
    this.ask = (question) =>
      this.killed
        ? new Promise(() => {})
        : server.ask(question).then(
            (answer) => (this.killed ? new Promise<Answer>(() => {}) : answer),
            (error: unknown) => {
              if (this.killed) return new Promise<Answer>(() => {});
              throw error;
            },
          );
    this.locks = withLocks ? browser.locks : undefined;
  }

  get databases(): IDBFactory | undefined {
    return this.browser.databases;
  }

  channel(): Channel {
    const made = this.browser.channel();
    this.channels.push(made);
    return made;
  }

  kill(heldTheLock: boolean): void {
    this.killed = true;
    for (const channel of this.channels) channel.close();
    if (heldTheLock) this.browser.died();
  }
}

/** A page: the timeline it shows, and edits made on it. */
export class Page {
  timeline: Timeline = EMPTY;
  told: string[] = [];
  sync!: Sync;
  readonly tab: FakeTab;

  constructor(tab: FakeTab) {
    this.tab = tab;
  }

  async open(server: FakeServer, person = 1): Promise<this> {
    const claim = server.claim();
    const opening = openSync(
      {
        claim,
        person,
        replaced: (timeline, differences) => {
          this.timeline = timeline;
          this.told = differences;
        },
      },
      this.tab,
    );
    await settle();
    this.sync = await opening;
    this.timeline = this.sync.initial;
    return this;
  }

  edit(label: string, after: Edit["after"]): void {
    const before: Edit["before"] = { segments: {} };
    for (const id of Object.keys(after.segments))
      before.segments[id] = this.timeline.segments.find((s) => s.id === id) ?? null;
    this.timeline = apply(this.timeline, after);
    this.sync.record({ id: newId(), at: 0, label, before, after }, this.timeline);
  }

  add(id: string, start: number, description = ""): void {
    this.edit("New segment", {
      segments: {
        [id]: {
          id, start_frame: start, end_frame: start + 10, hands: "right",
          action_type: "", description,
        },
      },
    });
  }

  describe(id: string, description: string): void {
    const segment = this.timeline.segments.find((s) => s.id === id)!;
    this.edit("Describe", { segments: { [id]: { ...segment, description } } });
  }
}
