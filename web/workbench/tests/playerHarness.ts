// The player alone on a page, for tests/browser/test_exactness.py: reads a claim through the API,
// plays its media and reads the frame numbers that the clips carry in their pixels.
// Bundled by the test; no part of the product.

import { frameTable } from "../media/frameTable.ts";
import { createPlayer, type MediaPlayer } from "../media/player.ts";

// As drawn by videos/demo_clips.py.
const HEIGHT = 360;
const CELL = 16;
const BITS = 16;
const CELLS = 2 + BITS + 1;

export interface Seen {
  frame: number; // asked for
  shown: number; // the player's number
  number: number | null; // in the pixels
  media: number; // seconds that the browser says it presented
  table: number; // seconds in the table
  ms: number;
}

let player: MediaPlayer;
let video: HTMLVideoElement;
let mediaTime = -1;
const canvas = document.createElement("canvas");
const pen = canvas.getContext("2d", { willReadFrequently: true })!;

async function get<T>(url: string): Promise<T> {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return (await answer.json()) as T;
}

/** Opens a claim: what the workbench does, without the rest of it. */
async function open(assignment: number): Promise<{ frames: number; kind: string }> {
  const base = `/api/v1/assignments/${assignment}/`;
  type Claim = { media: { url: string; zero_seconds: number; kind: string } };
  const claim = await get<Claim>(base);
  const table = frameTable(await get(`${base}frame-times/`), claim.media.zero_seconds);
  video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  document.body.append(video);
  const each: VideoFrameRequestCallback = (_now, shown) => {
    mediaTime = shown.mediaTime;
    video.requestVideoFrameCallback(each);
  };
  video.requestVideoFrameCallback(each); // before the player's: it hears of a frame first
  player = createPlayer({
    table,
    url: claim.media.url,
    freshLink: async () => (await get<Claim>(base)).media.url,
  });
  player.attach(video);
  await player.seek(0);
  return { frames: table.frameCount, kind: claim.media.kind };
}

/** The number in the picture that is on screen; null when none can be read. */
function readNumber(): number | null {
  const scale = video.videoHeight / HEIGHT;
  const strip = Math.round(CELL * scale);
  canvas.width = video.videoWidth;
  canvas.height = strip;
  pen.drawImage(video, 0, video.videoHeight - strip, video.videoWidth, strip,
    0, 0, video.videoWidth, strip);
  const pixels = pen.getImageData(0, 0, canvas.width, strip).data;
  const lit = Array.from({ length: CELLS }, (_, i) => {
    const at = 4 * (Math.floor(strip / 2) * canvas.width + Math.round((i + 0.5) * CELL * scale));
    return (pixels[at]! + pixels[at + 1]! + pixels[at + 2]!) / 3 > 127;
  });
  const bits = lit.slice(2, 2 + BITS);
  if (!lit[0] || lit[1] || lit[CELLS - 1] !== (bits.filter(Boolean).length % 2 === 1)) return null;
  return bits.reduce((number, bit) => number * 2 + Number(bit), 0);
}

/** What is on screen now. Only the browser's own report may come later, on a busy machine. */
async function seen(frame: number, started: number): Promise<Seen> {
  const found: Seen = {
    frame,
    shown: player.frame.value,
    number: readNumber(),
    media: mediaTime,
    table: player.table.seconds(player.frame.value),
    ms: performance.now() - started,
  };
  const late = performance.now() + 2000;
  while (Math.abs(mediaTime - found.table) > 1e-6 && performance.now() < late) {
    await new Promise((done) => setTimeout(done, 5));
  }
  return { ...found, media: mediaTime };
}

async function seekEach(frames: number[]): Promise<Seen[]> {
  const all = [];
  for (const frame of frames) {
    const started = performance.now();
    await player.seek(frame);
    all.push(await seen(frame, started));
  }
  return all;
}

/** Steps by `by` until the file ends, from wherever it stands. */
async function stepThrough(by: 1 | -1): Promise<Seen[]> {
  const all = [];
  for (let left = player.table.frameCount - 1; left > 0; left--) {
    const wanted = player.frame.value + by;
    const started = performance.now();
    await player.step(by);
    all.push(await seen(wanted, started));
  }
  return all;
}

/** Asks for all at once, without waiting for any. */
async function burst(frames: number[]): Promise<Seen> {
  const started = performance.now();
  await Promise.all(frames.map((frame) => player.seek(frame)));
  return seen(frames.at(-1)!, started);
}

/** Plays from `from` until at least `until` was shown, then pauses at once. */
async function playAndPause(rate: number, from: number, until: number): Promise<Seen> {
  await player.seek(from);
  player.setRate(rate);
  await player.play();
  await new Promise<void>((done) => {
    const look = () => {
      if (player.frame.value >= until || !player.playing.value) done();
      else requestAnimationFrame(look);
    };
    look();
  });
  const before = player.frame.value;
  const started = performance.now();
  await player.pause();
  return seen(before, started);
}

/** The number on screen once a range has been played to its end. */
async function playRange(start: number, end: number): Promise<Seen> {
  const started = performance.now();
  await player.playRange(start, end, false);
  await new Promise<void>((done) => {
    const look = () => (player.playing.value ? requestAnimationFrame(look) : done());
    look();
  });
  await player.pause(); // waits for the snap that is under way
  return seen(end - 1, started);
}

const harness = { open, seekEach, stepThrough, burst, playAndPause, playRange };
Object.assign(window, { harness });
