// Nothing typed is ever lost: one object for the draft, the journal on this device, the lease and
// the other tabs. See docs/workbench.md, "Never lose work".
//
// An edit goes to the journal, then to the outbox, and counts as saved when the server's revision
// contains it. The timeline that the page shows is at every moment the server's draft with the
// edits on it that the draft does not contain yet.

import { computed, effect, signal } from "@preact/signals";
import type {
  Claim,
  Difference,
  Edit,
  SaveState,
  Sync,
  SyncOptions,
  Timeline,
} from "../contract.ts";
import { apply, newId } from "../model/commands.ts";
import { Journal, type Entry } from "./journal.ts";
import { Lease } from "./lease.ts";
import { Outbox } from "./outbox.ts";
import { takingMine } from "./rebase.ts";
import { Tab, type Channel, type Locks } from "./tab.ts";
import { differenceInWords, saveInWords } from "./words.ts";
import { browser, overFetch, type Answer, type Ask, type World } from "./world.ts";

/** Dispatched on the window before the page hides or another tab takes over: fields in which
 * somebody types make an edit of it now. */
export const FINISH_TYPING = "workbench:finish-typing";

/** The server's no, in its own words. */
export class Refusal extends Error {
  readonly status: number;
  readonly document: Record<string, unknown>;

  constructor(answer: Answer) {
    const document = (answer.body ?? {}) as Record<string, unknown>;
    super(String(document["detail"] ?? document["title"] ?? `The server said ${answer.status}.`));
    this.status = answer.status;
    this.document = document;
  }
}

/** Everything from outside; a test gives its own. */
export interface Surroundings {
  world: World;
  ask: Ask;
  databases: IDBFactory | undefined;
  locks: Locks | undefined;
  channel(name: string): Channel | null;
}

function here(): Surroundings {
  const world = browser();
  return {
    world,
    ask: overFetch(world),
    get databases() {
      try {
        return globalThis.indexedDB; // some browsers refuse with an exception
      } catch {
        return undefined;
      }
    },
    locks: navigator.locks as Locks | undefined,
    channel: (name) => (typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(name)),
  };
}

/** Opens the draft of a claim for editing, with whatever this device had not sent yet on it. */
export async function openSync(options: SyncOptions, around = here()): Promise<Sync> {
  const opened = new Opened(options, around);
  try {
    await opened.begin();
  } catch (error) {
    opened.dispose(); // the lock is free for whoever tries again
    throw error;
  }
  return opened;
}

class Opened implements Sync {
  readonly save;
  readonly status;
  readonly lease;
  readonly readOnly;
  readonly kept = signal<"disk" | "memory">("disk");
  readonly activeSeconds;
  replayed = 0;

  private readonly options: SyncOptions;
  private readonly around: Surroundings;
  private readonly scope: string;
  private readonly asked: number;
  private readonly clock: Lease;
  private readonly tab: Tab;
  private readonly elsewhere = signal(false);
  private readonly over = signal<{ state: string; reason: string } | null>(null);
  private readonly open = signal<readonly Difference[]>([]);
  private readonly outboxState = signal<Outbox["state"]["value"] | null>(null);
  private journal!: Journal;
  private outbox!: Outbox;
  private first: Timeline | null = null;
  private writer = "";
  private tenure = 0;
  private count = 0;
  private finished = false;
  private isReady: () => void = () => {};
  private readonly ready = new Promise<void>((ready) => (this.isReady = ready));
  private readonly undo: (() => void)[] = [];

  constructor(options: SyncOptions, around: Surroundings) {
    this.options = options;
    this.around = around;
    this.asked = around.world.now();
    this.scope = `${options.person}/${options.claim.task}`;
    this.clock = new Lease(around.ask, around.world, {
      over: (state, reason) => this.leaseOver(state, reason),
    });
    if (options.playing) this.clock.isPlaying = options.playing;
    this.lease = this.clock.state;
    this.activeSeconds = this.clock.activeSeconds;
    this.tab = new Tab(
      `workbench ${this.scope}`,
      around.world,
      around.locks,
      around.channel(`workbench ${this.scope}`),
      {
        gained: () => void this.gained(),
        leaving: () => this.leaving(),
        lost: () => void this.lost(),
        left: () => void this.adopt(),
      },
    );
    this.readOnly = computed(() => this.elsewhere.value || this.over.value !== null);
    this.save = computed(() => this.saveState());
    this.status = computed(() => saveInWords(this.save.value, this.kept.value));
  }

