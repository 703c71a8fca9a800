// The cut, frame by frame: the last frames of A beside the first frames of B. Its pictures come from
// a second, small player of the same file, so that the stage does not move.

import "./media.css";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { FrameTable } from "../contract.ts";
import { createPlayer } from "../media/player.ts";
import { clockOf, words } from "./mediaWords.ts";

/** Frames shown on each side of the cut. */
const AROUND = 3;
/** Pictures that are kept: nudging back and forth seeks nothing. */
const KEPT = 32;

export interface BoundaryCompareProps {
  table: FrameTable;
  /** The link that plays now, and where to get another. */
  url: string;
  freshLink?: () => Promise<string>;
  /** A ends before this frame and B begins with that one (the same for a common cut). */
  endOfA: number | null;
  startOfB: number | null;
  nameOfA: string;
  nameOfB: string;
  /** Not editable now. */
  readOnly?: boolean;
  /** Moves an edge by frames; a common cut moves as one when the page says so. */
  onNudge: (edge: "end" | "start", frames: number) => void;
  onClose?: () => void;
}

export function BoundaryCompare(props: BoundaryCompareProps) {
  const { table, url, freshLink, endOfA, startOfB, nameOfA, nameOfB, onNudge, onClose } = props;
  const readOnly = props.readOnly ?? false;
  const { video, pictures } = usePictures(table, url, freshLink, [
    ...around(endOfA, -AROUND, table.frameCount),
    ...around(startOfB, 0, table.frameCount),
  ]);
  return (
    <section class="compare" aria-label={words("compareTitle")}>
      <div class="compare-head">
        <h2>{words("compareTitle")}</h2>
        <Between a={endOfA} b={startOfB} />
        {onClose && (
          <button type="button" onClick={onClose}>
            {words("compareClose")}
          </button>
        )}
      </div>
      {/* Never seen: the canvases show what it decodes. */}
      <video ref={video} class="compare-source" muted playsInline preload="auto" tabIndex={-1} aria-hidden="true" />
      <div class="compare-sides">
        {endOfA !== null && (
          <Side
            edge="end" at={endOfA} name={nameOfA} table={table} pictures={pictures}
            readOnly={readOnly} onNudge={onNudge}
          />
        )}
        {startOfB !== null && (
          <Side
            edge="start" at={startOfB} name={nameOfB} table={table} pictures={pictures}
            readOnly={readOnly} onNudge={onNudge}
          />
        )}
      </div>
    </section>
  );
}

function Between({ a, b }: { a: number | null; b: number | null }) {
  if (a === null || b === null || a === b) return null;
  const n = Math.abs(b - a);
  const key = b > a ? "compareGap" : "compareOverlap";
  return <span class="compare-between">{words(n === 1 ? `${key}One` : key, { n })}</span>;
}

interface SideProps {
  edge: "end" | "start";
  at: number;
  name: string;
  table: FrameTable;
  pictures: ReadonlyMap<number, HTMLCanvasElement>;
  readOnly: boolean;
  onNudge: (edge: "end" | "start", frames: number) => void;
}

function Side({ edge, at, name, table, pictures, readOnly, onNudge }: SideProps) {
  const ends = edge === "end";
  const shown = ends ? at - 1 : at; // the frame of the edge itself
  const frames = Array.from({ length: AROUND }, (_, i) => at + i - (ends ? AROUND : 0));
  const others = frames.filter((frame) => frame !== shown);
  const small = others.map((frame) => {
    // Choosing a picture makes it the edge's own frame.
    const say = words(ends ? "endHere" : "beginHere", { name, n: frame });
    return frame < 0 || frame >= table.frameCount ? (
      <span key={frame} class="compare-none">{words("beyond")}</span>
    ) : (
      <button
        key={frame} type="button" class="compare-small" aria-label={say} title={say}
        disabled={readOnly} onClick={() => onNudge(edge, frame - shown)}
      >
        <Still of={pictures.get(frame)} />
        <span>{frame}</span>
      </button>
    );
  });
  return (
    <div class={`compare-side is-${edge}`} role="group" aria-label={words(ends ? "lastOf" : "firstOf", { name })}>
      <figure>
        <Still of={pictures.get(shown)} />
        <figcaption>
          <strong>{words(ends ? "lastOf" : "firstOf", { name })}</strong>
          <span>{words("frameAt", { n: shown, time: clockOf(table.seconds(shown) - table.seconds(0)) })}</span>
        </figcaption>
      </figure>
      <div class="compare-row">{small}</div>
      <div class="compare-nudge">
        {[-3, -1, 1, 3].map((by) => {
          const key = by < 0 ? (ends ? "endEarlier" : "beginEarlier") : ends ? "endLater" : "beginLater";
          return (
            <button
              key={by} type="button" disabled={readOnly}
              aria-label={words(key, { name, n: Math.abs(by) })}
              onClick={() => onNudge(edge, by)}
            >
              {by < 0 ? `−${-by}` : `+${by}`}
            </button>
          );
        })}
      </div>
    </div>
  );
}

/** A kept picture, copied: the same frame may be shown twice. */
function Still({ of }: { of: HTMLCanvasElement | undefined }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const to = canvas.current;
    if (!to || !of) return;
    to.width = of.width;
    to.height = of.height;
    to.getContext("2d")?.drawImage(of, 0, 0);
  }, [of]);
  return <canvas ref={canvas} class={of ? "still-picture" : "still-picture is-empty"} width={16} height={9} aria-hidden="true" />;
}

function around(edge: number | null, from: number, count: number): number[] {
  if (edge === null) return [];
  return Array.from({ length: AROUND }, (_, i) => edge + from + i)
    .filter((frame) => frame >= 0 && frame < count);
}

/** Still pictures of frames, each sought once. Drawing needs no right to read the pixels. */
function usePictures(
  table: FrameTable,
  url: string,
  freshLink: (() => Promise<string>) | undefined,
  frames: number[],
) {
  const video = useRef<HTMLVideoElement>(null);
  const kept = useRef(new Map<number, HTMLCanvasElement>());
  const [, redraw] = useState(0);
  const player = useMemo(
    () => createPlayer({ table, url, ...(freshLink ? { freshLink } : {}) }),
    [table, url],
  );
  useEffect(() => {
    player.attach(video.current!);
    return () => player.dispose();
  }, [player]);

  const wanted = frames.join(",");
  useEffect(() => {
    let called = true;
    const element = video.current!;
    void (async () => {
      for (const frame of frames) {
        if (kept.current.has(frame)) continue;
        await player.seek(frame);
        if (!called) return; // the cut moved on
        if (player.frame.value !== frame || element.videoWidth === 0) continue;
        const picture = document.createElement("canvas");
        picture.width = Math.min(element.videoWidth, 480);
        picture.height = Math.round((picture.width * element.videoHeight) / element.videoWidth);
        picture.getContext("2d")?.drawImage(element, 0, 0, picture.width, picture.height);
        kept.current.set(frame, picture);
        for (const old of kept.current.keys()) {
          if (kept.current.size <= KEPT) break;
          if (!frames.includes(old)) kept.current.delete(old);
        }
        redraw((n) => n + 1);
      }
    })();
    return () => void (called = false);
  }, [player, wanted]);

  return { video, pictures: kept.current as ReadonlyMap<number, HTMLCanvasElement> };
}
