// The first question about a video: is it fit to annotate? 1, 2, 3 answer it.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Verdict } from "../contract.ts";
import { FrameField } from "./FrameField.tsx";
import type { Workbench } from "./store.ts";
import { TypedText } from "./TypedText.tsx";
import { named, t } from "./words.ts";

const VERDICTS: readonly Verdict[] = ["usable", "usable_with_issues", "unusable"];
const REASONS = [
  "blurred", "too_dark", "over_exposed", "covered_lens", "frozen", "too_shaky",
  "no_hands_in_view", "nothing_happens", "private_content", "does_not_play", "other",
];

export function ScreeningPanel({ wb }: { wb: Workbench }) {
  const { screening } = wb.timeline.value;
  const locked = wb.readOnly.value !== null;
  const reason = useRef<HTMLSelectElement>(null);
  const { on, n } = wb.focus.value;
  useLayoutEffect(() => {
    if (on !== "reason" || n <= wb.focusTaken || !reason.current) return;
    wb.focusTaken = n;
    const byKey = document.activeElement === document.body;
    if (byKey) reason.current.closest<HTMLElement>(".wb-screening")!.dataset["byKey"] = "";
    reason.current.focus();
  }, [on, n]);
  const asks = screening.verdict !== null && screening.verdict !== "usable";
  const useRange = (): void => {
    const { flags } = wb.timeline.value;
    const range = wb.chosen.value ?? flags[0];
    if (range) wb.screen({ start_frame: range.start_frame, end_frame: range.end_frame });
  };
  return (
    <div class="wb-screening">
      <div class="wb-panel-head">
        <h2>{t("screeningTitle")}</h2>
        {screening.verdict !== null && (
          <button type="button" onClick={() => (wb.changingVerdict.value = false)}>
            {t("close")}
          </button>
        )}
      </div>
      <p class="wb-muted">{t("screeningHelp")}</p>
      <div class="wb-segmented wb-wide" role="group" aria-label={t("screeningTitle")}>
        {VERDICTS.map((verdict, i) => (
          <button
            key={verdict}
            type="button"
            disabled={locked}
            aria-pressed={screening.verdict === verdict}
            onClick={() => {
              wb.screen({ verdict });
              wb.askReason(verdict);
            }}
          >
            {screening.verdict === null && <kbd aria-hidden="true">{i + 1}</kbd>} {t(verdict)}
          </button>
        ))}
      </div>
      {asks && (
        <div class="wb-pair">
          <label class="wb-field">
            <span>{t("reason")}</span>
            <select
              ref={reason}
              value={screening.reason}
              disabled={locked}
              onChange={(event) => wb.screen({ reason: event.currentTarget.value })}
            >
              <option value="">{t("chooseReason")}</option>
              {REASONS.map((reason) => (
                <option key={reason} value={reason}>
                  {named(reason)}
                </option>
              ))}
            </select>
          </label>
          <label class="wb-field">
            <span>{t("note")}</span>
            <TypedText
              value={screening.note}
              onCommit={(note) => wb.screen({ note })}
              maxLength={1000}
              locked={locked}
            />
          </label>
        </div>
      )}
      {asks && (
        <div class="wb-row">
          {screening.start_frame !== null && screening.end_frame !== null ? (
            <>
              <FrameField
                label={t("from")}
                value={screening.start_frame}
                disabled={locked}
                onCommit={(frame) =>
                  wb.screen({ start_frame: Math.max(0, Math.min(frame, screening.end_frame! - 1)) })
                }
              />
              <FrameField
                label={t("to")}
                value={screening.end_frame - 1}
                disabled={locked}
                onCommit={(frame) =>
                  wb.screen({
                    end_frame: Math.max(screening.start_frame! + 1, Math.min(frame + 1, wb.frameCount)),
                  })
                }
              />
              <button type="button" disabled={locked} onClick={() => wb.screen({ start_frame: null, end_frame: null })}>
                {t("wholeVideo")}
              </button>
            </>
          ) : (
            <button
              type="button"
              disabled={locked || (!wb.chosen.value && wb.timeline.value.flags.length === 0)}
              onClick={useRange}
            >
              {t("useSelection")}
            </button>
          )}
        </div>
      )}
    </div>
  );
}
