// The state of the page and what a button can do to it. Components read its signals; only this file
// changes the timeline.

import { computed, signal, type Signal } from "@preact/signals";
import type {
  Difference,
  Edit,
  Flag,
  FrameTable,
  Hands,
  Screening,
  Segment,
  Sync,
  Timeline,
  Verdict,
} from "../contract.ts";
import type { ActionType, Assignment, Brief, Located } from "../api/client.ts";
import type { MediaLinks } from "../media/links.ts";
import type { NextTask } from "../media/next.ts";
import type { MediaPlayer } from "../media/player.ts";
import type { Action, Keymap } from "../keys/keymap.ts";
import { keyName, loadKeymap, storeKeymap } from "../keys/keymap.ts";
import * as commands from "../model/commands.ts";
import { Refused, type Edge, type Outcome } from "../model/commands.ts";
import { checkSegments, warnSegments, type Problem as Finding } from "../model/lint.ts";
import { countStartingBy, coveredFrames, find, indexOf, segmentsAt } from "../model/segments.ts";
import { HandIn } from "./handIn.ts";
import { loadSettings, storeSettings, type Settings } from "./settings.ts";
import { TimelineView } from "./view.ts";
import { t } from "./words.ts";

export type Dialog = null | "help" | "submit" | "return" | "goTo";
export type Ended = null | { kind: "submitted"; segments: number } | { kind: "returned" };

export interface Parts {
  assignment: Assignment;
  brief: Brief;
  person: number;
  home: string;
  table: FrameTable;
  links: MediaLinks | null;
  player: MediaPlayer;
  sync: Sync;
  next: NextTask;
}

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3] as const;

export class Workbench {
  readonly assignment: Assignment;
  readonly brief: Brief;
  readonly person: number;
  readonly home: string;
  readonly table: FrameTable;
  readonly links: MediaLinks | null;
  readonly player: MediaPlayer;
  readonly sync: Sync;
  /** What is worked on after this, and its first seconds. */
  readonly next: NextTask;
  readonly types: readonly ActionType[];
  private readonly typeIndex: ReadonlyMap<string, number>;

  readonly timeline: Signal<Timeline>;
  readonly selected = signal<string | null>(null);
  readonly edge = signal<Edge>("end");
  readonly hands = signal<Hands>("right");
  readonly dialog = signal<Dialog>(null);
  readonly guidelineOpen = signal(false);
  readonly comparing = signal(false);
  readonly changingVerdict = signal(false);
  readonly message = signal<{ text: string; bad: boolean } | null>(null);
  readonly banner = signal<string | null>(null);
  readonly ended = signal<Ended>(null);
  readonly settings: Signal<Settings>;
  readonly keymap: Signal<Keymap>;
  readonly history = signal({ past: 0, future: 0 });
  readonly view: TimelineView;
  /** Asks a part of the page to take the focus: "description", "flag:ID", "type". */
  readonly focus = signal<{ on: string; n: number }>({ on: "", n: 0 });

  /** The last request for focus that was met: a field that is made anew must not meet it again. */
  focusTaken = 0;

  readonly handIn = new HandIn(this);
  private readonly past = new commands.History();

  constructor(parts: Parts) {
    this.assignment = parts.assignment;
    this.brief = parts.brief;
    this.person = parts.person;
    this.home = parts.home;
    this.table = parts.table;
    this.links = parts.links;
    this.player = parts.player;
    this.sync = parts.sync;
    this.next = parts.next;
    this.types = parts.assignment.action_types as ActionType[];
    this.typeIndex = new Map(this.types.map((type, i) => [type.key, i]));
    this.timeline = signal(parts.sync.initial);
    this.keymap = signal(loadKeymap(this.person));
    this.settings = signal(loadSettings(this.person));
    this.view = new TimelineView(this.player, this.frameCount);
    const last = parts.sync.initial.segments.at(-1);
    if (last) this.hands.value = last.hands;
  }

  get frameCount(): number {
    return this.table.frameCount;
  }

  readonly readOnly = computed(() => {
    if (!this.assignment.is_live) return "ended" as const;
    if (!this.sync.readOnly.value) return null;
    return this.sync.save.value.kind === "elsewhere" ? ("elsewhere" as const) : ("lost" as const);
  });

  readonly chosen = computed<Segment | null>(() =>
    find(this.timeline.value.segments, this.selected.value),
  );

