// The signed links of a claim's media: renewed before they end, and the choice between the ordinary
// proxy (480 lines) and the large one (720), which the server makes when somebody asks for it.

import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Player } from "../contract.ts";

/** `media` of `GET /api/v1/assignments/{id}/`, and all of `GET …/media/`. */
export interface Media {
  url: string;
  kind: string;
  zero_seconds: number;
  expires_at: string;
  filmstrip?: Filmstrip | null;
  peaks?: string | null;
  large?: { state: string; url: string | null } | null;
}

/** Tile n is on sheet n // (columns × rows), row by row, and shows `frames[n]`. */
export interface Filmstrip {
  tile_width: number;
  tile_height: number;
  columns: number;
  rows: number;
  frames: number[];
  sheets: string[];
}

export type Quality = "standard" | "large";

export interface MediaLinks {
  readonly media: ReadonlySignal<Media>;
  readonly quality: ReadonlySignal<Quality>;
  /** "making": asked for and not there yet; "refused": the server has nothing larger. */
  readonly large: ReadonlySignal<"none" | "making" | "ready" | "refused">;
  /** The link to play now. */
  readonly url: string;
  /** How long the first links are good, for the player's `linkSeconds`. */
  readonly seconds: number;
  /** For the player: a new link to what it plays. */
  freshLink(): Promise<string>;
  /** Changes what is played; the frame stays. Asks for the large proxy and waits for it. */
  choose(quality: Quality, player: Pick<Player, "setSource">): Promise<void>;
  dispose(): void;
}

interface Ways {
  /** GET …/media/ */
  fetch: () => Promise<Media>;
  /** POST …/media/: makes the large proxy. */
  askLarge: () => Promise<Media>;
  /** By how much the server's clock is ahead of this device's: links end by it. */
  aheadMs?: number;
}

const POLL_MS = 4000;

export function mediaLinks(first: Media, ways: Ways): MediaLinks {
  const media = signal(first);
  const quality = signal<Quality>("standard");
  const asked = signal<"no" | "yes" | "refused">("no");
  let poll: ReturnType<typeof setTimeout> | undefined;
  let over = false;

  const large = computed(() => {
    const made = media.value.large;
    if (made?.url) return "ready";
    if (asked.value === "refused" || made?.state === "failed") return "refused";
    return asked.value === "yes" ? "making" : "none";
  });

  async function renew(): Promise<Media> {
    const fresh = await ways.fetch();
    // The frames of a source that starts late are elsewhere on the proxy's clock: the page has to
    // be opened again, or every number would be wrong.
    if (Math.abs(fresh.zero_seconds - first.zero_seconds) > 1e-6) {
      throw new Error("The video's playable file was made meanwhile: open the page again.");
    }
    media.value = fresh;
    return fresh;
  }

  const current = () =>
    (quality.peek() === "large" ? media.peek().large?.url : null) ?? media.peek().url;

  async function whenMade(player: Pick<Player, "setSource">): Promise<void> {
    if (over || quality.peek() !== "large") return;
    const url = media.peek().large?.url;
    if (url) {
      await player.setSource(url);
      return;
    }
    if (large.peek() !== "making") {
      quality.value = "standard";
      return;
    }
    clearTimeout(poll);
    poll = setTimeout(() => {
      // A line that is down for a moment is asked again at the next turn.
      void renew().catch(() => undefined).then(() => whenMade(player));
    }, POLL_MS);
  }

  return {
    media, quality, large,
    get url() {
      return current();
    },
    seconds: Math.max(
      60,
      (Date.parse(first.expires_at) - Date.now() - (ways.aheadMs ?? 0)) / 1000,
    ),
    async freshLink() {
      await renew();
      return current();
    },
    async choose(wanted, player) {
      if (wanted === quality.peek()) return;
      const was = current();
      quality.value = wanted;
      if (wanted === "standard") {
        clearTimeout(poll);
        if (current() !== was) await player.setSource(current());
        return;
      }
      if (large.peek() !== "ready") {
        asked.value = "yes";
        try {
          media.value = await ways.askLarge();
        } catch {
          asked.value = "refused";
        }
      }
      await whenMade(player);
    },
    dispose() {
      over = true;
      clearTimeout(poll);
    },
  };
}
