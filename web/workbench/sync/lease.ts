// The claim's time: counted by the server's clock, kept up while somebody really works, and told
// in good time. Also the heartbeats that measure active time.

import { signal, type ReadonlySignal } from "@preact/signals";
import type { Claim, LeaseState } from "../contract.ts";
import type { Answer, Ask, World } from "./world.ts";

export interface LeaseEvents {
  /** The claim is over: what the server calls its state, and why. */
  over(state: string, reason: string): void;
}

const TICK_MS = 1000;
const RENEW_MS = 60_000;
const BEAT_MS = 30_000;
const WARNING_MS = 5 * 60_000;
const SHORTEST_WARNING_MS = 20_000;
const AGAIN_MS = 15_000; // after a look at the server that failed
const SLEPT_MS = 30_000; // timers that are this late: the machine slept, the clock was set
const WATCHING_MS = 120_000; // playing counts as work this long after the last touch

export class Lease {
  readonly state: ReadonlySignal<LeaseState>;
  /** Seconds of active work on this claim, as the server measured them. */
  readonly activeSeconds: ReadonlySignal<number>;
  /** Whether something is playing: watching is work, too. */
  isPlaying: () => boolean = () => false;

  private readonly signal = signal<LeaseState>({
    expiresAt: null,
    ceilingAt: 0,
    secondsLeft: null,
    live: true,
    warning: false,
  });
  private readonly active = signal(0);
  private readonly ask: Ask;
  private readonly world: World;
  private readonly events: LeaseEvents;

  private claim: Claim | null = null;
  /** The server's clock less this device's, in ms. */
  private offset = 0;
  private expiresAt: number | null = null;
  private ceilingAt = 0;
  /** How long the lease was when it was given. */
  private length = WARNING_MS * 2;

  private running = false;
  private stopTick: (() => void) | null = null;
  private lastTick = 0;
  private lastRenewal = 0;
  private lastBeat = 0;
  private lastTouch = 0;
  private lastLook = 0;
  private touched = false;
  private touches = 0;
  private busy: Promise<boolean> | null = null;
  private ended = false;

  constructor(ask: Ask, world: World, events: LeaseEvents) {
    this.ask = ask;
    this.world = world;
    this.events = events;
    this.state = this.signal;
    this.activeSeconds = this.active;
  }

  /** The server's instant, as ms since 1970. */
  serverNow(): number {
    return this.world.now() + this.offset;
  }

  /** Takes in what the server said about the claim; `asked` is when it was asked. */
  take(claim: Claim, asked: number): void {
    const heard = this.world.now();
    // The answer's time is from somewhere between question and answer.
    this.offset = Date.parse(claim.server_time) - (asked + heard) / 2;
    this.claim = claim;
    const expiresAt = claim.lease_expires_at === null ? null : Date.parse(claim.lease_expires_at);
    // What is left when the page opens says nothing about how long it was.
    if (expiresAt !== null && this.expiresAt !== null && expiresAt > this.expiresAt)
      this.length = Math.max(0, expiresAt - this.serverNow());
    this.expiresAt = expiresAt;
    this.ceilingAt = Date.parse(claim.lease_ceiling_at);
    if (!claim.is_live && !this.ended) this.end(claim.state, claim.end_reason ?? "");
    this.publish();
  }

  /** Starts to count, to renew and to tell that somebody works. */
  start(): void {
    if (this.running) return;
    this.running = true;
    this.lastTick = this.lastRenewal = this.lastBeat = this.world.now();
    this.tick();
  }

  stop(): void {
    this.running = false;
    this.stopTick?.();
    this.stopTick = null;
  }

  /** Somebody did something: pressed a key, clicked, scrolled. */
  activity(): void {
    this.touched = true;
    this.touches += 1;
    this.lastTouch = this.world.now();
  }

  /** The page is looked at again; its timers may have slept. */
  visible(): void {
    if (!this.running) return;
    this.activity();
    void this.renew();
  }

