// The comparison of the cut at the chosen segment's edge, over the picture.

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type { Segment } from "../contract.ts";
import * as commands from "../model/commands.ts";
import { BoundaryCompare } from "./BoundaryCompare.tsx";
import { useHandBack } from "./handBack.ts";
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
      <Over key="none">
        <div class="compare" role="status">
          <p>{words("compareNothing")}</p>
          <p>
            <button type="button" onClick={close}>{words("compareClose")}</button>
          </p>
        </div>
      </Over>
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
    <Over key="cut">
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
    </Over>
  );
}

function Over({ children }: { children: ComponentChildren }) {
  const panel = useRef<HTMLDivElement>(null);
  useHandBack(panel);
  return (
    <div ref={panel} class="compare-over">
      {children}
    </div>
  );
}
