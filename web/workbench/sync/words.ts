// What sync says to people. "On this device" is only said of what is on disk.

import type { Difference, SaveState, Timeline } from "../contract.ts";

function changes(count: number): string {
  return count === 1 ? "1 change" : `${count} changes`;
}

/** The status line. */
export function saveInWords(save: SaveState, kept: "disk" | "memory"): string {
  const onDevice = (count: number) =>
    kept === "disk" ? `${changes(count)} on this device` : `${changes(count)} not saved yet`;
  const sentence = ((): string => {
    switch (save.kind) {
      case "saved":
        return "Saved";
      case "pending":
        return onDevice(save.changes);
      case "saving":
        return `Saving ${changes(save.changes)}`;
      case "offline":
        return `No connection: ${onDevice(save.changes)}`;
      case "error":
        return `${save.message} ${onDevice(save.changes)}.`;
      case "stale":
        return `Saved elsewhere meanwhile: ${
          save.differences.length === 1
            ? "1 difference"
            : `${save.differences.length} differences`
        } to decide`;
      case "lost":
        return save.state === "submitted" || save.state === "closed"
          ? "Handed in"
          : `This claim is over${save.changes > 0 ? `: ${onDevice(save.changes)}` : ". Saved"}`;
      case "elsewhere":
        return "Another tab edits this task";
    }
  })();
  return kept === "memory" ? `${sentence}. This browser keeps nothing on this device.` : sentence;
}

const FIELDS: Record<string, string> = {
  start_frame: "first frame",
  end_frame: "end",
  hands: "hands",
  action_type: "action type",
  description: "description",
  verdict: "verdict",
  reason: "reason",
  note: "note",
};

function told(value: unknown): string {
  if (value === null || value === "") return "nothing";
  return typeof value === "string" ? `“${value}”` : String(value);
}

/** One difference, so that somebody can decide: what it is about, what is there, what was here. */
export function differenceInWords(difference: Difference, timeline: Timeline): string {
  const { kind, id, field, theirs, mine, label } = difference;
  const rows = kind === "segment" ? timeline.segments : timeline.flags;
  const index = rows.findIndex((row) => row.id === id);
  const thing =
    kind === "screening"
      ? "The screening"
      : `${kind === "segment" ? "Segment" : "Flag"}${index < 0 ? "" : ` ${index + 1}`}`;
  if (field === "") {
    if (theirs === null) return `${thing} was removed elsewhere; here it was changed (${label}).`;
    if (mine === null) return `${thing} was removed here (${label}); elsewhere it was changed.`;
    return `${thing} was made here and elsewhere (${label}).`;
  }
  const name = FIELDS[field] ?? field;
  return `${thing}, ${name}: ${told(theirs)} elsewhere, ${told(mine)} here (${label}).`;
}
