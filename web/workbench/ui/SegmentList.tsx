// All segments as a table, in step with the timeline. Only the rows in sight are in the page, so
// five hundred cost what twenty do; the table still says how many there are.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { memo } from "./memo.ts";
import type { Segment } from "../contract.ts";
import { contains } from "../model/segments.ts";
import type { Workbench } from "./store.ts";
import { t } from "./words.ts";

export const ROW = 30; // px; the same in workbench.css
const SPARE = 6;

interface RowProps {
  wb: Workbench;
  segment: Segment;
  index: number;
  chosen: boolean;
  current: boolean;
  finding: "error" | "warning" | null;
  reachable: boolean;
}

const Row = memo(function Row({ wb, segment, index, chosen, current, finding, reachable }: RowProps) {
  const type = wb.typeNumber(segment.action_type);
  return (
    <tr
      aria-rowindex={index + 2}
      aria-selected={chosen}
      class={current ? "wb-current" : undefined}
      data-segment={segment.id}
      onClick={() => wb.select(segment.id)}
    >
      <td>
        <button
          type="button"
          class="wb-number"
          tabIndex={reachable ? 0 : -1}
          aria-label={t("segment", { n: index + 1 })}
          aria-pressed={chosen}
        >
          {index + 1}
        </button>
      </td>
      <td class="wb-figure">{segment.start_frame}</td>
      <td class="wb-figure">{segment.end_frame - 1}</td>
      <td class="wb-hand">{t(segment.hands)}</td>
      <td class="wb-type">
        <i class={`wb-swatch wb-c${type < 0 ? "x" : type % 8}`} data-pattern={Math.floor(type / 8)} />
        {segment.action_type ? wb.typeName(segment.action_type) : <em>{t("noType")}</em>}
      </td>
      <td class="wb-words" title={segment.description}>
        {segment.description}
      </td>
      <td class="wb-mark">
        {finding && (
          <span class={finding === "error" ? "wb-bad" : "wb-warn"} title={t("problems")}>
            {finding === "error" ? "●" : "○"}
            <span class="wb-unseen">{t("problems")}</span>
          </span>
        )}
      </td>
    </tr>
  );
});

export function SegmentList({ wb }: { wb: Workbench }) {
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  const { segments } = wb.timeline.value;
  const findings = wb.findings.value;
  const chosen = wb.chosenIndex.value;
  const frame = wb.player.frame.value;

  useEffect(() => {
    const element = box.current!;
    const measure = (): void =>
      setSeen({ top: element.scrollTop, height: element.clientHeight || 600 });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);

  useLayoutEffect(() => {
    const element = box.current!;
    if (chosen < 0) return;
    const top = chosen * ROW;
    const head = 28;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW + head > element.scrollTop + element.clientHeight)
      element.scrollTop = top + ROW + head - element.clientHeight;
  }, [chosen, segments, seen.height]); // the fields above grow with what they have to say

  const first = Math.max(0, Math.floor(seen.top / ROW) - SPARE);
  const last = Math.min(segments.length, Math.ceil((seen.top + seen.height) / ROW) + SPARE);
  const reachable = chosen >= first && chosen < last ? chosen : first;
  return (
    <section class="wb-list" aria-label={t("segments")}>
      <div class="wb-scroll" ref={box}>
        {segments.length === 0 ? (
          <p class="wb-empty">{t("emptyList", { split: wb.keyOf("split") })}</p>
        ) : (
          <table aria-rowcount={segments.length + 1}>
            <caption class="wb-unseen">{t("segments")}</caption>
            <thead>
              <tr aria-rowindex={1}>
                <th scope="col">#</th>
                <th scope="col" class="wb-figure">{t("columnFrom")}</th>
                <th scope="col" class="wb-figure">{t("columnTo")}</th>
                <th scope="col">{t("hands")}</th>
                <th scope="col">{t("type")}</th>
                <th scope="col">{t("description")}</th>
                <th scope="col"><span class="wb-unseen">{t("problems")}</span></th>
              </tr>
            </thead>
            <tbody>
              {first > 0 && (
                <tr class="wb-spacer" role="presentation">
                  <td colSpan={7} style={{ height: `${first * ROW}px` }} />
                </tr>
              )}
              {segments.slice(first, last).map((segment, i) => {
                const index = first + i;
                const worst = findings.get(index)?.[0];
                return (
                  <Row
                    key={segment.id}
                    wb={wb}
                    segment={segment}
                    index={index}
                    chosen={index === chosen}
                    current={contains(segment, frame)}
                    finding={worst ? worst.severity : null}
                    reachable={index === reachable}
                  />
                );
              })}
              {last < segments.length && (
                <tr class="wb-spacer" role="presentation">
                  <td colSpan={7} style={{ height: `${(segments.length - last) * ROW}px` }} />
                </tr>
              )}
            </tbody>
          </table>
        )}
      </div>
    </section>
  );
}