  /** Extends the lease now. Resolves to whether it worked. */
  extend(): Promise<boolean> {
    this.activity();
    return this.renew();
  }

  /** Asks the server how things stand. Resolves to whether it said. */
  async look(): Promise<boolean> {
    if (!this.claim) return false;
    this.lastLook = this.world.now();
    return this.inquire({ method: "GET", path: `/assignments/${this.claim.id}/` });
  }

  private tick(): void {
    if (!this.running) return;
    const now = this.world.now();
    const late = Math.abs(now - this.lastTick - TICK_MS) > SLEPT_MS;
    this.lastTick = now;
    if (this.touches === 0 && this.isPlaying() && now - this.lastTouch < WATCHING_MS) {
      this.touched = true;
      this.touches += 1;
    }
    this.stopTick = this.world.later(TICK_MS, () => this.tick());
    this.publish();
    if (this.ended) return;
    if (now - this.lastBeat >= BEAT_MS) void this.beat();
    const atCeiling = this.expiresAt !== null && this.expiresAt >= this.ceilingAt;
    const isRework = this.claim?.state === "rework"; // a deadline; renewing changes nothing
    if (this.touched && !atCeiling && !isRework && now - this.lastRenewal >= RENEW_MS)
      void this.renew();
    const isOver = this.expiresAt !== null && this.serverNow() >= this.expiresAt;
    if ((late || isOver) && now - this.lastLook >= AGAIN_MS) void this.look();
  }

  private async renew(): Promise<boolean> {
    if (!this.claim || this.ended) return false;
    this.lastRenewal = this.world.now();
    this.touched = false;
    return this.inquire({ method: "POST", path: `/assignments/${this.claim.id}/renew/` });
  }

  private inquire(question: { method: "GET" | "POST"; path: string }): Promise<boolean> {
    this.busy ??= this.question(question).finally(() => (this.busy = null));
    return this.busy;
  }

  private async question(question: { method: "GET" | "POST"; path: string }): Promise<boolean> {
    const asked = this.world.now();
    let answer: Answer;
    try {
      answer = await this.ask(question);
    } catch {
      return false; // the next tick asks again; the countdown goes on
    }
    if (answer.status === 200) {
      this.take(answer.body as Claim, asked);
      return true;
    }
    // A refusal may be about the ceiling only: the claim itself says whether it is over.
    if (answer.status === 409 && question.method === "POST") {
      this.lastLook = this.world.now();
      await this.question({ method: "GET", path: `/assignments/${this.claim!.id}/` });
    }
    return false;
  }

  private async beat(): Promise<void> {
    this.lastBeat = this.world.now();
    const events = this.touches;
    if (events === 0 || !this.claim) return;
    this.touches = 0;
    try {
      const answer = await this.ask({
        method: "POST",
        path: `/assignments/${this.claim.id}/heartbeat/`,
        body: { events: Math.min(events, 1000) },
      });
      const seconds = (answer.body as { active_seconds?: unknown } | null)?.active_seconds;
      if (answer.status === 200 && typeof seconds === "number") this.active.value = seconds;
      if (answer.status === 409) void this.look();
    } catch {
      this.touches += events; // told with the next one
    }
  }

  private end(state: string, reason: string): void {
    this.ended = true;
    this.events.over(state, reason);
  }

  private publish(): void {
    const left = this.expiresAt === null ? null : this.expiresAt - this.serverNow();
    const warnFor = Math.max(SHORTEST_WARNING_MS, Math.min(WARNING_MS, this.length / 2));
    const live = !this.ended;
    this.signal.value = {
      expiresAt: this.expiresAt,
      ceilingAt: this.ceilingAt,
      secondsLeft: left === null || left <= 0 ? null : Math.ceil(left / 1000),
      live,
      warning: live && left !== null && left <= warnFor,
    };
  }
}
