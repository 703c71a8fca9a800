// Carries edits from the journal to the server: the whole timeline as the draft's next revision,
// one request at a time, again and again until it is there.
//
// What was saved is known from the draft itself (marks.ts), so a save whose answer was lost is
// neither lost nor done twice. A newer revision from elsewhere is taken as the base, and the edits
// that it lacks are put onto it (rebase.ts).

import { signal, type ReadonlySignal } from "@preact/signals";
import type { Difference, Timeline } from "../contract.ts";
import { fromBody } from "../model/draft.ts";
import type { Entry, Journal } from "./journal.ts";
import { contains, including, marksOf, type Marks } from "./marks.ts";
import { rebase, same } from "./rebase.ts";
import type { Answer, Ask, World } from "./world.ts";

/** What stands between the pending edits and the server. */
export type Trouble =
  | { kind: "none" }
  | { kind: "offline" } // no answer; tried again by itself
  | { kind: "error"; message: string } // an answer that doesn't save; tried again, more slowly
  | { kind: "over"; state: string; reason: string }; // the claim takes no more saves

export interface OutboxState {
  revision: number;
  /** When the server had everything, by this device's clock. */
  savedAt: number;
  changes: number;
  saving: boolean;
  trouble: Trouble;
}

const DEBOUNCE_MS = 1000;
const LONGEST_MS = 5000; // somebody who never pauses is saved all the same
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
const SLOW_RETRY_MS = 15_000; // when somebody has to do something about it first
/** Chromium refuses a keepalive request above 64 kB, all of them in flight together. */
const KEEPALIVE_BYTES = 60_000;

export interface OutboxEvents {
  /** The timeline is another one than edits made it: a newer revision came in. */
  replaced(timeline: Timeline): void;
  /** Some of it could not be put onto the newer revision. */
  differ(differences: Difference[]): void;
}

export class Outbox {
  readonly state: ReadonlySignal<OutboxState>;
  timeline: Timeline;

  private readonly signal;
  private readonly path: string;
  private readonly ask: Ask;
  private readonly world: World;
  private readonly journal: Journal;
  private readonly events: OutboxEvents;

  private revision = 0;
  private marks: Marks = [];
  private pending: Entry[] = [];
  private savedAt: number;
  private trouble: Trouble = { kind: "none" };
  private attempts = 0;
  private sending: Promise<void> | null = null;
  private callOff: (() => void) | null = null;
  private waitingSince: number | null = null;
  private stopped = true;
  private ended = false;

  constructor(
    assignment: number,
    ask: Ask,
    world: World,
    journal: Journal,
    events: OutboxEvents,
  ) {
    this.path = `/assignments/${assignment}/draft/`;
    this.ask = ask;
    this.world = world;
    this.journal = journal;
    this.events = events;
    this.timeline = fromBody({});
    this.savedAt = world.now();
    this.signal = signal<OutboxState>(this.snapshot());
    this.state = this.signal;
  }

  /**
   * Takes a draft as the server gave it (`{revision, body}`), and puts the journal's pending edits
   * onto it. Returns how many those were.
   */
  load(draft: { revision: number; body: unknown }): number {
    this.recovered();
    this.pending = this.journal.pending();
    this.timeline = this.based(draft.revision, draft.body);
    this.publish();
    return this.pending.length;
  }

  /** From now on edits are sent. */
  start(): void {
    if (this.ended) return;
    this.stopped = false;
    if (this.pending.length > 0) this.schedule(0);
  }

  /** Nothing is sent any more until `start`; an answer that is on its way is still taken. */
  stop(): void {
    this.stopped = true;
    this.callOff?.();
    this.callOff = null;
    this.publish();
  }

  /** An edit that the journal has taken, or is taking now, and what it made of the timeline. */
  record(entry: Entry, timeline: Timeline): void {
    this.pending.push(entry);
    this.timeline = timeline;
    this.waitingSince ??= this.world.now();
    this.publish();
    // While a failed save waits for its next try, that one takes this edit along.
    if (this.attempts === 0 || !this.callOff) this.schedule(this.patience());
  }