  readonly chosenIndex = computed(() =>
    indexOf(this.timeline.value.segments, this.selected.value),
  );

  readonly errors = computed<Finding[]>(() =>
    checkSegments(this.timeline.value.segments, this.frameCount, new Set(this.typeIndex.keys())),
  );

  readonly warnings = computed<Finding[]>(() =>
    warnSegments(
      this.timeline.value.segments,
      this.frameCount,
      Math.max(2, Math.round(this.table.averageFps)),
      Math.max(2, Math.round(this.table.averageFps / 5)),
    ),
  );

  /** By segment index, the worst first. */
  readonly findings = computed(() => {
    const map = new Map<number, Finding[]>();
    for (const finding of [...this.errors.value, ...this.warnings.value]) {
      const there = map.get(finding.index);
      if (there) there.push(finding);
      else map.set(finding.index, [finding]);
    }
    return map;
  });

  readonly percent = computed(() =>
    Math.floor((100 * coveredFrames(this.timeline.value.segments)) / this.frameCount),
  );

  /** Where in the list of the project's types; -1 for none or one that it does not have. */
  typeNumber(key: string): number {
    return this.typeIndex.get(key) ?? -1;
  }

  typeName(key: string): string {
    return this.types[this.typeNumber(key)]?.label ?? (key || t("noType"));
  }

  keyOf(action: Action): string {
    const keys = this.keymap.value.keysOf(action)[0];
    return keys ? keyName(keys) : "";
  }

  say(text: string, bad = false): void {
    this.message.value = { text, bad };
  }

  askFocus(on: string): void {
    this.focus.value = { on, n: this.focus.value.n + 1 };
  }

  /** Without a chosen segment there is no such field, and none may take the focus later on. */
  askSegment(field: string): void {
    if (this.chosen.value) this.askFocus(field);
    else this.say(t("noSegment"), true);
  }

  // --- editing -------------------------------------------------------------------------------

  private put(edit: Edit): void {
    this.timeline.value = commands.apply(this.timeline.value, edit.after);
    this.sync.record(edit, this.timeline.value);
    this.history.value = this.past.depth;
  }

  /** Carries out a command; a refusal is told and changes nothing. */
  do(command: (timeline: Timeline) => Outcome): boolean {
    if (this.readOnly.value !== null) {
      this.say(t("readOnlyNow"), true);
      return false;
    }
    try {
      const outcome = command(this.timeline.value);
      this.past.did(outcome.edit);
      this.put(outcome.edit);
      if (outcome.select !== undefined) this.selected.value = outcome.select;
      this.say(outcome.note ?? outcome.edit.label);
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.say(error.message, true);
      return false;
    }
  }

  undo(): void {
    this.travel(this.past.undo(), "undid", "nothingToUndo");
  }

  redo(): void {
    this.travel(this.past.redo(), "redid", "nothingToRedo");
  }

  private travel(edit: Edit | null, done: "undid" | "redid", none: "nothingToUndo" | "nothingToRedo"): void {
    if (this.readOnly.value !== null) return this.say(t("readOnlyNow"), true);
    if (!edit) return this.say(t(none), true);
    this.put(edit);
    // Show what came back.
    const back = Object.entries(edit.after.segments).find(([, segment]) => segment !== null);
    if (back) this.selected.value = back[0];
    else if (!this.chosen.value) this.selected.value = null;
    this.say(t(done, { label: edit.label }));
  }

  /** Ends a difference between this device's work and what was saved elsewhere. */
  settle(difference: Difference, choice: "mine" | "theirs"): void {
    const edit = this.sync.settle(difference, choice);
    if (!edit) return; // recorded by sync already, so it is only applied here
    this.past.did(edit);
    this.timeline.value = commands.apply(this.timeline.value, edit.after);
    this.history.value = this.past.depth;
  }

  /** Another tab or device had newer work; it is joined already. */
  replaced(timeline: Timeline, differences: string[]): void {
    this.timeline.value = timeline;
    if (!this.chosen.value) this.selected.value = null;
    this.banner.value = [t("replaced"), ...differences].join(" ");
  }

  /** The frame that a cut made now means: during playback the person reacts a little late. */
  frameOfCut(): number {
    const shown = this.player.frame.value;
    const lag = this.settings.value.lagMs;
    if (!this.player.playing.value || lag === 0) return shown;
    return this.table.frameAt(Math.max(0, this.table.seconds(shown) - lag / 1000));
  }

