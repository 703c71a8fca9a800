// From a key press to an action. Text fields keep their keys; a focused control keeps Space, Enter
// and its arrows, so that nothing which a person can reach stops working under them.

import { chord, type Action, type Keymap, WHILE_TYPING } from "./keymap.ts";

const TEXT = /^(?:text|number|search|email|url|tel|password|date|time)$/;

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  return target instanceof HTMLInputElement && TEXT.test(target.type);
}

function keepsItsKeys(target: EventTarget | null, code: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLSelectElement) return !/^(?:Escape|F\d)/.test(code);
  const arrows = /^(?:Arrow|Page|Home|End)/.test(code);
  if (target.closest("[data-own-arrows]") || (target instanceof HTMLInputElement && /^(?:range|radio)$/.test(target.type)))
    if (arrows) return true;
  if (target.closest("button, a[href], summary, input, [role=button], [role=option]"))
    return code === "Space" || code === "Enter" || code === "NumpadEnter";
  return false;
}

export interface Target {
  keymap(): Keymap;
  /** A dialog is open: only its own keys work. */
  isBlocked(): boolean;
  /** `repeat`: the key is held down. False when the action does not apply here. */
  run(action: Action, repeat: boolean): boolean | void;
  /** While K is held, J and L step. */
  stepWhileHeld(frames: number): void;
}

/** Listens on the window until the returned function is called. */
export function listen(target: Target): () => void {
  const held = new Set<string>();
  const down = (event: KeyboardEvent): void => {
    if (event.isComposing || event.defaultPrevented) return;
    held.add(event.code);
    // "?" is on another key of each layout; it asks for help on all of them.
    const keys = event.key === "?" ? "Shift+Slash" : chord(event);
    if (target.isBlocked()) return;
    let action: Action | null;
    if (isTyping(event.target)) {
      action = WHILE_TYPING[keys] ?? null;
    } else {
      const modified = event.ctrlKey || event.metaKey || event.altKey;
      if (!modified && keepsItsKeys(event.target, event.code)) return;
      action = target.keymap().actionOf(keys) ?? WHILE_TYPING[keys] ?? null;
      const stop = target.keymap().keysOf("stop").some((key) => held.has(key));
      if (stop && (action === "back" || action === "forward")) {
        event.preventDefault();
        target.stepWhileHeld(action === "back" ? -1 : 1);
        return;
      }
    }
    if (action !== null && target.run(action, event.repeat) !== false) event.preventDefault();
  };
  const up = (event: KeyboardEvent): void => void held.delete(event.code);
  const clear = (): void => held.clear();
  // A mouse click leaves the focus on a button; the next Space should play, not press it again.
  const click = (event: MouseEvent): void => {
    if (event.detail === 0 || !(event.target instanceof Element)) return;
    const button = event.target.closest("button");
    if (button && !button.closest("dialog")) button.blur();
  };
  window.addEventListener("keydown", down);
  window.addEventListener("keyup", up);
  window.addEventListener("blur", clear);
  window.addEventListener("click", click);
  return () => {
    window.removeEventListener("keydown", down);
    window.removeEventListener("keyup", up);
    window.removeEventListener("blur", clear);
    window.removeEventListener("click", click);
  };
}
