// The timeline: three lanes on a canvas, for the eye and the pointer. Readers get the slider over
// it and the table beside it; every drag has buttons and fields in the inspector.

import { effect, untracked } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Segment } from "../contract.ts";
import { edgeRoom, snap, type Edge } from "../model/commands.ts";
import { LANES, segmentsAt } from "../model/segments.ts";
import type { Workbench } from "./store.ts";
import { StripsPanel } from "./StripsPanel.tsx";
import { onTheme } from "./theme.ts";
import { clock, t } from "./words.ts";

const RULER = 20;
const LANE = 26;
const FLAGS = 8;
const HEIGHT = RULER + 3 * LANE + FLAGS + 4;
const NEAR = 6; // px around an edge that take hold of it

interface Drag {
  kind: "seek" | "edge" | "pan";
  id?: string;
  edge?: Edge;
  frame?: number;
  x: number;
  first: number;
}

interface Colours {
  [name: string]: string;
}

const NAMES = [
  "ground", "card", "sunken", "line", "line-soft", "text", "muted", "accent", "accent-soft",
  "bad", "warn", "focus", "on-colour", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7",
];

function colours(): Colours {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Top and height of a segment: both hands fill two lanes. */
function band(segment: Segment): [number, number] {
  const lanes = LANES[segment.hands];
  if (lanes === 3) return [RULER, 2 * LANE];
  return [RULER + (lanes === 1 ? 0 : lanes === 2 ? 1 : 2) * LANE, LANE];
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least) ?? 10 * power;
}

class Painter {
  private readonly canvas: HTMLCanvasElement;
  private readonly wb: Workbench;
  private palette = colours();
  private queued = 0;
  private patterns = new Map<string, CanvasPattern | null>();
  drag: Drag | null = null;

  constructor(canvas: HTMLCanvasElement, wb: Workbench) {
    this.canvas = canvas;
    this.wb = wb;
  }

  recolour(): void {
    this.palette = colours();
    this.patterns.clear();
    this.soon();
  }

  soon(): void {
    if (!this.queued)
      this.queued = requestAnimationFrame(() => {
        this.queued = 0;
        this.paint();
      });
  }

  stop(): void {
    cancelAnimationFrame(this.queued);
  }

  get width(): number {
    return this.canvas.clientWidth;
  }

  x(frame: number): number {
    const { first, count } = this.wb.view.range.peek();
    return ((frame - first) / count) * this.width;
  }

  frame(x: number): number {
    const { first, count } = this.wb.view.range.peek();
    return first + (x / this.width) * count;
  }

