// Where the focus goes when the part of the page that has it closes: back to where it came from.

import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

/** While `panel` is there, remembers what had the focus before it; gives it back when it closes. */
export function useHandBack(panel: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const element = panel.current!;
    let before: EventTarget | null = null;
    const came = (event: FocusEvent): void => {
      const from = event.relatedTarget;
      if (!(from instanceof Node && element.contains(from))) before = from;
    };
    element.addEventListener("focusin", came);
    return () => {
      if (!element.contains(document.activeElement)) return;
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
}
