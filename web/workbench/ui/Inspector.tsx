// The chosen segment's fields, and a button for everything that a key or a drag does to it. Until
// the video is screened, that question comes first.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Flag, Hands, Segment } from "../contract.ts";
import type { Edge } from "../model/commands.ts";
import { FINISH_TYPING } from "../sync/index.ts";
import { run } from "./actions.ts";
import { FrameField } from "./FrameField.tsx";
import { ScreeningPanel } from "./ScreeningPanel.tsx";
import type { Workbench } from "./store.ts";
import { PAUSE_MS, TypedText } from "./TypedText.tsx";
import { t } from "./words.ts";

// Focus is moved before the next key can arrive: a letter typed right after Enter belongs to the
// text, so these are layout effects.

export function Inspector({ wb }: { wb: Workbench }) {
  const segment = wb.chosen.value;
  const { screening, flags } = wb.timeline.value;
  const asking = screening.verdict === null || wb.changingVerdict.value;
  // The question and the button that opens it again stand in each other's place: the focus of one
  // goes to the other, unless it came from nowhere: then single keys are wanted again.
  const box = useRef<HTMLElement>(null);
  const asked = useRef(asking);
  const had = useRef(false);
  const hasFocus = (): boolean => box.current?.querySelector(".wb-screening:not([data-by-key]), .wb-verdict")?.contains(document.activeElement) ?? false;
  had.current = hasFocus(); // before this render takes it away
  useLayoutEffect(() => {
    if (asked.current === asking) return;
    asked.current = asking;
    if (had.current && !hasFocus())
      box.current?.querySelector<HTMLElement>(".wb-screening [aria-pressed=true], .wb-verdict button")?.focus();
  }, [asking]);
  return (
    <section ref={box} class="wb-inspector" aria-label={segment ? t("segment", { n: wb.chosenIndex.value + 1 }) : t("noSegment")}>
      {asking ? (
        <ScreeningPanel wb={wb} />
      ) : (
        <p class="wb-verdict">
          <span class="wb-muted">{t("screening")}</span> <strong>{t(screening.verdict!)}</strong>
          <button type="button" class="wb-link" onClick={() => (wb.changingVerdict.value = true)}>
            {t("change")}
          </button>
        </p>
      )}
      {segment ? (
        <Fields key={segment.id} wb={wb} segment={segment} />
      ) : (
        !asking && (
          <p class="wb-empty">
            {t("noSegmentHelp", { split: wb.keyOf("split"), add: wb.keyOf("add") })}
          </p>
        )
      )}
      {flags.length > 0 && <Flags wb={wb} flags={flags} />}
    </section>
  );
}

function Fields({ wb, segment }: { wb: Workbench; segment: Segment }) {
  const locked = wb.readOnly.value !== null;
  const findings = wb.findings.value.get(wb.chosenIndex.value) ?? [];
  const type = useRef<HTMLSelectElement>(null);
  const { on, n } = wb.focus.value;
  const seen = useRef(n);
  useLayoutEffect(() => {
    if (n === seen.current) return;
    seen.current = n;
    if (on === "type") type.current?.focus();
  }, [on, n]);
  const hands: Hands[] = ["left", "right", "both", "none"];
  return (
    <div class="wb-fields">
      <h2>
        {t("segmentOf", { n: wb.chosenIndex.value + 1, total: wb.timeline.value.segments.length })}
      </h2>
      <div class="wb-edges">
        <EdgeField wb={wb} segment={segment} edge="start" />
        <EdgeField wb={wb} segment={segment} edge="end" />
      </div>
      <div class="wb-pair">
        <label class="wb-field">
          <span>{t("type")}</span>
          <select
            ref={type}
            value={segment.action_type}
            disabled={locked}
            onChange={(event) => wb.label({ action_type: event.currentTarget.value })}
          >
            <option value="">{t("noType")}</option>
            {wb.types.map((one, i) => (
              <option key={one.key} value={one.key}>
                {i < 9 ? `${i + 1}  ${one.label}` : one.label}
              </option>
            ))}
            {segment.action_type !== "" && wb.typeNumber(segment.action_type) < 0 && (
              <option value={segment.action_type}>{segment.action_type}</option>
            )}
          </select>
        </label>
        <div class="wb-field" role="group" aria-label={t("hands")}>
          <span aria-hidden="true">{t("hands")}</span>
          <div class="wb-segmented">
            {hands.map((one) => (
              <button
                key={one}
                type="button"
                aria-pressed={segment.hands === one}
                disabled={locked}
                title={wb.keyOf(one)}
                onClick={() => wb.label({ hands: one })}
              >
                {t(one)}
              </button>
            ))}
          </div>
        </div>
      </div>
      <Description wb={wb} segment={segment} locked={locked} />
      {findings.length > 0 && (
        <ul class="wb-findings">
          {findings.map((finding) => (
            <li key={finding.code} class={finding.severity === "error" ? "wb-bad" : "wb-warn"}>
              {finding.detail}
            </li>
          ))}
        </ul>
      )}
      <div class="wb-row wb-tools">
        <button type="button" title={wb.keyOf("playEdge")} onClick={() => wb.playEdge()}>{t("playEdge")}</button>
        <button type="button" title={wb.keyOf("loop")} onClick={() => wb.loop()}>{t("loop")}</button>
        <button type="button" title={wb.keyOf("compare")} aria-pressed={wb.comparing.value} onClick={() => run(wb, "compare", false)}>{t("compare")}</button>
        <button type="button" title={wb.keyOf("copy")} disabled={locked} onClick={() => run(wb, "copy", false)}>{t("copy")}</button>
        <button type="button" title={wb.keyOf("merge")} disabled={locked} onClick={() => run(wb, "merge", false)}>{t("merge")}</button>
        <button type="button" title={wb.keyOf("delete")} disabled={locked} onClick={() => run(wb, "delete", false)}>{t("delete")}</button>
      </div>
    </div>
  );
}

