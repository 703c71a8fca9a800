// The picture and what moves it.

import { ComparePanel } from "./ComparePanel.tsx";
import { Picture } from "./Stage.tsx";
import type { Workbench } from "./store.ts";
import { clock, t } from "./words.ts";

export function Stage({ wb }: { wb: Workbench }) {
  return (
    <section
      class="wb-stage"
      aria-label={wb.assignment.video.title}
      data-state={wb.player.state.value}
      data-playing={wb.player.playing.value}
    >
      <div class="wb-picture">
        <Picture
          player={wb.player}
          table={wb.table}
          label={wb.assignment.video.title}
          {...(wb.links ? { links: wb.links } : {})}
        />
        <ComparePanel wb={wb} />
      </div>
      <Transport wb={wb} />
    </section>
  );
}

function Time({ wb }: { wb: Workbench }) {
  const frame = wb.player.frame.value;
  return (
    <>
      <button
        type="button"
        class="wb-frame"
        title={`${t("goTo")} (${wb.keyOf("goTo")})`}
        onClick={() => wb.open("goTo")}
      >
        <span class="wb-unseen">{t("goTo")}: </span>
        <b data-frame={frame}>{frame}</b> <small>{t("of", { n: wb.frameCount - 1 })}</small>
      </button>
      <span class="wb-figure wb-muted">
        {clock(wb.table.seconds(frame) - wb.table.seconds(0))} / {clock(wb.table.duration)}
      </span>
    </>
  );
}

export function Transport({ wb }: { wb: Workbench }) {
  const playing = wb.player.playing.value;
  const rate = wb.player.rate.value;
  return (
    <div class="wb-transport" role="group" aria-label={t("play")}>
      <button
        type="button"
        class="wb-icon"
        title={`${t("stepBack")} (${wb.keyOf("stepBack")})`}
        aria-label={t("stepBack")}
        onClick={() => void wb.player.step(-1)}
      >
        <Icon of="M3.5 3v10M13 4 6.5 8l6.5 4z" />
      </button>
      <button
        type="button"
        class="wb-icon wb-play"
        title={`${t(playing ? "pause" : "play")} (${wb.keyOf("play")})`}
        aria-label={t(playing ? "pause" : "play")}
        onClick={() => void wb.player.toggle()}
      >
        <Icon of={playing ? "M5 3v10M11 3v10" : "M4 2.5v11L13 8z"} />
      </button>
      <button
        type="button"
        class="wb-icon"
        title={`${t("stepForward")} (${wb.keyOf("stepForward")})`}
        aria-label={t("stepForward")}
        onClick={() => void wb.player.step(1)}
      >
        <Icon of="M12.5 3v10M3 4l6.5 4L3 12z" />
      </button>
      <Time wb={wb} />
      <label class="wb-inline">
        <span class="wb-muted">{t("speed")}</span>
        <select
          value={String(Math.abs(rate))}
          onChange={(event) => wb.player.setRate(Number(event.currentTarget.value))}
        >
          {[...new Set([0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, Math.abs(rate)])]
            .sort((a, b) => a - b)
            .map((speed) => (
              <option key={speed} value={String(speed)}>
                {speed}×
              </option>
            ))}
        </select>
      </label>
      <span class="wb-spring" />
      <button type="button" title={wb.keyOf("split")} disabled={wb.readOnly.value !== null} onClick={() => wb.split()}>
        {t("split")}
      </button>
      <button type="button" title={wb.keyOf("add")} disabled={wb.readOnly.value !== null} onClick={() => wb.add()}>
        {t("add")}
      </button>
      <button type="button" title={wb.keyOf("flag")} disabled={wb.readOnly.value !== null} onClick={() => wb.flag()}>
        {t("flag")}
      </button>
      <button
        type="button"
        title={wb.keyOf("undo")}
        disabled={wb.history.value.past === 0}
        onClick={() => wb.undo()}
      >
        {t("undo")}
      </button>
      <button
        type="button"
        title={wb.keyOf("redo")}
        disabled={wb.history.value.future === 0}
        onClick={() => wb.redo()}
      >
        {t("redo")}
      </button>
    </div>
  );
}

function Icon({ of }: { of: string }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d={of} fill="currentColor" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round" />
    </svg>
  );
}