  split(): void {
    const frame = this.frameOfCut();
    this.do((tl) => commands.split(tl, this.selected.value, frame, this.hands.value, this.frameCount));
  }

  /** A segment here for the last used hand, else for one that is free. */
  add(): void {
    const frame = this.frameOfCut();
    const here = segmentsAt(this.timeline.value.segments, frame);
    const busy = new Set(here.flatMap((s) => (s.hands === "both" ? ["left", "right", "both"] : [s.hands])));
    if (busy.has("left") || busy.has("right")) busy.add("both");
    const free = ([this.hands.value, "right", "left", "none"] as const).find((h) => !busy.has(h));
    this.do((tl) => commands.add(tl, frame, free ?? this.hands.value, this.frameCount));
  }

  setStart(): void {
    const frame = this.frameOfCut();
    const segment = this.chosen.value;
    if (!segment || frame >= segment.end_frame) return this.add();
    this.moveEdge("start", frame);
  }

  setEnd(): void {
    this.moveEdge("end", this.frameOfCut() + 1);
  }

  /** `frame`: a start is the first frame, an end the first frame after. */
  moveEdge(edge: Edge, frame: number): boolean {
    return this.do((tl) =>
      commands.moveEdge(tl, this.selected.value, edge, frame, this.frameCount, this.settings.value.together),
    );
  }

  nudge(frames: number): void {
    const segment = this.chosen.value;
    if (!segment) return this.say(t("noSegment"), true);
    const edge = this.edge.value;
    const at = edge === "start" ? segment.start_frame : segment.end_frame;
    if (this.moveEdge(edge, at + frames)) this.showEdge();
  }

  /** Seeks to the frame that the chosen edge is about: the first, or the last one inside. */
  showEdge(): void {
    const segment = this.chosen.value;
    if (segment)
      void this.seek(this.edge.value === "start" ? segment.start_frame : segment.end_frame - 1);
  }

  label(fields: Parameters<typeof commands.label>[2]): boolean {
    if (fields.hands) {
      if (!this.chosen.value) {
        this.hands.value = fields.hands;
        this.say(t(fields.hands));
        return true;
      }
    }
    const same = this.chosen.value;
    if (same && Object.entries(fields).every(([k, v]) => same[k as keyof Segment] === v)) return true;
    const done = this.do((tl) => commands.label(tl, this.selected.value, fields));
    if (done && fields.hands) this.hands.value = fields.hands;
    return done;
  }

  /** The words of one segment, which need not be the chosen one any more. */
  describe(id: string, description: string): void {
    this.do((tl) => commands.label(tl, id, { description }));
  }

  screen(fields: Partial<Screening>): void {
    const next = { ...this.timeline.value.screening, ...fields };
    if (next.verdict === "usable") {
      next.reason = "";
      next.start_frame = next.end_frame = null;
    }
    if (JSON.stringify(next) !== JSON.stringify(this.timeline.value.screening))
      this.do((tl) => commands.screen(tl, next));
  }

  flag(): void {
    const segment = this.chosen.value;
    const frame = this.player.frame.value;
    const [start, end] = segment
      ? [segment.start_frame, segment.end_frame]
      : [frame, Math.min(this.frameCount, frame + Math.round(this.table.averageFps))];
    let made: Flag | null = null;
    this.do((tl) => {
      const outcome = commands.flag(tl, start, end);
      made = outcome.flag;
      return outcome;
    });
    if (made) this.askFocus(`flag:${(made as Flag).id}`);
  }

  reflag(id: string, fields: Partial<Omit<Flag, "id">>): void {
    this.do((tl) => commands.reflag(tl, id, fields, this.frameCount));
  }

  unflag(id: string): void {
    this.do((tl) => commands.unflag(tl, id));
  }

  // --- moving around -------------------------------------------------------------------------

  async seek(frame: number): Promise<void> {
    await this.player.seek(Math.max(0, Math.min(this.frameCount - 1, frame)));
  }

  select(id: string | null, seek = true): void {
    this.selected.value = id;
    const segment = this.chosen.value;
    if (!segment) return;
    this.hands.value = segment.hands;
    if (seek) void this.seek(segment.start_frame);
    this.say(
      t("chosen", {
        n: this.chosenIndex.value + 1,
        what: `${this.typeName(segment.action_type)}. ${segment.description}`,
      }),
    );
  }

