// A frame number that can be typed; it counts when the person leaves the field or presses Enter.

import { useEffect, useState } from "preact/hooks";

interface Props {
  label: string;
  value: number;
  disabled?: boolean;
  onCommit: (frame: number) => void;
  onFocus?: () => void;
}

export function FrameField({ label, value, disabled = false, onCommit, onFocus }: Props) {
  const [text, setText] = useState(String(value));
  useEffect(() => setText(String(value)), [value]);
  const commit = (): void => {
    const frame = Number.parseInt(text, 10);
    if (Number.isSafeInteger(frame) && frame !== value) onCommit(frame);
    else setText(String(value));
  };
  return (
    <label class="wb-field wb-frame-field">
      <span>{label}</span>
      <input
        type="text"
        inputMode="numeric"
        pattern="[0-9]*"
        autocomplete="off"
        value={text}
        disabled={disabled}
        onFocus={onFocus}
        onInput={(event) => setText(event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter" || event.key === "Escape") {
            event.preventDefault();
            event.stopPropagation();
            if (event.key === "Escape") setText(String(value));
            else commit();
            event.currentTarget.blur();
          } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
            event.preventDefault();
            onCommit(value + (event.key === "ArrowUp" ? 1 : -1));
          }
        }}
      />
    </label>
  );
}
