// A media element made of plain code: seeks take their time, frames are reported like a browser's.

import type { FrameTable } from "../contract.ts";

export class FakeVideo extends EventTarget {
  src = "";
  readyState = 0;
  paused = true;
  ended = false;
  seeking = false;
  playbackRate = 1;
  preservesPitch = false;
  error: { code: number } | null = null;
  /** Every position that the player asked for. */
  readonly sought: number[] = [];
  readonly loaded: string[] = [];
  refusesToPlay = false;
  private position = 0;
  private callbacks: ((now: number, shown: { mediaTime: number }) => void)[] = [];
  requestVideoFrameCallback?: (
    callback: (now: number, shown: { mediaTime: number }) => void,
  ) => number;

  constructor(private readonly table: FrameTable, { reportsFrames = true } = {}) {
    super();
    if (reportsFrames) {
      this.requestVideoFrameCallback = (callback) => this.callbacks.push(callback);
    }
  }

  get currentTime(): number {
    return this.position;
  }

  set currentTime(seconds: number) {
    this.sought.push(seconds);
    this.position = seconds;
    this.seeking = true;
    this.ended = false;
  }

  get picture(): number {
    return this.table.frameAt(this.position);
  }

  /** The browser finished the latest seek. */
  finishSeek({ report = true } = {}): void {
    if (!this.seeking) return;
    this.seeking = false;
    this.dispatchEvent(new Event("seeked"));
    if (report) this.report();
  }

  /** Finishes seeks until none is asked for. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) {
      this.finishSeek();
      await Promise.resolve();
    }
  }

  /** Plays on to a moment and reports the frame there. */
  playTo(seconds: number): void {
    this.position = seconds;
    this.dispatchEvent(new Event("timeupdate"));
    this.report();
  }

  /** What the compositor shows; browsers round to microseconds. */
  report(seconds = this.table.seconds(this.picture)): void {
    const due = this.callbacks;
    this.callbacks = [];
    for (const callback of due) callback(0, { mediaTime: Math.round(seconds * 1e6) / 1e6 });
  }

  load(): void {
    this.loaded.push(this.src);
    this.readyState = 0;
    this.error = null;
    this.paused = true;
    this.position = 0;
    this.seeking = false;
  }

  arrives(): void {
    this.readyState = 4;
    this.dispatchEvent(new Event("loadedmetadata"));
    this.dispatchEvent(new Event("loadeddata"));
    this.dispatchEvent(new Event("canplay"));
  }

  breaks(code = 2): void {
    this.error = { code };
    this.dispatchEvent(new Event("error"));
  }

  async play(): Promise<void> {
    if (this.refusesToPlay) throw new DOMException("no gesture", "NotAllowedError");
    this.paused = false;
  }

  pause(): void {
    this.paused = true;
  }

  removeAttribute(): void {
    this.src = "";
  }

  get element(): HTMLVideoElement {
    return this as unknown as HTMLVideoElement;
  }
}