  /** Edits that other tabs wrote into the journal: put onto what is here. */
  adopt(): void {
    const known = new Set(this.pending.map((entry) => `${entry.writer} ${entry.n}`));
    const news = this.journal
      .pending()
      .filter((e) => !known.has(`${e.writer} ${e.n}`) && !contains(this.marks, e));
    if (news.length === 0) return;
    const { timeline, edits, differences } = rebase(
      this.timeline,
      news.map((entry) => entry.edit),
    );
    this.pending.push(...news.map((entry, i) => ({ ...entry, edit: edits[i]! })));
    this.replace(timeline, differences);
    this.publish();
    this.schedule(0);
  }

  /** Sends now what is pending. Resolves to whether the server has everything. */
  async flush(): Promise<boolean> {
    await this.journal.settled();
    // What is on its way first; then what it did not carry, and once more after a newer revision.
    for (let round = 0; round < 4 && !this.stopped; round++) {
      if (this.sending) await this.sending;
      if (this.pending.length === 0) break;
      if (round > 0 && this.trouble.kind !== "none") break;
      this.callOff?.();
      await this.send();
    }
    return this.pending.length === 0;
  }

  /** Tries again at once: the network is back, or the page is looked at again. */
  retry(): void {
    if (this.stopped || this.pending.length === 0 || this.attempts === 0) return;
    this.attempts = 0;
    this.schedule(0);
  }

  /**
   * The page is going away, perhaps for good: what is pending is sent with `keepalive` while it
   * fits; what doesn't fit is in the journal. Its answer will probably be heard by nobody.
   */
  leave(): void {
    if (this.stopped || this.pending.length === 0) return;
    const body = this.body();
    if (new TextEncoder().encode(JSON.stringify(body)).length > KEEPALIVE_BYTES) return;
    if (this.sending) {
      // It may die with the page; sending the same twice is harmless.
      void this.ask(this.put(body, true)).catch(() => {});
    } else {
      this.callOff?.();
      void this.send(true);
    }
  }

  /** The claim takes no more saves (submitted, given back). Pending edits stay in the journal. */
  end(state: string, reason: string): void {
    this.ended = true;
    this.trouble = { kind: "over", state, reason };
    this.stop();
  }

  // --- sending -------------------------------------------------------------------------------

  private body(): Record<string, unknown> {
    return { ...this.timeline, applied: including(this.marks, this.pending) };
  }

  private put(body: unknown, keepalive: boolean) {
    return {
      method: "PUT" as const,
      path: this.path,
      body: { body },
      headers: { "If-Match": `"${this.revision}"` },
      keepalive,
    };
  }

  private patience(): number {
    // Where nothing is kept on this device every second counts.
    if (this.journal.kept === "memory") return 0;
    const waited = this.world.now() - (this.waitingSince ?? this.world.now());
    return Math.max(0, Math.min(DEBOUNCE_MS, LONGEST_MS - waited));
  }

  private schedule(ms: number): void {
    if (this.stopped || this.sending) return; // whoever sends schedules what comes after
    this.callOff?.();
    this.callOff = this.world.later(ms, () => {
      this.callOff = null;
      void this.send();
    });
  }

  private send(keepalive = false): Promise<void> {
    if (this.stopped || this.sending || this.pending.length === 0) return Promise.resolve();
    const body = this.body();
    const question = this.put(body, keepalive);
    this.waitingSince = null;
    this.sending = this.ask(question)
      .then(
        (answer) => this.heard(answer, body["applied"] as Marks),
        () => this.failed({ kind: "offline" }, null),
      )
      .then((next) => {
        this.sending = null;
        this.publish();
        if (next !== null && this.pending.length > 0) this.schedule(next);
      });
    this.publish();
    return this.sending;
  }

