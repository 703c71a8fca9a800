// When colours change: canvases are drawn from them and have to be drawn anew.

/** Calls `changed` whenever light, dark or forced colours may have changed; returns the clean-up. */
export function onTheme(changed: () => void): () => void {
  const queries = [matchMedia("(prefers-color-scheme: dark)"), matchMedia("(forced-colors: active)")];
  for (const query of queries) query.addEventListener("change", changed);
  const chosen = new MutationObserver(changed);
  chosen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  return () => {
    for (const query of queries) query.removeEventListener("change", changed);
    chosen.disconnect();
  };
}
