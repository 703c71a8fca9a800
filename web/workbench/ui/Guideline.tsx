// The guideline of the version that was pinned at the claim, beside the fields. Its Markdown
// becomes elements, never markup: nothing in it can run.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { useHandBack } from "./handBack.ts";
import type { Workbench } from "./store.ts";
import { t } from "./words.ts";

export function inline(text: string): ComponentChildren[] {
  return text
    .split(/(\*\*[^*]+\*\*|`[^`]+`|\*[^*\s][^*]*\*)/)
    .filter(Boolean)
    .map((part) =>
      part.startsWith("**") && part.length > 4 ? (
        <strong>{part.slice(2, -2)}</strong>
      ) : part.startsWith("`") && part.length > 2 ? (
        <code>{part.slice(1, -1)}</code>
      ) : part.startsWith("*") && part.length > 2 ? (
        <em>{part.slice(1, -1)}</em>
      ) : (
        part
      ),
    );
}

/** Headings, lists and paragraphs; anything else is shown as it was written. */
export function blocks(markdown: string): ComponentChildren[] {
  const made: ComponentChildren[] = [];
  let list: { ordered: boolean; items: string[] } | null = null;
  let paragraph: string[] = [];
  const close = (): void => {
    if (paragraph.length) made.push(<p>{inline(paragraph.join(" "))}</p>);
    if (list) {
      const items = list.items.map((item) => <li>{inline(item)}</li>);
      made.push(list.ordered ? <ol>{items}</ol> : <ul>{items}</ul>);
    }
    paragraph = [];
    list = null;
  };
  for (const line of markdown.split(/\r?\n/)) {
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    const item = /^\s*(?:([-*+])|\d+[.)])\s+(.*)$/.exec(line);
    if (heading) {
      close();
      made.push(heading[1]!.length < 3 ? <h3>{inline(heading[2]!)}</h3> : <h4>{inline(heading[2]!)}</h4>);
    } else if (item) {
      const ordered = item[1] === undefined;
      if (paragraph.length || (list && list.ordered !== ordered)) close();
      (list ??= { ordered, items: [] }).items.push(item[2]!);
    } else if (!line.trim()) close();
    else if (list) list.items[list.items.length - 1] += ` ${line.trim()}`;
    else paragraph.push(line.trim());
  }
  close();
  return made;
}

export function Guideline({ wb }: { wb: Workbench }) {
  const heading = useRef<HTMLHeadingElement>(null);
  const panel = useRef<HTMLElement>(null);
  useHandBack(panel);
  useLayoutEffect(() => heading.current?.focus(), []);
  const { guideline } = wb.brief;
  return (
    <aside ref={panel} class="wb-guideline" aria-label={t("guideline")}>
      <div class="wb-panel-head">
        <h2 tabIndex={-1} ref={heading}>
          {guideline.title} <small>{t("guidelineVersion", { n: guideline.version })}</small>
        </h2>
        <button type="button" onClick={() => (wb.guidelineOpen.value = false)}>
          {t("close")}
        </button>
      </div>
      <div class="wb-prose" tabIndex={0} role="region" aria-label={guideline.title}>
        {blocks(guideline.body)}
      </div>
    </aside>
  );
}
