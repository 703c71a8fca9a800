// How far each writer's edits are in a draft: the operation ids that make saving idempotent.
//
// A writer is one opening of the workbench for editing; it numbers its edits from 1 and sends
// them in order, so "writer w up to n" names every edit that a draft contains. After a lost
// answer the server's draft itself says whether the save took effect.

/** [writer, last number], the latest writer last. */
export type Marks = readonly (readonly [string, number])[];

const MOST_WRITERS = 64;

export interface Numbered {
  writer: string;
  n: number;
}

/** The marks in a draft's body; whatever else is there is ignored. */
export function marksOf(body: unknown): Marks {
  const found = (body as { applied?: unknown } | null)?.applied;
  if (!Array.isArray(found)) return [];
  return found.filter(
    (mark): mark is [string, number] =>
      Array.isArray(mark) && typeof mark[0] === "string" && Number.isInteger(mark[1]),
  );
}

export function contains(marks: Marks, { writer, n }: Numbered): boolean {
  return marks.some(([name, last]) => name === writer && n <= last);
}

/** The marks once these edits are in, too. */
export function including(marks: Marks, edits: readonly Numbered[]): Marks {
  const last = new Map(marks);
  for (const { writer, n } of edits) {
    const reached = Math.max(n, last.get(writer) ?? 0);
    last.delete(writer); // to the end: the latest writer is forgotten last
    last.set(writer, reached);
  }
  return [...last].slice(-MOST_WRITERS);
}