  private pattern(context: CanvasRenderingContext2D, kind: number, colour: string): CanvasPattern | null {
    const key = `${kind} ${colour}`;
    if (!this.patterns.has(key)) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 8;
      const pen = tile.getContext("2d")!;
      pen.strokeStyle = colour;
      pen.lineWidth = 1;
      pen.globalAlpha = 0.5;
      if (kind === 1 || kind === 3) lines(pen, [[0, 8, 8, 0], [-1, 1, 1, -1], [7, 9, 9, 7]]);
      if (kind === 2 || kind === 3) lines(pen, [[0, 0, 8, 8], [-1, 7, 1, 9], [7, -1, 9, 1]]);
      this.patterns.set(key, context.createPattern(tile, "repeat"));
    }
    return this.patterns.get(key) ?? null;
  }

  private paint(): void {
    const { canvas, wb, palette } = this;
    const width = canvas.clientWidth;
    if (width === 0) return;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(HEIGHT * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(HEIGHT * scale);
    }
    const c = canvas.getContext("2d")!;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.fillStyle = palette["card"]!;
    c.fillRect(0, 0, width, HEIGHT);
    c.font = `11px system-ui, sans-serif`;
    c.textBaseline = "middle";

    const { first, count } = wb.view.range.peek();
    this.ruler(c, width, first, count);
    for (let lane = 0; lane < 3; lane++) {
      c.fillStyle = palette["sunken"]!;
      c.fillRect(0, RULER + lane * LANE + 1, width, LANE - 2);
    }
    const { segments, flags } = wb.timeline.peek();
    const findings = wb.findings.peek();
    segments.forEach((segment, index) => {
      if (segment.end_frame <= first || segment.start_frame >= first + count) return;
      this.segment(c, segment, index, findings.get(index)?.[0]?.severity ?? null);
    });
    const top = RULER + 3 * LANE + 2;
    for (const flag of flags) {
      const [from, to] = [this.x(flag.start_frame), this.x(flag.end_frame)];
      c.fillStyle = palette["warn"]!;
      c.fillRect(from, top, Math.max(2, to - from), FLAGS - 2);
    }
    this.playhead(c);
  }

  private ruler(c: CanvasRenderingContext2D, width: number, first: number, count: number): void {
    const { palette } = this;
    const perFrame = width / count;
    const step = niceStep(70 / perFrame);
    c.fillStyle = palette["muted"]!;
    c.strokeStyle = palette["line-soft"]!;
    c.lineWidth = 1;
    c.textAlign = "left";
    for (let frame = Math.ceil(first / step) * step; frame < first + count; frame += step) {
      const x = Math.round(this.x(frame)) + 0.5;
      c.beginPath();
      c.moveTo(x, 0);
      c.lineTo(x, HEIGHT);
      c.stroke();
      c.fillText(String(frame), x + 4, RULER / 2);
    }
    if (perFrame >= 6) {
      c.beginPath();
      for (let frame = Math.ceil(first); frame < first + count; frame++) {
        const x = Math.round(this.x(frame)) + 0.5;
        c.moveTo(x, RULER - 4);
        c.lineTo(x, RULER);
      }
      c.stroke();
    }
  }

  private segment(c: CanvasRenderingContext2D, segment: Segment, index: number, severity: string | null): void {
    const { palette, wb, drag } = this;
    const chosen = segment.id === wb.selected.peek();
    let [start, end] = [segment.start_frame, segment.end_frame];
    if (drag?.kind === "edge" && drag.id === segment.id && drag.frame !== undefined) {
      if (drag.edge === "start") start = drag.frame;
      else end = drag.frame;
    }
    const x = Math.max(-2, this.x(start));
    const right = Math.min(this.width + 2, this.x(end));
    const wide = Math.max(1, right - x);
    const [top, height] = band(segment);
    const [y, h] = [top + 2, height - 4];
    const type = wb.typeNumber(segment.action_type);
    c.fillStyle = type < 0 ? palette["card"]! : palette[`c${type % 8}`]!;
    c.fillRect(x, y, wide, h);
    const kind = type < 0 ? 1 : Math.floor(type / 8) % 4;
    const pattern = kind ? this.pattern(c, kind, palette[type < 0 ? "muted" : "on-colour"]!) : null;
    if (pattern && wide > 3) {
      c.fillStyle = pattern;
      c.fillRect(x, y, wide, h);
    }
    // A hair between neighbours, the ring around what is chosen.
    c.lineWidth = chosen ? 2 : 1;
    c.strokeStyle = chosen ? palette["accent"]! : palette["line"]!;
    if (wide > 3 || chosen) c.strokeRect(x + 0.5, y + 0.5, Math.max(1, wide - 1), h - 1);
    if (severity === "error") {
      c.fillStyle = palette["bad"]!;
      c.fillRect(x, y + h - 3, wide, 3);
    } else if (severity) {
      c.fillStyle = palette["warn"]!;
      c.fillRect(x, y + h - 3, wide, 3);
    }
    if (wide > 16) {
      c.save();
      c.beginPath();
      c.rect(x, y, wide - 3, h);
      c.clip();
      const label = wide > 46 && segment.action_type ? `${index + 1} ${wb.typeName(segment.action_type)}` : `${index + 1}`;
      const at = Math.max(x, 0) + 5;
      if (kind) {
        const measured = c.measureText(label).width;
        c.fillStyle = type < 0 ? palette["card"]! : palette[`c${type % 8}`]!;
        c.fillRect(at - 2, y + h / 2 - 7, measured + 4, 14);
      }
      c.fillStyle = type < 0 ? palette["text"]! : palette["on-colour"]!;
      c.fillText(label, at, y + h / 2);
      c.restore();
    }
    if (chosen) {
      const edge = wb.edge.peek() === "start" ? x : right;
      c.fillStyle = palette["focus"]!;
      c.fillRect(edge - 1.5, y - 2, 3, h + 4);
    }
  }

  private playhead(c: CanvasRenderingContext2D): void {
    const { palette, wb } = this;
    const frame = untracked(() => wb.player.frame.value);
    const x = this.x(frame);
    const one = this.x(frame + 1) - x;
    if (one > 2) {
      c.globalAlpha = 0.22;
      c.fillStyle = palette["accent"]!;
      c.fillRect(x, RULER, one, HEIGHT - RULER);
      c.globalAlpha = 1;
    }
    c.fillStyle = palette["text"]!;
    c.fillRect(Math.round(x) - 0.5, 0, 1.5, HEIGHT);
    c.beginPath();
    c.moveTo(x - 5, 0);
    c.lineTo(x + 5, 0);
    c.lineTo(x, 7);
    c.fill();
  }

  /** The segment at a point, and its edge when the point is close to one. */
  hit(x: number, y: number): { segment: Segment; edge: Edge | null } | null {
    if (y < RULER || y > RULER + 3 * LANE) return null;
    const lane = 1 << Math.floor((y - RULER) / LANE);
    const { wb } = this;
    let best: { segment: Segment; edge: Edge | null } | null = null;
    let distance = Infinity;
    for (const segment of wb.timeline.peek().segments) {
      if (!(LANES[segment.hands] & lane)) continue;
      const [from, to] = [this.x(segment.start_frame), this.x(segment.end_frame)];
      // Where two touch, the chosen one's edge is meant.
      const bias = segment.id === wb.selected.peek() ? -1 : 0;
      for (const [edge, at] of [["start", from], ["end", to]] as const) {
        const far = Math.abs(at - x) + bias;
        if (far <= NEAR && far < distance) [best, distance] = [{ segment, edge }, far];
      }
      if (from <= x && x < to && distance === Infinity) best = { segment, edge: null };
    }
    return best;
  }
}

