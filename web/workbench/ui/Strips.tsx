// Filmstrip and sound under the segments, over the frames that the timeline shows now. Pictures are
// loaded when they come into view; without filmstrip or sound there is simply no such strip.

import "./media.css";
import { useEffect, useRef, useState } from "preact/hooks";
import type { FrameTable } from "../contract.ts";
import type { Filmstrip, Media } from "../media/links.ts";
import { onTheme } from "./theme.ts";
import { columnsOf, drawFilmstrip, drawPeaks, readPeaks, type Peaks } from "../media/strips.ts";

export const FILM_HEIGHT = 36;
export const SOUND_HEIGHT = 24;

export interface StripsProps {
  table: FrameTable;
  media: Media | null;
  /** The frames [from, to) across `width` CSS pixels. */
  from: number;
  to: number;
  width: number;
}

/** One canvas, hidden from readers: the list and the frame field say the same in words. */
export function Strips({ table, media, from, to, width }: StripsProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [, redraw] = useState(0);
  useEffect(() => onTheme(() => redraw((n) => n + 1)), []);
  const film = useFilm(media?.filmstrip ?? null);
  const peaks = usePeaks(media?.peaks ?? null);
  const strip = media?.filmstrip ?? null;
  const top = strip ? FILM_HEIGHT : 0;
  const height = top + (peaks ? SOUND_HEIGHT : 0);

  useEffect(() => {
    const sheet = canvas.current;
    const pen = sheet?.getContext("2d");
    if (!sheet || !pen) return;
    const density = globalThis.devicePixelRatio || 1;
    sheet.width = Math.round(width * density);
    sheet.height = Math.round(height * density);
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.imageSmoothingQuality = "medium";
    const view = { from, to, width };
    if (strip) film.want(drawFilmstrip(pen, strip, film.sheets, view, 0, FILM_HEIGHT));
    if (peaks) {
      const colour = getComputedStyle(sheet).color; // follows light and dark
      drawPeaks(pen, columnsOf(peaks, table, view), top, SOUND_HEIGHT, colour);
    }
  });

  if (height === 0) return null;
  return <canvas ref={canvas} class="strips" style={{ height: `${height}px` }} aria-hidden="true" />;
}

/** The sheets that were loaded; asked for once each, by what they show and not by their link. */
function useFilm(strip: Filmstrip | null) {
  const [, redraw] = useState(0);
  const loading = useRef(new Map<number, HTMLImageElement>());
  const sheets = useRef(new Map<number, CanvasImageSource>());
  return {
    sheets: sheets.current,
    want(missing: ReadonlySet<number>): void {
      for (const number of missing) {
        const url = strip?.sheets[number];
        if (!url || loading.current.has(number)) continue;
        const image = new Image();
        loading.current.set(number, image);
        image.onload = () => {
          sheets.current.set(number, image);
          redraw((n) => n + 1);
        };
        // An expired link: the next renewal brings another, and the next redraw asks again.
        image.onerror = () => setTimeout(() => loading.current.delete(number), 10_000);
        image.src = url;
      }
    },
  };
}

function usePeaks(url: string | null): Peaks | null {
  const [peaks, setPeaks] = useState<Peaks | null>(null);
  const has = peaks !== null;
  useEffect(() => {
    if (!url || has) return;
    const call = new AbortController();
    fetch(url, { signal: call.signal })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(answer.statusText))))
      .then((document) => setPeaks(readPeaks(document as { per_second: number; peaks: string })))
      .catch(() => undefined); // without sound the work goes on
    return () => call.abort();
  }, [url, has]);
  return peaks;
}
