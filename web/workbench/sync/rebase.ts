// Work that was done on one revision, put onto a newer one. Pure.
//
// An edit says what it changed field by field: where the newer revision still has what the edit
// found, the edit applies; where it has what the edit left, there is nothing to do; where it has
// a third thing, the newer one stays and the difference is kept for the person to decide.

import type { Difference, Edit, Flag, Patch, Screening, Segment, Timeline } from "../contract.ts";
import { apply } from "../model/commands.ts";

type Row = Segment | Flag;
type Kind = Difference["kind"];

export interface Rebased {
  timeline: Timeline;
  /** One for each given edit, in the same order, saying what it changes now (maybe nothing). */
  edits: Edit[];
  differences: Difference[];
}

export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => key in right && same(left[key], right[key]))
  );
}

export function nameOf(difference: Pick<Difference, "kind" | "id" | "field">): string {
  return `${difference.kind} ${difference.id} ${difference.field}`;
}

/** The edits, one after the other, on a timeline that they were not made on. */
export function rebase(base: Timeline, edits: readonly Edit[]): Rebased {
  let timeline = base;
  const open = new Map<string, Difference>();
  const rewritten = edits.map((edit) => {
    const before: Patch = { segments: {} };
    const after: Patch = { segments: {} };
    const merge = merger(open, edit.label);
    for (const [id, mine] of Object.entries(edit.after.segments)) {
      const now = timeline.segments.find((segment) => segment.id === id) ?? null;
      const next = merge("segment", id, now, edit.before.segments[id] ?? null, mine);
      if (same(now, next)) continue;
      before.segments[id] = now;
      after.segments[id] = next as Segment | null;
    }
    for (const [id, mine] of Object.entries(edit.after.flags ?? {})) {
      const now = timeline.flags.find((flag) => flag.id === id) ?? null;
      const next = merge("flag", id, now, edit.before.flags?.[id] ?? null, mine);
      if (same(now, next)) continue;
      (before.flags ??= {})[id] = now;
      (after.flags ??= {})[id] = next as Flag | null;
    }
    if (edit.after.screening) {
      const now = timeline.screening;
      const was = edit.before.screening ?? now;
      const next = merge("screening", "", now, was, edit.after.screening) as Screening;
      if (!same(now, next)) [before.screening, after.screening] = [now, next];
    }
    timeline = apply(timeline, after);
    return { ...edit, before, after };
  });
  return { timeline, edits: rewritten, differences: [...open.values()] };
}

function merger(open: Map<string, Difference>, label: string) {
  const close = (kind: Kind, id: string) => {
    for (const [name, difference] of open)
      if (difference.kind === kind && difference.id === id) open.delete(name);
  };
  const differ = (difference: Difference) => open.set(nameOf(difference), difference);

  return <T extends Row | Screening>(
    kind: Kind,
    id: string,
    now: T | null,
    was: T | null,
    mine: T | null,
  ): T | null => {
    if (same(now, mine)) {
      close(kind, id);
      return now;
    }
    if (same(now, was)) {
      close(kind, id);
      return mine;
    }
    if (now === null || was === null || mine === null) {
      close(kind, id); // one difference about the whole says it all
      differ({ kind, id, field: "", theirs: now, mine, label });
      return now;
    }
    const next: Record<string, unknown> = { ...now };
    const [there, had, here] = [now, was, mine] as unknown as Record<string, unknown>[];
    for (const field of Object.keys(here!)) {
      const value = here![field];
      if (same(had![field], value)) continue; // this edit left it alone
      const name = nameOf({ kind, id, field });
      if (same(there![field], value)) open.delete(name);
      else if (same(there![field], had![field])) {
        next[field] = value;
        open.delete(name);
      } else differ({ kind, id, field, theirs: there![field], mine: value, label });
    }
    return next as unknown as T;
  };
}

/** What must change for a difference to end as it was set here; null when it can't any more. */
export function takingMine(timeline: Timeline, difference: Difference): [Patch, Patch] | null {
  const { kind, id, field, mine } = difference;
  if (kind === "screening") {
    const now = timeline.screening;
    return [
      { segments: {}, screening: now },
      { segments: {}, screening: { ...now, [field]: mine } as Screening },
    ];
  }
  const rows: Row[] = kind === "segment" ? timeline.segments : timeline.flags;
  const now = rows.find((row) => row.id === id) ?? null;
  if (field !== "" && now === null) return null;
  const next = field === "" ? (mine as Row | null) : { ...now, [field]: mine };
  const patch = (row: unknown): Patch =>
    kind === "segment"
      ? { segments: { [id]: row as Segment | null } }
      : { segments: {}, flags: { [id]: row as Flag | null } };
  return [patch(now), patch(next)];
}
