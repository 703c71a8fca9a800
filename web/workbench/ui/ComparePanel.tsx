// The comparison of the cut at the chosen segment's edge, over the picture.

import type { Segment } from "../contract.ts";
import * as commands from "../model/commands.ts";
import { BoundaryCompare } from "./BoundaryCompare.tsx";
import { words } from "./mediaWords.ts";
import type { Workbench } from "./store.ts";
import { t } from "./words.ts";

export function ComparePanel({ wb }: { wb: Workbench }) {
  if (!wb.comparing.value || !wb.links) return null;
  const { segments } = wb.timeline.value;
  const index = wb.chosenIndex.value;
  const close = () => void (wb.comparing.value = false);
  if (index < 0) {
    return (
      <div class="compare-over compare" role="status">
        <p>{words("compareNothing")}</p>
        <p>
          <button type="button" onClick={close}>{words("compareClose")}</button>
        </p>
      </div>
    );
  }
  const ends = wb.edge.value === "end";
  const a: Segment | undefined = segments[ends ? index : index - 1];
  const b: Segment | undefined = segments[ends ? index + 1 : index];
  const name = (segment: Segment | undefined) =>
    segment ? t("segment", { n: segments.indexOf(segment) + 1 }) : "";
  const nudge = (edge: "end" | "start", by: number) => {
    const segment = edge === "end" ? a : b;
    if (!segment) return;
    const to = (edge === "end" ? segment.end_frame : segment.start_frame) + by;
    wb.do((timeline) =>
      commands.moveEdge(timeline, segment.id, edge, to, wb.frameCount, wb.settings.value.together),
    );
  };
  return (
    <div class="compare-over">
      <BoundaryCompare
        table={wb.table}
        url={wb.links.url}
        freshLink={wb.links.freshLink}
        endOfA={a?.end_frame ?? null}
        startOfB={b?.start_frame ?? null}
        nameOfA={name(a)}
        nameOfB={name(b)}
        readOnly={wb.readOnly.value !== null}
        onNudge={nudge}
        onClose={close}
      />
    </div>
  );
}