function EdgeField({ wb, segment, edge }: { wb: Workbench; segment: Segment; edge: Edge }) {
  const locked = wb.readOnly.value !== null;
  const name = t(edge === "start" ? "start" : "end");
  const shown = edge === "start" ? segment.start_frame : segment.end_frame - 1;
  const move = (frame: number): void => {
    wb.edge.value = edge;
    if (wb.moveEdge(edge, edge === "start" ? frame : frame + 1)) wb.showEdge();
  };
  return (
    <div class={wb.edge.value === edge ? "wb-edge wb-edge-chosen" : "wb-edge"}>
      <FrameField label={name} value={shown} disabled={locked} onCommit={move} onFocus={() => (wb.edge.value = edge)} />
      <button type="button" class="wb-icon" disabled={locked} aria-label={t("earlier", { edge: name })} title={wb.keyOf("nudgeBack")} onClick={() => move(shown - 1)}>‹</button>
      <button type="button" class="wb-icon" disabled={locked} aria-label={t("later", { edge: name })} title={wb.keyOf("nudgeForward")} onClick={() => move(shown + 1)}>›</button>
      <button
        type="button"
        disabled={locked}
        title={wb.keyOf(edge === "start" ? "setStart" : "setEnd")}
        onClick={() => (edge === "start" ? wb.setStart() : wb.setEnd())}
      >
        {t(edge === "start" ? "startHere" : "endHere")}
      </button>
    </div>
  );
}

