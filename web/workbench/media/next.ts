// The task that comes next: the other claim in hand whose time ends first, as on the home page. Its
// first seconds are loaded while this one is worked on, so that it opens with a picture. What is not
// claimed is not loaded: who may see a video is decided by claiming it.

import { effect, signal, type ReadonlySignal } from "@preact/signals";
import type { Player } from "../contract.ts";
import type { Media } from "./links.ts";

export interface NextClaim {
  id: number;
  task: number;
  lease_expires_at: string | null;
}

/** How much of the next video is loaded. */
export const FIRST_SECONDS = 5;
/** A link that ends sooner is not kept: the page would soon need another. */
const LEAST_LEFT_MS = 15 * 60_000;
const SHELF = "workbench-next";

interface Ways {
  /** Every live claim of this person. */
  claims: () => Promise<readonly NextClaim[]>;
  /** Links to the media of a claim. */
  media: (claim: number) => Promise<Media>;
  /** Loads the beginning of a video; resolves to whether it is there. */
  load?: (url: string, seconds: number, signal: AbortSignal) => Promise<boolean>;
  /** By how much the server's clock is ahead of this device's. */
  aheadMs?: number;
  shelf?: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null;
}

export class NextTask {
  /** The claim that comes next; null when none is held. */
  readonly claim: ReadonlySignal<NextClaim | null>;
  /** Whose first seconds are here: the id of its claim. */
  readonly loaded: ReadonlySignal<number | null>;
  private readonly next = signal<NextClaim | null>(null);
  private readonly there = signal<number | null>(null);
  private readonly here: number;
  private readonly ways: Ways;
  private running: AbortController | null = null;

  /** `here`: the claim that is worked on. */
  constructor(here: number, ways: Ways) {
    this.here = here;
    this.ways = ways;
    this.claim = this.next;
    this.loaded = this.there;
  }

  /** Looks which task comes next, and loads its beginning unless that is done or under way. */
  async look(): Promise<void> {
    if (this.running) return;
    const run = (this.running = new AbortController());
    try {
      const next = following(await this.ways.claims(), this.here);
      this.next.value = next;
      if (!next || run.signal.aborted || this.isKept(next.id)) return;
      const media = await this.ways.media(next.id);
      if (run.signal.aborted) return;
      const load = this.ways.load ?? loadBeginning;
      if (!(await load(media.url, FIRST_SECONDS, run.signal))) return;
      keep(this.shelf, next.id, media);
      this.there.value = next.id;
    } catch {
      // A line that is down: this is for speed only, and is tried again at the next occasion.
    } finally {
      if (this.running === run) this.running = null;
    }
  }

  /** Leaves the line to the video that is worked on. */
  stop(): void {
    this.running?.abort();
    this.running = null;
  }

  /**
   * Looks once this task's own picture is there, and again when somebody comes back to the tab (they
   * may have claimed one meanwhile); steps aside while its video waits for data. Returns the clean-up.
   */
  watch(player: Pick<Player, "state">): () => void {
    const unfollow = effect(() => {
      if (player.state.value === "ready") void this.look();
      else this.stop();
    });
    const back = (): void => {
      if (document.visibilityState === "visible" && player.state.value === "ready") void this.look();
    };
    document.addEventListener("visibilitychange", back);
    return () => {
      unfollow();
      document.removeEventListener("visibilitychange", back);
      this.stop();
    };
  }

  private get shelf() {
    return this.ways.shelf === undefined ? ownShelf() : this.ways.shelf;
  }

  private isKept(claim: number): boolean {
    const now = Date.now() + (this.ways.aheadMs ?? 0);
    return this.there.peek() === claim && kept(this.shelf, claim, now) !== null;
  }
}

/** The other claim whose time ends first. */
export function following(claims: readonly NextClaim[], here: number): NextClaim | null {
  const ends = ({ lease_expires_at: at }: NextClaim): number => (at === null ? Infinity : Date.parse(at));
  const others = claims.filter((claim) => claim.id !== here);
  return others.sort((a, b) => ends(a) - ends(b) || a.id - b.id)[0] ?? null;
}

/**
 * The links of a claim with the one under which its beginning was loaded, where it shows the same
 * file and works long enough. `now` is the server's, in ms since 1970.
 */
export function withLoaded<M extends Media>(
  claim: number,
  fresh: M,
  now: number,
  shelf = ownShelf(),
): M {
  const media = kept(shelf, claim, now);
  try {
    shelf?.removeItem(SHELF);
  } catch {
    // Refused: then nothing was kept either.
  }
  if (media?.kind !== fresh.kind || media.zero_seconds !== fresh.zero_seconds) return fresh;
  return { ...fresh, url: media.url, expires_at: media.expires_at };
}

type Kept = Pick<Media, "url" | "kind" | "zero_seconds" | "expires_at">;

function keep(shelf: Ways["shelf"], claim: number, media: Media): void {
  const { url, kind, zero_seconds, expires_at } = media;
  try {
    shelf?.setItem(SHELF, JSON.stringify({ claim, url, kind, zero_seconds, expires_at }));
  } catch {
    // Refused or full: the next page asks for a link of its own, and loads from it.
  }
}

function kept(shelf: Ways["shelf"], claim: number, now: number): Kept | null {
  try {
    const found = JSON.parse(shelf?.getItem(SHELF) ?? "null") as (Kept & { claim: number }) | null;
    return found?.claim === claim && Date.parse(found.expires_at) - now > LEAST_LEFT_MS ? found : null;
  } catch {
    return null;
  }
}

/** This tab's own storage: a link is for who works in it now, and gone with it. */
function ownShelf(): Ways["shelf"] {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}

/**
 * The browser keeps what a media element has loaded, by its link. An element and not a fetch, because
 * it knows seconds, stops in time, and needs no permission from the storage's origin.
 */
function loadBeginning(url: string, seconds: number, signal: AbortSignal): Promise<boolean> {
  const { connection } = navigator as { connection?: { saveData?: boolean } };
  if (connection?.saveData) return Promise.resolve(false); // the person pays for every byte
  return new Promise((done) => {
    const video = document.createElement("video");
    const end = (is: boolean): void => {
      for (const name of LOADING) video.removeEventListener(name, look);
      signal.removeEventListener("abort", off);
      video.removeAttribute("src");
      video.load(); // lets go of its connection
      done(is);
    };
    const off = (): void => end(false);
    const look = ({ type }: Event): void => {
      if (video.error) return off();
      const { buffered, duration } = video;
      const wanted = Math.min(seconds, (duration || Infinity) - 0.1);
      // A browser that stops by itself has what it thinks enough.
      if (buffered.length > 0 && (buffered.end(0) >= wanted || type === "suspend")) end(true);
    };
    for (const name of LOADING) video.addEventListener(name, look);
    signal.addEventListener("abort", off);
    video.muted = true;
    video.preload = "auto";
    video.src = url;
  });
}

const LOADING = ["loadeddata", "progress", "canplay", "canplaythrough", "suspend", "error"];