  get initial(): Timeline {
    return this.first!;
  }

  async begin(): Promise<void> {
    const { world, databases } = this.around;
    const [journal, draft] = await Promise.all([
      Journal.open(this.scope, world, databases),
      this.draft(),
      this.tab.enter(),
    ]);
    const held = this.tab.held; // as of now: the other tab may have closed, or taken it back
    this.journal = journal;
    this.kept.value = journal.kept;
    journal.onDegraded = () => (this.kept.value = "memory");
    this.open.value = journal.differences;
    this.outbox = new Outbox(this.options.claim.id, this.around.ask, world, journal, {
      replaced: (timeline) => this.replaced(timeline),
      differ: (differences) => this.differ(differences),
    });
    this.undo.push(effect(() => void (this.outboxState.value = this.outbox.state.value)));
    this.replayed = this.outbox.load(draft);
    this.first = this.outbox.timeline;
    this.elsewhere.value = !held;
    if (held) this.edit();
    this.undo.push(
      effect(() => {
        const { trouble } = this.outbox.state.value;
        if (trouble.kind === "over" && !this.over.peek()) {
          const { state, reason } = trouble;
          this.over.value = { state, reason };
          this.clock.stop();
        }
      }),
    );
    this.listen();
    this.clock.take(this.options.claim, this.asked);
    if (held && this.options.claim.is_live) {
      this.clock.start();
      this.clock.visible(); // opening the page is a sign of life
    }
    this.isReady();
    void journal.tidy();
  }

  record(edit: Edit, timeline: Timeline): void {
    if (this.readOnly.peek()) return;
    const entry: Entry = {
      scope: this.scope,
      tenure: this.tenure,
      writer: this.writer,
      n: ++this.count,
      edit,
      revision: 0,
    };
    void this.journal.append(entry);
    this.outbox.record(entry, timeline);
    this.clock.activity();
  }

  settle(difference: Difference, choice: "mine" | "theirs"): Edit | null {
    if (this.readOnly.peek()) return null;
    void this.journal.settle(difference);
    this.open.value = this.journal.differences;
    const patches = choice === "mine" ? takingMine(this.outbox.timeline, difference) : null;
    if (!patches) return null;
    const [before, after] = patches;
    const at = this.around.world.now();
    const edit: Edit = { id: newId(), at, label: difference.label, before, after };
    this.record(edit, apply(this.outbox.timeline, after));
    return edit;
  }

  activity(): void {
    this.clock.activity();
  }

  flush(): Promise<boolean> {
    finishTyping();
    return this.outbox.flush();
  }

  extend(): Promise<boolean> {
    return this.clock.extend();
  }

  takeOver(): Promise<void> {
    return this.tab.take();
  }

