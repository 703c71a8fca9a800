// Which frames the timeline shows.

import { effect, signal, untracked, type Signal } from "@preact/signals";
import type { Player } from "../contract.ts";

export class TimelineView {
  /** The first frame on the left, and how many fit. */
  readonly range: Signal<{ first: number; count: number }>;
  /** How many columns the canvas has; set by it. */
  readonly columns = signal(1000);
  private readonly player: Player;
  private readonly frameCount: number;

  constructor(player: Player, frameCount: number) {
    this.player = player;
    this.frameCount = frameCount;
    this.range = signal({ first: 0, count: frameCount });
  }

  /** Zooms so that `frame` stays where it is. */
  zoom(factor: number, around = this.player.frame.value): void {
    const { first, count } = this.range.value;
    const least = Math.min(this.frameCount, 16);
    const next = Math.max(least, Math.min(this.frameCount, Math.round(count * factor)));
    const share = count > 0 ? (around - first) / count : 0.5;
    this.look(Math.round(around - Math.max(0, Math.min(1, share)) * next), next);
  }

  look(first: number, count = this.range.value.count): void {
    this.range.value = {
      first: Math.max(0, Math.min(this.frameCount - count, Math.round(first))),
      count,
    };
  }

  /** The whole video, or one frame a column around the playhead. */
  fit(): void {
    if (this.range.value.count < this.frameCount) this.look(0, this.frameCount);
    else this.frames();
  }

  frames(): void {
    const count = Math.max(16, Math.min(this.frameCount, Math.floor(this.columns.value)));
    this.look(this.player.frame.value - count / 2, count);
  }

  /** Keeps the playhead on the timeline; returns the clean-up. */
  follow(): () => void {
    return effect(() => {
      const frame = this.player.frame.value;
      const { first, count } = this.range.peek();
      if (count >= this.frameCount || (frame >= first && frame < first + count)) return;
      this.look(untracked(() => this.player.playing.value) ? frame - count * 0.1 : frame - count / 2, count);
    });
  }
}