function lines(pen: CanvasRenderingContext2D, all: number[][]): void {
  pen.beginPath();
  for (const [x1, y1, x2, y2] of all) {
    pen.moveTo(x1!, y1!);
    pen.lineTo(x2!, y2!);
  }
  pen.stroke();
}

export function Timeline({ wb }: { wb: Workbench }) {
  const canvas = useRef<HTMLCanvasElement>(null);

  useEffect(() => {
    const element = canvas.current!;
    const painter = new Painter(element, wb);
    const stop = effect(() => {
      // Everything that is drawn; the painter peeks at it in the next animation frame.
      void wb.timeline.value;
      void wb.selected.value;
      void wb.edge.value;
      void wb.view.range.value;
      void wb.player.frame.value;
      void wb.findings.value;
      painter.soon();
    });
    const observer = new ResizeObserver(() => {
      wb.view.columns.value = element.clientWidth;
      painter.soon();
    });
    observer.observe(element);
    const unthemed = onTheme(() => painter.recolour());

    const point = (event: PointerEvent | WheelEvent): [number, number] => {
      const box = element.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const onDown = (event: PointerEvent): void => {
      if (event.button !== 0 && event.button !== 1) return;
      // First, so that a number or text being typed becomes an edit of the segment it is about.
      (element.parentElement?.querySelector("[role=slider]") as HTMLElement | null)?.focus({ preventScroll: true });
      const [x, y] = point(event);
      const { first } = wb.view.range.peek();
      if (event.button === 1) painter.drag = { kind: "pan", x, first };
      else {
        const hit = painter.hit(x, y);
        if (hit) wb.select(hit.segment.id, false);
        if (hit?.edge && wb.readOnly.peek() === null) {
          wb.edge.value = hit.edge;
          painter.drag = { kind: "edge", id: hit.segment.id, edge: hit.edge, x, first };
        } else {
          if (!hit && y > RULER) wb.selected.value = null;
          painter.drag = { kind: "seek", x, first };
          void wb.seek(Math.floor(painter.frame(x)));
        }
      }
      element.setPointerCapture(event.pointerId);
      event.preventDefault();
    };
    const onMove = (event: PointerEvent): void => {
      const [x, y] = point(event);
      const { drag } = painter;
      if (!drag) {
        element.style.cursor = painter.hit(x, y)?.edge ? "ew-resize" : y < RULER ? "text" : "default";
        return;
      }
      if (drag.kind === "pan") {
        wb.view.look(drag.first - ((x - drag.x) / painter.width) * wb.view.range.peek().count);
      } else if (drag.kind === "seek") {
        void wb.seek(Math.floor(painter.frame(x)));
      } else if (Math.abs(x - drag.x) > 2 || drag.frame !== undefined) {
        const timeline = wb.timeline.peek();
        const segment = timeline.segments.find((s) => s.id === drag.id);
        if (!segment) return;
        const reach = Math.floor((NEAR / painter.width) * wb.view.range.peek().count);
        let frame = Math.round(painter.frame(x));
        if (!event.altKey) frame = snap(timeline, segment.id, frame, reach);
        const room = edgeRoom(timeline, segment, drag.edge!, wb.frameCount, wb.settings.peek().together);
        drag.frame = Math.max(room.low, Math.min(room.high, frame));
        void wb.seek(drag.edge === "start" ? drag.frame : drag.frame - 1);
        painter.soon();
      }
    };
    const onUp = (): void => {
      const { drag } = painter;
      painter.drag = null;
      if (drag?.kind === "edge" && drag.frame !== undefined) wb.moveEdge(drag.edge!, drag.frame);
      painter.soon();
    };
    const onCancel = (): void => {
      painter.drag = null;
      painter.soon();
    };
    const onWheel = (event: WheelEvent): void => {
      event.preventDefault();
      const [x] = point(event);
      const { first, count } = wb.view.range.peek();
      if (event.ctrlKey || event.metaKey) wb.view.zoom(event.deltaY > 0 ? 1.25 : 0.8, painter.frame(x));
      else {
        const by = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.deltaY;
        wb.view.look(first + (by / painter.width) * count);
      }
    };
    element.addEventListener("pointerdown", onDown);
    element.addEventListener("pointermove", onMove);
    element.addEventListener("pointerup", onUp);
    element.addEventListener("pointercancel", onCancel);
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => {
      stop();
      painter.stop();
      observer.disconnect();
      unthemed();
    };
  }, [wb]);

  return (
    <section class="wb-timeline" aria-label={t("timeline")}>
      <div class="wb-zoom">
        <span class="wb-lanes" aria-hidden="true">
          <b style={{ height: `${LANE}px` }}>{t("left")}</b>
          <b style={{ height: `${LANE}px` }}>{t("right")}</b>
          <b style={{ height: `${LANE}px` }}>{t("none")}</b>
        </span>
      </div>
      <div class="wb-canvas">
        <canvas ref={canvas} aria-hidden="true" style={{ height: `${HEIGHT}px` }} />
        <Slider wb={wb} />
        <StripsPanel wb={wb} />
      </div>
      <div class="wb-tools">
        <button type="button" title={wb.keyOf("zoomOut")} aria-label={t("zoomOut")} onClick={() => wb.view.zoom(2)}>−</button>
        <button type="button" title={wb.keyOf("zoomIn")} aria-label={t("zoomIn")} onClick={() => wb.view.zoom(0.5)}>+</button>
        <button type="button" title={wb.keyOf("zoomFit")} onClick={() => wb.view.look(0, wb.frameCount)}>{t("zoomFit")}</button>
        <button type="button" onClick={() => wb.view.frames()}>{t("zoomFrames")}</button>
        <label class="wb-inline">
          <input
            type="checkbox"
            checked={wb.settings.value.together}
            onChange={(event) => wb.set({ together: event.currentTarget.checked })}
          />
          {t("together")}
        </label>
      </div>
    </section>
  );
}

/** The playhead for readers and for keys: arrows step, Page keys jump, Home and End go to the ends. */
function Slider({ wb }: { wb: Workbench }) {
  const frame = wb.player.frame.value;
  const { segments } = wb.timeline.value;
  const here = segmentsAt(segments, frame).map((s) => [segments.indexOf(s), s] as const);
  const what = here
    .sort(([a], [b]) => a - b)
    .map(([i, s]) => `${t("segment", { n: i + 1 })}, ${wb.typeName(s.action_type)}`)
    .join("; ");
  return (
    <div
      class="wb-slider"
      role="slider"
      tabIndex={0}
      data-own-arrows={wb.keymap.value.singleKeys ? undefined : ""}
      aria-label={t("position")}
      aria-valuemin={0}
      aria-valuemax={wb.frameCount - 1}
      aria-valuenow={frame}
      aria-valuetext={`${t("sliderText", { frame, total: wb.frameCount - 1, what: what || t("nothingHere") })}, ${clock(wb.table.seconds(frame))}`}
      onKeyDown={(event) => {
        const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        void wb.player.step(event.shiftKey ? by * 10 : by);
      }}
    />
  );
}
