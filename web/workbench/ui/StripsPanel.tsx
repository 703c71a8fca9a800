// Filmstrip and sound under the segments, over the same frames.

import { Strips } from "./Strips.tsx";
import type { Workbench } from "./store.ts";

export function StripsPanel({ wb }: { wb: Workbench }) {
  const { first, count } = wb.view.range.value;
  return (
    <Strips
      table={wb.table}
      media={wb.links?.media.value ?? null}
      from={first}
      to={first + count}
      width={wb.view.columns.value}
    />
  );
}
