// What covers the desk: keys and settings, submit, return, go to a frame.

import type { ComponentChildren } from "preact";
import { untracked } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ACTIONS, chord, keyName, Keymap, type Action } from "../keys/keymap.ts";
import type { Workbench } from "./store.ts";
import { money, t, type Word } from "./words.ts";

export function Dialogs({ wb }: { wb: Workbench }) {
  switch (wb.dialog.value) {
    case "help": return <Help wb={wb} />;
    case "submit": return <Submit wb={wb} />;
    case "return": return <GiveBack wb={wb} />;
    case "goTo": return <GoTo wb={wb} />;
    case null: return null;
  }
}

function Modal({ wb, title, wide = false, children }: { wb: Workbench; title: string; wide?: boolean; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before the next key can arrive: Enter right after "Submit…" belongs to the dialog's button.
  useLayoutEffect(() => {
    const element = dialog.current!;
    const before = document.activeElement;
    element.showModal();
    return () => {
      element.close(); // what is under an open one can't take the focus
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? "wb-dialog wb-dialog-wide" : "wb-dialog"}
      aria-labelledby="wb-dialog-title"
      onCancel={() => (wb.dialog.value = null)} // Esc, at once; `close` comes a task later
      onClose={() => (wb.dialog.value = null)}
    >
      <div class="wb-panel-head">
        <h2 id="wb-dialog-title">{title}</h2>
        <button type="button" onClick={() => (wb.dialog.value = null)}>
          {t("close")}
        </button>
      </div>
      {children}
    </dialog>
  );
}

function Refusals({ wb }: { wb: Workbench }) {
  const refusals = wb.handIn.refusals.value;
  if (!refusals) return null;
  return (
    <div class="wb-refusals" role="alert">
      <p class="wb-bad">{refusals.title}</p>
      <ul>
        {refusals.errors.map((error) => (
          <li key={error.pointer ?? error.detail}>
            {error.segment !== undefined ? (
              <button type="button" class="wb-link" onClick={() => wb.goToRefusal(error)}>
                {error.detail}
              </button>
            ) : (
              error.detail
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

const SHOWN = 50; // of each kind; mending some brings the rest

function Submit({ wb }: { wb: Workbench }) {
  const { segments, screening } = wb.timeline.value;
  const unusable = screening.verdict === "unusable";
  const errors = unusable ? [] : wb.errors.value;
  const warnings = unusable ? [] : wb.warnings.value;
  const blockers = wb.handIn.blockers.value;
  const price = money(wb.assignment.price_cents, wb.assignment.currency);
  const go = (finding: (typeof errors)[number]): void => {
    wb.dialog.value = null;
    wb.goTo(finding);
  };
  const list = (findings: typeof errors) => (
    <ul class="wb-findings">
      {findings.slice(0, SHOWN).map((finding) => (
        <li key={`${finding.index} ${finding.code} ${finding.frame}`}>
          <button type="button" class="wb-link" onClick={() => go(finding)}>
            {finding.detail}
          </button>
        </li>
      ))}
      {findings.length > SHOWN && <li>+ {findings.length - SHOWN}</li>}
    </ul>
  );
  return (
    <Modal wb={wb} title={t("submitTitle")}>
      <p>
        <strong>{screening.verdict ? t(screening.verdict) : t("submitFirstVerdict")}</strong>
        {". "}
        {unusable
          ? segments.length > 0 && t("unusableDrops")
          : t("submitCheck", { n: segments.length, percent: wb.percent.value, frames: wb.frameCount })}
      </p>
      <Refusals wb={wb} />
      {blockers.length + errors.length > 0 ? (
        <>
          <h3 class="wb-bad">{t("submitMend")}</h3>
          {blockers.length > 0 && (
            <ul class="wb-findings">
              {blockers.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          )}
          {list(errors)}
        </>
      ) : (
        <p class="wb-good">{t("submitClean")}</p>
      )}
      {warnings.length > 0 && (
        <>
          <h3>{t("submitWarn")}</h3>
          {list(warnings)}
        </>
      )}
      <div class="wb-row wb-end">
        <button type="button" onClick={() => (wb.dialog.value = null)}>
          {t("cancel")}
        </button>
        <button
          type="button"
          class="wb-primary"
          autofocus={wb.handIn.canSubmit.value}
          disabled={!wb.handIn.canSubmit.value || wb.handIn.submitting.value}
          onClick={() => void wb.handIn.submit()}
        >
          {wb.handIn.submitting.value ? t("submitting") : t("submitNow", { price })}
        </button>
      </div>
    </Modal>
  );
}

function GiveBack({ wb }: { wb: Workbench }) {
  const [reason, setReason] = useState("");
  return (
    <Modal wb={wb} title={t("returnTitle")}>
      <p>{t("returnHelp")}</p>
      <Refusals wb={wb} />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void wb.handIn.giveBack(reason.trim());
        }}
      >
        <label class="wb-field">
          <span>{t("note")}</span>
          <textarea rows={3} maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
        <div class="wb-row wb-end">
          <button type="button" onClick={() => (wb.dialog.value = null)}>
            {t("cancel")}
          </button>
          <button type="submit" class="wb-primary">
            {t("returnNow")}
          </button>
        </div>
      </form>
    </Modal>
  );
}

function GoTo({ wb }: { wb: Workbench }) {
  const [text, setText] = useState(() => String(untracked(() => wb.player.frame.value)));
  return (
    <Modal wb={wb} title={t("goTo")}>
      <form
        class="wb-row"
        onSubmit={(event) => {
          event.preventDefault();
          const frame = Number.parseInt(text, 10);
          wb.dialog.value = null;
          if (Number.isSafeInteger(frame)) void wb.seek(frame);
        }}
      >
        <label class="wb-field wb-frame-field">
          <span>{t("frame")}</span>
          <input
            type="text"
            inputMode="numeric"
            autofocus
            value={text}
            ref={(input) => {
              if (input && document.activeElement !== input) input.select();
            }}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <span class="wb-muted">{t("of", { n: wb.frameCount - 1 })}</span>
        <button type="submit" class="wb-primary">
          {t("go")}
        </button>
      </form>
    </Modal>
  );
}

export function actionName(wb: Workbench, action: Action): string {
  const digit = /^type(\d)$/.exec(action)?.[1];
  if (digit) return wb.types[Number(digit) - 1]?.label ?? t("a_type", { n: digit });
  return t(`a_${action}` as Word);
}

function Help({ wb }: { wb: Workbench }) {
  const [moving, setMoving] = useState<Action | null>(null);
  const [told, setTold] = useState("");
  const keymap = wb.keymap.value;
  const changed = (make: (next: Keymap) => void): void => {
    const next = new Keymap(keymap.changes(), keymap.singleKeys);
    make(next);
    wb.setKeymap(next);
  };
  const press = (event: KeyboardEvent): void => {
    if (moving === null || /^(?:Shift|Control|Alt|Meta)/.test(event.code)) return;
    if (event.code === "Tab") return setMoving(null); // no trap
    event.preventDefault();
    event.stopPropagation();
    const keys = chord(event);
    if (event.code === "Escape") return setMoving(null);
    const refusal = keymap.refusal(moving, keys);
    if (refusal === "reserved") setTold(t("keyReserved", { key: keyName(keys) }));
    else if (refusal)
      setTold(t("keyTaken", { key: keyName(keys), action: actionName(wb, refusal.takenBy) }));
    else {
      changed((next) => next.move(moving, keys));
      setTold(t("keyMoved", { action: actionName(wb, moving), key: keyName(keys) }));
      setMoving(null);
    }
  };
  return (
    <Modal wb={wb} title={t("helpTitle")} wide>
      <p class="wb-muted">
        {t("helpText")} {t("whileTyping")}
      </p>
      <div class="wb-row">
        <label class="wb-inline">
          <input
            type="checkbox"
            checked={keymap.singleKeys}
            onChange={(event) => {
              const on = event.currentTarget.checked;
              changed((next) => (next.singleKeys = on));
            }}
          />
          {t("singleKeys")}
        </label>
        <label class="wb-inline" title={t("lagHelp")}>
          {t("lag")}
          <input
            type="number"
            min={0}
            max={1000}
            step={10}
            value={wb.settings.value.lagMs}
            aria-describedby="wb-lag-help"
            onChange={(event) => {
              const ms = Number(event.currentTarget.value);
              if (Number.isFinite(ms)) wb.set({ lagMs: Math.max(0, Math.min(1000, Math.round(ms))) });
            }}
          />
        </label>
        <span class="wb-spring" />
        <button type="button" onClick={() => wb.setKeymap(new Keymap({}, keymap.singleKeys))}>
          {t("resetKeys")}
        </button>
      </div>
      <p class="wb-muted" id="wb-lag-help">
        <small>{t("lagHelp")}</small>
      </p>
      <p role="status" class="wb-told">
        {told}
      </p>
      <ul class="wb-keys">
        {ACTIONS.map((action) => (
          <li key={action} data-action={action}>
            <span>{actionName(wb, action)}</span>
            {action === "leave" ? (
              <kbd>{keyName("Escape")}</kbd>
            ) : (
              <button
                type="button"
                class={moving === action ? "wb-key wb-key-moving" : "wb-key"}
                aria-label={`${actionName(wb, action)}: ${keymap.keysOf(action).map(keyName).join(" ")}. ${t("change")}`}
                onKeyDown={press}
                onClick={() => {
                  setTold("");
                  setMoving(action);
                }}
                onBlur={() => setMoving(null)}
              >
                {moving === action
                  ? t("pressKey")
                  : keymap.keysOf(action).map((keys) => [<kbd key={keys}>{keyName(keys)}</kbd>, " "])}
              </button>
            )}
          </li>
        ))}
      </ul>
    </Modal>
  );
}
