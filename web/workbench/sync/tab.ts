// One tab edits a task at a time (Web Locks). A second one watches until the first is closed, or
// takes over: it asks, the first writes down what it has and lets go; one that doesn't answer is
// pushed aside.

import type { World } from "./world.ts";

export interface TabEvents {
  /** This tab may edit now, after it could not. */
  gained(): void;
  /** Somebody wants to edit elsewhere: write everything down, then resolve. */
  leaving(): Promise<void>;
  /** Another tab edits now. */
  lost(): void;
  /** The tab that edited before has written down what it still had. */
  left(): void;
}

export type Locks = Pick<LockManager, "request">;
export type Channel = Pick<BroadcastChannel, "postMessage" | "close" | "onmessage">;

const ANSWER_MS = 2000;

export class Tab {
  held = false;

  private readonly name: string;
  private readonly world: World;
  private readonly locks: Locks | undefined;
  private readonly channel: Channel | null;
  private readonly events: TabEvents;
  private letGo: (() => void) | null = null;
  private waits: AbortController | null = null;
  private closed = false;

  constructor(
    name: string,
    world: World,
    locks: Locks | undefined,
    channel: Channel | null,
    events: TabEvents,
  ) {
    this.name = name;
    this.world = world;
    this.locks = locks;
    this.channel = channel;
    this.events = events;
    if (channel) channel.onmessage = (message) => void this.heard(message.data);
  }

  /** Whether this tab edits; if not it will when the other one lets go. */
  async enter(): Promise<boolean> {
    // Without Web Locks (plain http on another machine) revisions alone keep two tabs apart.
    if (!this.locks) return (this.held = true);
    const got = await this.attempt({ ifAvailable: true });
    if (!got) this.wait();
    return got;
  }

  /** Takes the editing over from another tab. */
  async take(): Promise<void> {
    if (this.held || this.closed) return;
    this.channel?.postMessage("let me edit");
    await new Promise<void>((resolve) => {
      const stop = this.world.later(ANSWER_MS, resolve);
      this.onHeld = () => {
        stop();
        resolve();
      };
    });
    this.onHeld = () => {};
    if (this.held || this.closed) return;
    this.waits?.abort();
    if (await this.attempt({ steal: true })) this.events.gained();
  }

  close(): void {
    this.closed = true;
    this.waits?.abort();
    this.release();
    this.channel?.close();
  }

  private onHeld: () => void = () => {};

  private wait(): void {
    this.waits = new AbortController();
    void this.attempt({ signal: this.waits.signal }).then((got) => {
      if (!got || this.closed) return;
      this.events.gained();
      this.onHeld();
    });
  }

  /** Resolves when the lock is held (true) or known not to be (false). */
  private attempt(options: LockOptions): Promise<boolean> {
    return new Promise((resolve) => {
      let mine = false;
      const over = this.locks!.request(this.name, options, (lock) => {
        mine = lock !== null && !this.closed;
        this.held = mine;
        resolve(mine);
        return mine ? new Promise<void>((letGo) => (this.letGo = letGo)) : undefined;
      });
      over.then(
        () => resolve(false),
        () => {
          // Called off while waiting, or taken away while held.
          if (mine && this.held) this.taken();
          resolve(false);
        },
      );
    });
  }

  private async heard(message: unknown): Promise<void> {
    if (message === "let me edit" && this.held) {
      await this.events.leaving();
      if (!this.held) return;
      this.release();
      this.events.lost();
      this.channel?.postMessage("left");
      if (!this.closed) this.wait();
    } else if (message === "left" && this.held) this.events.left();
  }

  private release(): void {
    this.held = false;
    this.letGo?.();
    this.letGo = null;
  }

  private taken(): void {
    this.held = false;
    this.letGo = null;
    this.events.lost();
    void this.events.leaving().then(() => {
      this.channel?.postMessage("left");
      if (!this.closed) this.wait();
    });
  }
}