  /** The neighbour of the chosen segment, or of the playhead when none is chosen. */
  walk(by: -1 | 1): void {
    const { segments } = this.timeline.value;
    if (segments.length === 0) return;
    const index = this.chosenIndex.value;
    const last = segments.length - 1;
    let next = index + by;
    if (index < 0) {
      const frame = this.player.frame.value;
      next = by > 0 ? segments.findIndex((s) => s.start_frame >= frame) : countStartingBy(segments, frame) - 1;
      if (by > 0 && next < 0) next = last;
    }
    const to = segments[Math.max(0, Math.min(last, next))]!;
    this.select(to.id);
  }

  /** The next place to mend after the chosen segment, errors and warnings alike, round and round. */
  nextProblem(): void {
    const all = [...this.errors.value, ...this.warnings.value].sort((a, b) => a.index - b.index);
    const blocker = this.handIn.blockers.value[0];
    if (all.length === 0) return this.say(blocker ?? t("noMoreProblems"), Boolean(blocker));
    const here = this.chosenIndex.value;
    const at = this.lastProblem && all.findIndex((p) => p.detail === this.lastProblem);
    const again = typeof at === "number" && at >= 0 && all[at]!.index === here;
    const next = again
      ? all[(at + 1) % all.length]!
      : (all.find((p) => p.index > here) ?? all[0]!);
    this.lastProblem = next.detail;
    this.goTo(next);
  }

  private lastProblem = "";

  goTo(finding: {
    index: number;
    frame: number | null;
    detail: string;
    field?: string;
    severity?: Finding["severity"];
  }): void {
    const segment = this.timeline.value.segments[finding.index];
    if (segment) this.select(segment.id, finding.frame === null);
    if (finding.frame !== null) void this.seek(finding.frame);
    if (finding.field === "start_frame") this.edge.value = "start";
    if (finding.field === "end_frame") this.edge.value = "end";
    this.say(finding.detail, finding.severity !== "warning");
  }

  speed(by: -1 | 1): void {
    const now = Math.abs(this.player.rate.value) || 1;
    const at = SPEEDS.findIndex((speed) => speed >= now);
    this.player.setRate(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (at < 0 ? 3 : at) + by))]!);
  }

  playEdge(): void {
    const segment = this.chosen.value;
    if (!segment) return this.say(t("noSegment"), true);
    const at = this.edge.value === "start" ? segment.start_frame : segment.end_frame;
    const around = Math.max(2, Math.round(this.table.averageFps));
    void this.player.playRange(Math.max(0, at - around), Math.min(this.frameCount, at + around), false);
  }

  loop(): void {
    const segment = this.chosen.value;
    if (this.player.playing.value) void this.player.pause();
    else if (!segment) this.say(t("noSegment"), true);
    else void this.player.playRange(segment.start_frame, segment.end_frame, true);
  }

  /** Goes to the place that the server refused. */
  goToRefusal(located: Located): void {
    this.dialog.value = null;
    this.goTo({
      index: (located.segment ?? 0) - 1,
      frame: located.frame ?? null,
      detail: located.detail,
      field: located.pointer?.split("/").at(-1) ?? "",
    });
  }

  open(dialog: Dialog): void {
    this.handIn.refusals.value = null;
    if (dialog !== null) void this.player.pause();
    this.dialog.value = dialog;
  }

  // --- settings ------------------------------------------------------------------------------

  set(settings: Partial<Settings>): void {
    this.settings.value = { ...this.settings.value, ...settings };
    storeSettings(this.person, this.settings.value);
  }

  setKeymap(keymap: Keymap): void {
    storeKeymap(this.person, keymap);
    this.keymap.value = keymap;
  }

  // --- what is asked next --------------------------------------------------------------------

  /** What is wrong is asked next; a usable video needs no reason. */
  askReason(verdict: Verdict): void {
    this.changingVerdict.value = verdict !== "usable";
    if (verdict !== "usable") this.askFocus("reason");
  }

  /** The next segment, ready to be described. */
  saveNext(): void {
    const active = document.activeElement;
    if (active instanceof HTMLElement) active.blur(); // what was typed becomes an edit
    this.walk(1);
    this.askSegment("description");
  }
}