  download(): void {
    const claim = this.options.claim;
    const what = {
      assignment: claim.id,
      task: claim.task,
      revision: this.outbox.state.peek().revision,
      timeline: this.outbox.timeline,
      differences: this.journal.differences,
      edits: this.journal.history().map(({ edit, revision }) => ({ ...edit, revision })),
    };
    const file = new Blob([JSON.stringify(what, null, 1)], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = `task-${claim.task}.json`;
    document.body.append(link); // Firefox follows only links that are on the page
    link.click();
    link.remove();
    this.around.world.later(10_000, () => URL.revokeObjectURL(link.href));
  }

  async reclaim(): Promise<number> {
    const answer = await this.around.ask({
      method: "POST",
      path: `/assignments/${this.options.claim.id}/reclaim/`,
      headers: { "Idempotency-Key": newId() },
    });
    if (answer.status !== 201 && answer.status !== 200) throw new Refusal(answer);
    return (answer.body as Claim).id;
  }

  async finish(): Promise<void> {
    this.finished = true;
    this.clock.stop();
    this.outbox.stop();
    await this.journal.settled();
    this.tab.close();
  }

  dispose(): void {
    for (const undo of this.undo) undo();
    this.clock.stop();
    this.outbox?.stop();
    this.tab.close();
    this.journal?.close();
  }

  // --- what happens --------------------------------------------------------------------------

  private async draft(): Promise<{ revision: number; body: unknown }> {
    const answer = await this.around.ask({
      method: "GET",
      path: `/assignments/${this.options.claim.id}/draft/`,
    });
    if (answer.status !== 200) throw new Refusal(answer);
    return answer.body as { revision: number; body: unknown };
  }

  /** From now on this tab edits. */
  private edit(): void {
    this.writer = newId();
    this.tenure = this.journal.nextTenure;
    this.count = 0;
    this.outbox.start();
  }

  private async gained(): Promise<void> {
    await this.ready;
    // What the other tab did meanwhile: some of it is on the server, the rest in the journal.
    for (let wait = 1000; ; wait = Math.min(wait * 2, 30_000)) {
      try {
        const draft = await this.draft();
        await this.journal.reload();
        this.open.value = this.journal.differences;
        this.outbox.load(draft);
        break;
      } catch {
        await new Promise<void>((go) => this.around.world.later(wait, go));
        if (!this.tab.held) return;
      }
    }
    if (!this.tab.held) return;
    this.elsewhere.value = false;
    this.edit();
    this.replaced(this.outbox.timeline);
    if (!this.over.peek()) {
      this.clock.start();
      this.clock.visible();
    }
  }

  private async leaving(): Promise<void> {
    // The page stops taking edits; what it has is written down here, and sent if that is quick.
    await this.ready;
    finishTyping();
    this.elsewhere.value = true;
    await this.journal.settled();
  }

  private async lost(): Promise<void> {
    await this.ready;
    if (this.tab.held) return;
    this.elsewhere.value = true;
    this.outbox.stop();
    this.clock.stop();
  }

  private async adopt(): Promise<void> {
    await this.ready;
    await this.journal.reload();
    if (this.tab.held) this.outbox.adopt();
  }

  private leaseOver(state: string, reason: string): void {
    this.over.value = { state, reason };
    this.clock.stop();
    // An expired claim still takes what its holder had typed; any other one does not.
    if (state === "expired") void this.outbox.flush();
    else this.outbox.end(state, reason);
  }

  private replaced(timeline: Timeline): void {
    this.options.replaced(
      timeline,
      this.open.peek().map((difference) => differenceInWords(difference, timeline)),
    );
  }

  private differ(differences: Difference[]): void {
    void this.journal.differ(differences);
    this.open.value = this.journal.differences;
  }

  private saveState(): SaveState {
    const state = this.outboxState.value;
    if (!state || this.elsewhere.value) return { kind: "elsewhere" };
    const { changes, trouble, saving, revision } = state;
    if (this.over.value) return { kind: "lost", ...this.over.value, changes };
    if (trouble.kind === "offline") return { kind: "offline", changes };
    if (trouble.kind === "error") return { kind: "error", message: trouble.message, changes };
    if (this.open.value.length > 0)
      return { kind: "stale", changes, revision, differences: this.open.value };
    if (saving) return { kind: "saving", changes };
    if (changes > 0) return { kind: "pending", changes };
    return { kind: "saved", revision, at: state.savedAt };
  }

  private listen(): void {
    if (typeof window === "undefined") return;
    const on = (target: EventTarget, names: string, heard: (event: Event) => void) => {
      for (const name of names.split(" ")) {
        target.addEventListener(name, heard, { passive: name !== "beforeunload" });
        this.undo.push(() => target.removeEventListener(name, heard));
      }
    };
    on(window, "keydown pointerdown wheel", () => this.clock.activity());
    on(window, "pagehide", () => this.leave());
    on(window, "online", () => {
      this.outbox.retry();
      if (this.clock.state.peek().live) void this.clock.look();
    });
    on(document, "visibilitychange", () => {
      if (document.visibilityState === "hidden") this.leave();
      else {
        this.outbox.retry();
        if (this.tab.held && !this.over.peek()) this.clock.visible();
      }
    });
    on(window, "beforeunload", (event) => {
      // Only where leaving would lose something: everywhere else the journal has it.
      if (this.finished || this.kept.peek() === "disk") return;
      if (this.outbox.state.peek().changes > 0) event.preventDefault();
    });
  }

  private leave(): void {
    finishTyping();
    if (!this.finished && this.tab.held) this.outbox.leave();
  }
}

function finishTyping(): void {
  if (typeof window !== "undefined") window.dispatchEvent(new Event(FINISH_TYPING));
}