  /** Takes an answer in; returns in how many ms to send what is left, null for not at all. */
  private heard(answer: Answer, marks: Marks): number | null {
    const body = (answer.body ?? {}) as Record<string, unknown>;
    const kind = String(body["type"] ?? "").split("/").at(-1);
    const revision = body["revision"];
    if (answer.status === 200 && typeof revision === "number") {
      // By what was sent, not by how many: the draft may have been loaded anew meanwhile.
      this.pending = this.pending.filter((entry) => !contains(marks, entry));
      if (revision > this.revision) this.confirmed(revision, marks);
      this.recovered();
      return this.patience();
    }
    if (answer.status === 412 && typeof revision === "number") {
      const before = this.timeline;
      const timeline = this.based(revision, body["draft"]);
      if (!same(before, timeline)) this.events.replaced(timeline);
      this.timeline = timeline;
      // Somebody who saves as often as this page could make it go round and round.
      this.trouble = { kind: "none" };
      this.attempts += 1;
      return this.attempts < 4 ? 0 : this.backOff();
    }
    if (answer.status === 409 && (kind === "lease-over" || kind === "already-submitted")) {
      const state = kind === "already-submitted" ? "submitted" : String(body["state"] ?? "over");
      this.end(state, String(body["detail"] ?? body["title"] ?? ""));
      return null;
    }
    if (answer.status === 401)
      return this.failed(error("You are signed out. Sign in again in another tab."), answer);
    if (answer.status === 403)
      return this.failed(error(words(body, "You may not save here.")), answer);
    if (answer.status === 404)
      return this.failed(
        error("This task belongs to another account than the one that is signed in."),
        answer,
      );
    if (answer.status === 429 || answer.status >= 500)
      return this.failed(error("The server can't save at the moment."), answer);
    return this.failed(error(words(body, "The server refused this draft.")), answer);
  }

  private failed(trouble: Trouble, answer: Answer | null): number {
    this.trouble = trouble;
    this.attempts += 1;
    const wait = this.backOff();
    if (answer === null) return wait;
    const byTime = answer.status === 429 || answer.status >= 500;
    return Math.max(wait, byTime ? (answer.retryAfter ?? 0) * 1000 : SLOW_RETRY_MS);
  }

  private backOff(): number {
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.attempts - 1));
    return longest * (0.5 + this.world.random() / 2);
  }

  private recovered(): void {
    if (this.ended) return;
    this.attempts = 0;
    this.trouble = { kind: "none" };
  }

  /** The timeline of a draft with the pending edits that it lacks on it. */
  private based(revision: number, body: unknown): Timeline {
    const marks = marksOf(body);
    const kept = this.pending.filter((entry) => !contains(marks, entry));
    this.pending = kept;
    this.confirmed(revision, marks);
    const { timeline, edits, differences } = rebase(
      fromBody(body),
      kept.map((entry) => entry.edit),
    );
    this.pending = kept.map((entry, i) => ({ ...entry, edit: edits[i]! }));
    if (differences.length > 0) this.events.differ(differences);
    return timeline;
  }

  private replace(timeline: Timeline, differences: Difference[]): void {
    const changed = !same(this.timeline, timeline);
    this.timeline = timeline;
    if (differences.length > 0) this.events.differ(differences);
    if (changed) this.events.replaced(timeline);
  }

  private confirmed(revision: number, marks: Marks): void {
    this.revision = revision;
    this.marks = marks;
    this.savedAt = this.world.now();
    void this.journal.acknowledge(marks, revision);
  }

  private snapshot(): OutboxState {
    return {
      revision: this.revision,
      savedAt: this.savedAt,
      changes: this.pending.length,
      saving: this.sending !== null,
      trouble: this.trouble,
    };
  }

  private publish(): void {
    this.signal.value = this.snapshot();
  }
}

function error(message: string): Trouble {
  return { kind: "error", message };
}

function words(body: Record<string, unknown>, otherwise: string): string {
  return String(body["detail"] ?? body["title"] ?? otherwise);
}