/** Words that the project uses: its action types, what its guideline sets in bold or as code. */
function vocabulary(wb: Workbench): string[] {
  const marked = [...wb.brief.guideline.body.matchAll(/\*\*([^*\n]{3,80})\*\*|`([^`\n]{3,80})`/g)];
  return [...marked.map((m) => m[1] ?? m[2]!), ...wb.types.map((type) => type.label)];
}

/** At most six, the newest of this timeline first; `typed` may be the start of any word. */
export function suggestions(typed: string, history: readonly string[], words: readonly string[]): string[] {
  const wanted = typed.trim().toLowerCase();
  const found = new Set<string>();
  for (const text of [...history, ...words]) {
    const low = text.toLowerCase();
    const fits = wanted === "" ? history.includes(text) : low.startsWith(wanted) || low.includes(` ${wanted}`);
    if (text && low !== wanted && fits) found.add(text);
    if (found.size === 6) break;
  }
  return [...found];
}

function Description({ wb, segment, locked }: { wb: Workbench; segment: Segment; locked: boolean }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState(segment.description);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const typed = useRef(text);
  const timer = useRef(0);
  typed.current = text;

  // Undo, copying and other tabs change it from outside.
  useEffect(() => {
    if (segment.description !== typed.current.trim()) setText(segment.description);
  }, [segment.description]);
  const commit = (value = typed.current): void => {
    window.clearTimeout(timer.current);
    const trimmed = value.trim().slice(0, 500);
    if (!locked && trimmed !== wb.timeline.value.segments.find((s) => s.id === segment.id)?.description)
      if (wb.timeline.value.segments.some((s) => s.id === segment.id))
        wb.describe(segment.id, trimmed);
  };
  const commitNow = useRef(commit);
  commitNow.current = commit;
  useEffect(() => {
    const hide = (): void => commitNow.current(); // the page hides, another tab takes over
    window.addEventListener(FINISH_TYPING, hide);
    return () => {
      window.removeEventListener(FINISH_TYPING, hide);
      commitNow.current();
    };
  }, []);
  const { on, n } = wb.focus.value;
  const seen = useRef(on === "description" && wb.focusTaken < n ? n - 1 : n);
  useLayoutEffect(() => {
    if (n === seen.current) return;
    seen.current = n;
    if (on !== "description") return;
    wb.focusTaken = n;
    field.current?.focus();
    field.current?.select();
  }, [on, n]);

  const history = useMemo(
    () => [
      ...new Set(
        wb.timeline.value.segments
          .slice()
          .reverse()
          .filter((s) => s.id !== segment.id && s.description)
          .map((s) => s.description),
      ),
    ],
    [wb.timeline.value, segment.id],
  );
  const words = useMemo(() => vocabulary(wb), [wb]);
  const offered = open ? suggestions(text, history, words) : [];
  const choose = (value: string): void => {
    setText(value);
    commit(value);
    setOpen(false);
    setActive(-1);
    field.current?.focus();
  };
  const edit = (value: string): void => {
    setText(value);
    setOpen(true);
    setActive(-1);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => commitNow.current(), PAUSE_MS);
  };
  return (
    <div class="wb-field wb-describe">
      <label for="wb-description">{t("description")}</label>
      <textarea
        id="wb-description"
        ref={field}
        rows={2}
        maxLength={500}
        value={text}
        readOnly={locked}
        placeholder={t("describeHint")}
        aria-autocomplete="list"
        aria-controls="wb-suggestions"
        aria-activedescendant={active >= 0 && active < offered.length ? `wb-suggestion-${active}` : undefined}
        onFocus={() => setOpen(false)}
        onBlur={() => {
          commit();
          setOpen(false);
        }}
        onInput={(event) => edit(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
          if (event.key === "ArrowDown" || event.key === "ArrowUp") {
            const all = open ? offered : suggestions(text, history, words);
            if (all.length === 0) return;
            event.preventDefault();
            setOpen(true);
            const by = event.key === "ArrowDown" ? 1 : -1;
            setActive(((open ? active : -1) + by + all.length + (active < 0 && by < 0 ? 1 : 0)) % all.length);
          } else if (event.key === "Enter") {
            event.preventDefault();
            event.stopPropagation();
            const picked = offered[active];
            if (picked !== undefined) choose(picked);
            else field.current?.blur();
          } else if (event.key === "Escape") {
            event.preventDefault();
            event.stopPropagation();
            if (offered.length > 0) setOpen(false);
            else field.current?.blur();
          }
        }}
      />
      <ul id="wb-suggestions" role="listbox" aria-label={t("suggestions")} hidden={offered.length === 0}>
        {offered.map((one, i) => (
          <li
            key={one}
            id={`wb-suggestion-${i}`}
            role="option"
            aria-selected={i === active}
            onPointerDown={(event) => {
              event.preventDefault();
              choose(one);
            }}
          >
            {one}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Flags({ wb, flags }: { wb: Workbench; flags: readonly Flag[] }) {
  const locked = wb.readOnly.value !== null;
  const box = useRef<HTMLUListElement>(null);
  const { on, n } = wb.focus.value;
  useLayoutEffect(() => {
    // Undo and redo bring the list back; only a flag made just now asks for the focus.
    if (n <= wb.focusTaken || !on.startsWith("flag:")) return;
    wb.focusTaken = n;
    box.current?.querySelector<HTMLInputElement>(`[data-flag="${on.slice(5)}"] input[type=text]:not([inputmode])`)?.focus();
  }, [on, n]);
  return (
    <div class="wb-flags">
      <h3>{t("flags")}</h3>
      <ul ref={box}>
        {flags.map((flag) => (
          <li key={flag.id} data-flag={flag.id}>
            <FrameField label={t("from")} value={flag.start_frame} disabled={locked} onCommit={(frame) => wb.reflag(flag.id, { start_frame: frame })} />
            <FrameField label={t("to")} value={flag.end_frame - 1} disabled={locked} onCommit={(frame) => wb.reflag(flag.id, { end_frame: frame + 1 })} />
            <TypedText
              value={flag.note}
              onCommit={(note) => wb.reflag(flag.id, { note })}
              maxLength={200}
              locked={locked}
              label={t("flagNote")}
              placeholder={t("flagNote")}
            />
            <button type="button" class="wb-icon" aria-label={t("removeFlag")} disabled={locked} onClick={() => wb.unflag(flag.id)}>×</button>
          </li>
        ))}
      </ul>
    </div>
  );
}
