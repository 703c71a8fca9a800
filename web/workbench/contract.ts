// What the parts of the workbench promise each other. Frames are integers, half-open
// [start, end); seconds exist only inside media/.

export type Hands = "none" | "left" | "right" | "both";

/** One action. `id` is the page's own (stable across edits, part of the draft). */
export interface Segment {
  id: string;
  start_frame: number;
  end_frame: number;
  hands: Hands;
  action_type: string; // "" until chosen
  description: string;
}

export type Verdict = "usable" | "usable_with_issues" | "unusable";

export interface Screening {
  verdict: Verdict | null; // null until the contractor decides
  reason: string;
  note: string;
  start_frame: number | null;
  end_frame: number | null;
}

/** A stretch that the contractor marked while working. */
export interface Flag {
  id: string;
  start_frame: number;
  end_frame: number;
  note: string;
}

/** The draft's body: what autosave stores and what comes back after any accident. */
export interface Timeline {
  version: 1;
  segments: Segment[]; // sorted by start_frame, then end_frame, then id
  screening: Screening;
  flags: Flag[];
}

/** One undoable edit, as plain JSON: journaled, replayed, inverted. Defined in model/commands.ts. */
export interface Edit {
  id: string; // idempotent operation id
  at: number; // ms, device clock; for people only
  label: string; // "Split", "Move start", …
  before: Patch;
  after: Patch;
}

/** What an edit changes: segments by id (null: not there), screening, flags. */
export interface Patch {
  segments: Record<string, Segment | null>;
  screening?: Screening;
  flags?: Record<string, Flag | null>;
}

/** media/frameTable.ts — when each frame is on screen, on the played file's clock. */
export interface FrameTable {
  readonly frameCount: number;
  /** Seconds of frame i on the media element's clock. */
  seconds(frame: number): number;
  /** Where to seek to show frame i: seconds(i) + min(1 ms, half the frame). */
  seekTarget(frame: number): number;
  /** The frame on screen at a media time: floor search, 0.5 ms tolerance, clamped. */
  frameAt(seconds: number): number;
  /** Total seconds of the file. */
  readonly duration: number;
  /** Mean frames per second: for display and for thresholds in seconds, never for positions. */
  readonly averageFps: number;
}

/** media/player.ts — the one owner of the <video> element. Signals are read by the UI. */
export interface Player {
  /** The frame on screen (exact when paused; while playing what the browser presented last). */
  readonly frame: { readonly value: number };
  readonly playing: { readonly value: boolean };
  /** -8 … 8; negative plays backwards by steps. */
  readonly rate: { readonly value: number };
  readonly state: { readonly value: "loading" | "ready" | "stalled" | "failed" };
  attach(video: HTMLVideoElement): void;
  /** Shows a frame; the latest call wins, earlier ones are dropped. Resolves when it is shown. */
  seek(frame: number): Promise<void>;
  step(frames: number): Promise<void>;
  play(): Promise<void>;
  /** Stops and snaps to the frame that is on screen. */
  pause(): Promise<void>;
  toggle(): Promise<void>;
  setRate(rate: number): void;
  /** J / K / L: each press of J or L in one direction doubles the rate. */
  shuttle(direction: -1 | 0 | 1): Promise<void>;
  /** Plays [start, end) once, or again and again until paused. */
  playRange(start: number, end: number, loop: boolean): Promise<void>;
  /** A fresh signed link to the same file; keeps the frame. */
  setSource(url: string): Promise<void>;
  dispose(): void;
}

/** sync/ — what the status line shows; `Sync.status` has it in words. */
export type SaveState =
  | { kind: "saved"; revision: number; at: number }
  | { kind: "pending"; changes: number } // "3 changes on this device"
  | { kind: "saving"; changes: number }
  | { kind: "offline"; changes: number } // tried again by itself
  /** A newer revision came in, and these could not be put onto it. Saving goes on. */
  | { kind: "stale"; changes: number; revision: number; differences: readonly Difference[] }
  | { kind: "lost"; reason: string; state: string; changes: number } // read-only, journal kept
  | { kind: "elsewhere" } // another tab edits this task
  | { kind: "error"; message: string; changes: number };

/** Something that was changed here and elsewhere to different ends. Plain JSON. */
export interface Difference {
  kind: "segment" | "flag" | "screening";
  /** Of the segment or flag; "" for the screening. */
  id: string;
  /** The field; "" when it is about the whole: removed here or there. */
  field: string;
  theirs: unknown; // what the newer revision has, and the page shows (null: removed there)
  mine: unknown; // what was set here (null: removed here)
  /** The edit that set it. */
  label: string;
}

export interface LeaseState {
  /** The server's instants as ms since 1970. `secondsLeft` counts by the server's clock. */
  expiresAt: number | null;
  ceilingAt: number;
  /** Null when over or without a lease. */
  secondsLeft: number | null;
  /** False once the server has said that the claim is over; a lease that ran out may be in grace. */
  live: boolean;
  warning: boolean; // five minutes or less
}

/** The claim as the API answers it (`LiveAssignment`), as far as sync reads it. */
export interface Claim {
  id: number;
  task: number;
  state: string;
  is_live: boolean;
  lease_expires_at: string | null;
  lease_ceiling_at: string;
  server_time: string;
  end_reason?: string;
  media: { url: string } | null;
}

/** What the app gives to sync/. */
export interface SyncOptions {
  /** The assignment as it was fetched just now. */
  claim: Claim;
  /** The contractor's id (`/me/`): two people's work on one machine stays apart. */
  person: number;
  /** Sync replaced the timeline under the page; what could not be put onto it, in words. */
  replaced(timeline: Timeline, differences: string[]): void;
  /** Whether the video plays: watching is work, too. */
  playing?(): boolean;
}

/** sync/index.ts — `openSync(options): Promise<Sync>`: the draft, the journal, the lease. */
export interface Sync {
  /** The draft with whatever this device had not sent yet. */
  readonly initial: Timeline;
  /** How many edits those were. */
  readonly replayed: number;
  readonly save: { readonly value: SaveState };
  /** `save` in words: "Saved", "3 changes on this device", … */
  readonly status: { readonly value: string };
  readonly lease: { readonly value: LeaseState };
  /** Nothing may be changed: another tab edits, or the claim is over. */
  readonly readOnly: { readonly value: boolean };
  /** "memory": this browser refuses to keep anything; `status` says so. */
  readonly kept: { readonly value: "disk" | "memory" };
  /** The heartbeat's answer: active seconds of this claim as the server measured them. */
  readonly activeSeconds: { readonly value: number };
  /** Each command, undo and redo included, right after it was applied; `timeline` is the result. */
  record(edit: Edit, timeline: Timeline): void;
  /** The edit (already recorded) that ends a difference as it was set here; null: leaves it. */
  settle(difference: Difference, choice: "mine" | "theirs"): Edit | null;
  /** A sign of life of the person; keys and clicks are seen without it. */
  activity(): void;
  /** Sends what is waiting; true once the server has everything. */
  flush(): Promise<boolean>;
  /** One key: extends the lease now. False when that failed. */
  extend(): Promise<boolean>;
  /** "Edit here" when another tab has the task. */
  takeOver(): Promise<void>;
  /** After the lease was lost: what is on this device as a file, and claiming the task again. */
  download(): void;
  reclaim(): Promise<number>; // the new assignment's id; raises Refusal
  /** The work is handed in or given back: nothing is left to send. */
  finish(): Promise<void>;
  dispose(): void;
}
