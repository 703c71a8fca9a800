// What is drawn under the timeline: which tile goes where, how loud each column is. Pure, but for
// the two functions that draw; a redraw costs the columns on screen, not the length of the video.

import type { FrameTable } from "../contract.ts";
import type { Filmstrip } from "./links.ts";

/** The frames [from, to) that lie across a width in pixels; both may be fractions. */
export interface View {
  from: number;
  to: number;
  width: number;
}

export interface Tile {
  sheet: number;
  sourceX: number;
  sourceY: number;
  x: number;
  width: number;
  frame: number;
}

/** The last index whose entry is at most `value`; 0 where there is none. */
function floorIndex(entries: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = entries.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (entries[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The tiles that fill a view of a height: each shows what is on screen at its left edge (the latest
 * tile at or before it), side by side at their own shape. Slots stay in place while one scrolls by
 * whole slots, and a tile is at most as wide as the video's own pictures.
 */
export function tilesIn(strip: Filmstrip, view: View, height: number): Tile[] {
  const span = view.to - view.from;
  if (span <= 0 || view.width <= 0 || height <= 0 || strip.frames.length === 0) return [];
  const width = Math.max(1, Math.round((height * strip.tile_width) / strip.tile_height));
  const perSheet = strip.columns * strip.rows;
  const framesPerSlot = (span / view.width) * width;
  // Slots are counted from frame 0, so that they do not swim when the view moves.
  const first = Math.floor(view.from / framesPerSlot);
  const tiles: Tile[] = [];
  for (let slot = first; ; slot++) {
    const x = Math.round(((slot * framesPerSlot - view.from) / span) * view.width);
    if (x >= view.width) return tiles;
    const n = floorIndex(strip.frames, slot * framesPerSlot + 0.5);
    tiles.push({
      sheet: Math.floor(n / perSheet),
      sourceX: (n % strip.columns) * strip.tile_width,
      sourceY: Math.floor((n % perSheet) / strip.columns) * strip.tile_height,
      x,
      width,
      frame: strip.frames[n]!,
    });
  }
}

export interface Peaks {
  perSecond: number;
  /** The loudest sample of each stretch, 0 … 255, from frame 0 on. */
  levels: Uint8Array;
}

/** From `peaks.json`: `{"per_second", "peaks"}`, base 64. */
export function readPeaks(document: { per_second: number; peaks: string }): Peaks {
  const text = atob(document.peaks);
  const levels = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) levels[i] = text.charCodeAt(i);
  return { perSecond: document.per_second, levels };
}

/** The loudest peak under each of the view's columns. */
export function columnsOf(peaks: Peaks, table: FrameTable, view: View): Uint8Array {
  const columns = new Uint8Array(Math.max(0, Math.floor(view.width)));
  const zero = table.seconds(0);
  const after = table.duration - zero;
  /** Where a frame (or a part of it) begins, among the peaks. */
  const place = (frame: number) => {
    const whole = Math.floor(frame);
    const start = frame >= table.frameCount ? after : table.seconds(whole) - zero;
    const end = whole + 1 >= table.frameCount ? after : table.seconds(whole + 1) - zero;
    return (start + (end - start) * (frame - whole)) * peaks.perSecond;
  };
  const perColumn = (view.to - view.from) / columns.length;
  for (let x = 0; x < columns.length; x++) {
    const from = view.from + x * perColumn;
    if (from < 0 || from >= table.frameCount) continue;
    const first = Math.floor(place(from));
    const end = Math.max(first + 1, Math.ceil(place(Math.min(from + perColumn, table.frameCount))));
    let loudest = 0;
    for (let i = first; i < end && i < peaks.levels.length; i++) {
      if (peaks.levels[i]! > loudest) loudest = peaks.levels[i]!;
    }
    columns[x] = loudest;
  }
  return columns;
}

type Pen = Pick<CanvasRenderingContext2D, "drawImage" | "fillRect" | "fillStyle">;

/** Draws the tiles whose sheets are loaded; says which sheets are wanted and are not. */
export function drawFilmstrip(
  pen: Pen,
  strip: Filmstrip,
  sheets: ReadonlyMap<number, CanvasImageSource>,
  view: View,
  top: number,
  height: number,
): Set<number> {
  const missing = new Set<number>();
  for (const tile of tilesIn(strip, view, height)) {
    const sheet = sheets.get(tile.sheet);
    if (!sheet) {
      missing.add(tile.sheet);
      continue;
    }
    pen.drawImage(sheet, tile.sourceX, tile.sourceY, strip.tile_width, strip.tile_height,
      tile.x, top, tile.width, height);
  }
  return missing;
}

/** Draws one bar a column around the middle line; quiet sound stays visible (square root). */
export function drawPeaks(
  pen: Pen, columns: Uint8Array, top: number, height: number, colour: string,
): void {
  pen.fillStyle = colour;
  for (let x = 0; x < columns.length; x++) {
    const tall = Math.max(1, Math.sqrt(columns[x]! / 255) * height);
    pen.fillRect(x, top + (height - tall) / 2, 1, tall);
  }
}
