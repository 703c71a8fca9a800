// A line of text that becomes part of the timeline while it is typed: after a short pause, when it
// is left, and when the page hides or another tab takes over (sync/ asks for it by an event).

import { useEffect, useRef, useState } from "preact/hooks";
import { FINISH_TYPING } from "../sync/index.ts";

/** A pause of this many ms in typing makes an edit. */
export const PAUSE_MS = 400;

interface Props {
  value: string;
  onCommit(value: string): void;
  maxLength: number;
  locked: boolean;
  label?: string;
  placeholder?: string;
}

export function TypedText({ value, onCommit, maxLength, locked, label, placeholder }: Props) {
  const [text, setText] = useState(value);
  const typed = useRef(text);
  const timer = useRef(0);
  typed.current = text;
  // Undo and other tabs change it from outside.
  useEffect(() => {
    if (value !== typed.current.trim()) setText(value);
  }, [value]);
  const commit = useRef(() => {});
  commit.current = (): void => {
    window.clearTimeout(timer.current);
    if (!locked && typed.current.trim() !== value) onCommit(typed.current.trim());
  };
  useEffect(() => {
    const finish = (): void => commit.current();
    window.addEventListener(FINISH_TYPING, finish);
    return () => {
      window.removeEventListener(FINISH_TYPING, finish);
      window.clearTimeout(timer.current);
    };
  }, []);
  return (
    <input
      type="text"
      maxLength={maxLength}
      aria-label={label}
      placeholder={placeholder}
      value={text}
      readOnly={locked}
      onInput={(event) => {
        typed.current = event.currentTarget.value;
        setText(typed.current);
        window.clearTimeout(timer.current);
        timer.current = window.setTimeout(() => commit.current(), PAUSE_MS);
      }}
      onBlur={() => commit.current()}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== "Escape") return;
        event.stopPropagation();
        event.preventDefault();
        event.currentTarget.blur();
      }}
    />
  );
}
