// Between the timeline on the page, the draft's body on the server, and what is handed in.

import type { Flag, Hands, Screening, Segment, Timeline, Verdict } from "../contract.ts";
import type { components } from "../api/schema.d.ts";
import { EMPTY, newId } from "./commands.ts";
import { inOrder, LANES } from "./segments.ts";

export type SubmissionInput = components["schemas"]["SubmissionInputRequest"];
type Reason = NonNullable<SubmissionInput["screening"]["reason"]>;

const VERDICTS: readonly unknown[] = ["usable", "usable_with_issues", "unusable"];
const NOTE_LIMIT = 1000;

/** A draft's body as a timeline. Whatever another client left out gets the empty value. */
export function fromBody(body: unknown): Timeline {
  if (!isRecord(body)) return EMPTY;
  return {
    version: 1,
    segments: list(body["segments"]).map(readSegment).sort(inOrder),
    screening: readScreening(body["screening"]),
    flags: list(body["flags"]).map(readFlag),
  };
}

/** What the server takes on submission, in the order of the list on the page. */
export function toSubmission(timeline: Timeline): SubmissionInput {
  const { verdict, reason, start_frame, end_frame } = timeline.screening;
  const note = fullNote(timeline);
  const range = rangeOf(timeline, start_frame, end_frame);
  const told = verdict !== "usable";
  return {
    screening: {
      verdict: verdict ?? "usable",
      ...(told && reason ? { reason: reason as Reason } : {}),
      ...(note ? { note } : {}),
      ...(told && range ? { start_frame: range[0], end_frame: range[1] } : {}),
    },
    segments:
      verdict === "unusable"
        ? []
        : timeline.segments.map(({ id: _, ...segment }) => ({
            ...segment,
            description: segment.description.trim(),
          })),
  };
}

/** The note with one line per flag: flags travel with the screening. */
export function fullNote(timeline: Timeline): string {
  const lines = timeline.flags.map(
    (flag) =>
      `Frames ${flag.start_frame}–${flag.end_frame - 1}${flag.note ? `: ${flag.note}` : ""}`,
  );
  return [timeline.screening.note.trim(), ...lines].filter(Boolean).join("\n").slice(0, NOTE_LIMIT);
}

function rangeOf(
  timeline: Timeline,
  start: number | null,
  end: number | null,
): [number, number] | null {
  if (start !== null && end !== null) return [start, end];
  if (timeline.flags.length === 0) return null;
  return [
    Math.min(...timeline.flags.map((flag) => flag.start_frame)),
    Math.max(...timeline.flags.map((flag) => flag.end_frame)),
  ];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function frame(value: unknown): number {
  return typeof value === "number" && Number.isInteger(value) ? value : 0;
}

function frameOrNull(value: unknown): number | null {
  return typeof value === "number" && Number.isInteger(value) ? value : null;
}

function readSegment(row: Record<string, unknown>): Segment {
  const hands = text(row["hands"]);
  return {
    id: text(row["id"]) || newId(),
    start_frame: frame(row["start_frame"]),
    end_frame: frame(row["end_frame"]),
    hands: hands in LANES ? (hands as Hands) : "none",
    action_type: text(row["action_type"]),
    description: text(row["description"]),
  };
}

function readScreening(value: unknown): Screening {
  if (!isRecord(value)) return EMPTY.screening;
  const verdict = value["verdict"];
  return {
    verdict: VERDICTS.includes(verdict) ? (verdict as Verdict) : null,
    reason: text(value["reason"]),
    note: text(value["note"]),
    start_frame: frameOrNull(value["start_frame"]),
    end_frame: frameOrNull(value["end_frame"]),
  };
}

function readFlag(row: Record<string, unknown>): Flag {
  return {
    id: text(row["id"]) || newId(),
    start_frame: frame(row["start_frame"]),
    end_frame: frame(row["end_frame"]),
    note: text(row["note"]),
  };
}
