// The one owner of the <video> element. Frames come in and go out; seconds stay in here.
//
// What makes it exact: a seek goes a little into the frame (FrameTable.seekTarget), the frame on
// screen is a floor search of the time that the browser says it presented, and a pause ends with a
// seek to that frame, so that picture and number cannot disagree.

import { signal } from "@preact/signals";
import type { FrameTable, Player } from "../contract.ts";

export interface PlayerOptions {
  table: FrameTable;
  /** The signed link to play; may come later with setSource. */
  url?: string;
  /** Asked for when a link does not work any more (expired, refused) or soon will. */
  freshLink?: () => Promise<string>;
  /** How long a link works; a new one is asked for before, while nothing plays. */
  linkSeconds?: number;
}

/** What the page's own Stage needs beyond the contract. */
export interface MediaPlayer extends Player {
  readonly table: FrameTable;
  /** The link that is played now: boundary compare loads it too. */
  readonly source: { readonly value: string };
  /** Tries a failed video again. */
  retry(): void;
}

type State = Player["state"]["value"];

const SLOWEST = 0.25;
const FASTEST = 8;
/** After `seeked` the picture is on screen within a display's refresh or two, or nobody looks. */
const PRESENT_MS = 60;
/** Shorter waits for data are not worth a word. */
const STALL_MS = 400;
/** Waits before asking for another link, for failures that follow each other within … */
const RETRY_MS = [0, 1000, 3000];
const FORGIVEN_MS = 10_000;
const REFRESH_AT = 0.9;

export function createPlayer(options: PlayerOptions): MediaPlayer {
  const { table, freshLink } = options;
  const last = table.frameCount - 1;
  const frame = signal(0);
  const playing = signal(false);
  const rate = signal(1);
  const state = signal<State>("loading");
  const source = signal(options.url ?? "");
  // Read with peek() in here: a command called inside an effect must not subscribe it.

  let video: HTMLVideoElement | null = null;
  let listening = new AbortController();
  let chosenRate = 1; // what playing forwards starts with; a shuttle returns to it

  // One seek is with the browser, at most one waits; whatever was asked in between is dropped.
  let outstanding: number | null = null;
  let landed = false; // the browser says that the outstanding seek is done …
  let pictured = false; // … and that its picture is on screen
  let waiting: number | null = null;
  let asked: { frame: number; shown: () => void }[] = [];
  let giveUp: Timer;

  let presented = 0;
  let range: { start: number; end: number; loop: boolean } | null = null;
  let reverse: { from: number; at: number } | null = null;
  let stallTimer: Timer;
  let retryTimer: Timer;
  let refreshTimer: Timer;
  let failures = 0;
  let failedAt = 0;
  let wish = 0; // counts commands: a later one calls off what an earlier one still wants
  let refreshDue = false;
  let resumeAfterLoad = false;
  let disposed = false;

  const inside = (wanted: number) => Math.min(Math.max(Math.round(wanted) || 0, 0), last);
  const goingTo = () => waiting ?? outstanding ?? frame.peek();

  // --- seeking -----------------------------------------------------------------------------------

  function request(wanted: number): Promise<void> {
    const target = inside(wanted);
    waiting = target;
    // Earlier requests that have not reached the browser are dropped: their callers go on.
    settle((one) => one.frame !== target && one.frame !== outstanding);
    return new Promise((shown) => {
      asked.push({ frame: target, shown });
      if (disposed || state.peek() === "failed") settle(() => true);
      else next();
    });
  }

  function settle(which: (one: { frame: number }) => boolean): void {
    const done = asked.filter(which);
    asked = asked.filter((one) => !which(one));
    for (const one of done) one.shown();
  }

  function next(): void {
    if (!video || outstanding !== null || waiting === null) return;
    if (video.readyState < 1 || video.error) return; // nothing can be sought yet
    outstanding = waiting;
    waiting = null;
    landed = pictured = false;
    video.currentTime = table.seekTarget(outstanding);
  }

  function onSeeked(): void {
    if (!video || outstanding === null || video.seeking) return;
    landed = true;
    if (pictured || !canWatch(video)) arrive();
    else {
      clearTimeout(giveUp);
      giveUp = setTimeout(arrive, PRESENT_MS);
    }
  }

  function arrive(): void {
    clearTimeout(giveUp);
    if (!video || outstanding === null) return;
    outstanding = null;
    // The clock's own frame; should the browser show another, its next report corrects this.
    presented = table.frameAt(video.currentTime);
    frame.value = presented;
    settle((one) => one.frame !== waiting);
    next();
  }

  // --- what is on screen -------------------------------------------------------------------------

  function watch(element: HTMLVideoElement): void {
    if (watchesFrames(element)) {
      const each: VideoFrameRequestCallback = (_now, shown) => {
        if (element !== video) return;
        element.requestVideoFrameCallback(each);
        onPresented(table.frameAt(shown.mediaTime));
      };
      element.requestVideoFrameCallback(each);
    }
  }

  function onPresented(shown: number): void {
    presented = shown;
    if (outstanding !== null) {
      // A picture of before the seek may still come by.
      pictured ||= shown === outstanding;
      if (landed && (pictured || playing.peek())) arrive();
      return;
    }
    frame.value = shown;
    keepRange();
  }

  function onTimeUpdate(): void {
    if (!video || video.paused || canWatch(video) || outstanding !== null) return;
    onPresented(table.frameAt(video.currentTime));
  }

  function keepRange(): void {
    if (!range || !playing.peek() || reverse) return;
    if (range.loop && frame.peek() >= range.end) void request(range.start);
    else if (!range.loop && frame.peek() >= range.end - 1) {
      void stop(Math.min(frame.peek(), range.end - 1));
    }
  }

  // --- playing -----------------------------------------------------------------------------------

  async function start(): Promise<void> {
    if (disposed || !video || state.peek() === "failed") return;
    playing.value = true;
    if (rate.peek() < 0) {
      video.pause(); // the picture stands; each step below shows another
      reverse = { from: table.seconds(onScreen()), at: performance.now() };
      void stepBack();
      return;
    }
    reverse = null;
    video.playbackRate = rate.peek();
    if ("preservesPitch" in video) video.preservesPitch = true;
    try {
      await video.play();
    } catch {
      // Paused at once, not allowed yet, or without a source: whoever asked sees it standing.
      if (video?.paused) playing.value = false;
    }
  }

  /** Backwards there is no playback: the clock says which frame is due, a seek shows it. */
  async function stepBack(): Promise<void> {
    const run = reverse;
    while (run && run === reverse && playing.peek()) {
      const gone = ((performance.now() - run.at) / 1000) * -rate.peek();
      const due = table.frameAt(run.from - gone);
      const least = range?.start ?? 0;
      if (due <= least) {
        if (range?.loop) {
          run.from = table.seconds(range.end - 1);
          run.at = performance.now();
          continue;
        }
        await stop(least);
        return;
      }
      if (due !== frame.peek()) await request(due);
      await refresh();
    }
  }

  function stop(at: number): Promise<void> {
    playing.value = false;
    resumeAfterLoad = false;
    reverse = null;
    range = null;
    rate.value = chosenRate;
    video?.pause();
    const done = request(at);
    if (refreshDue) void renewLink();
    return done;
  }

  function pause(): Promise<void> {
    wish += 1;
    resumeAfterLoad = false;
    if (playing.peek()) return stop(onScreen());
    return outstanding === null && waiting === null ? Promise.resolve() : request(goingTo());
  }

  /** The frame that a person sees now. */
  function onScreen(): number {
    if (!video || reverse || outstanding !== null || waiting !== null) return goingTo();
    if (canWatch(video)) return presented;
    return table.frameAt(video.currentTime);
  }

  function onEnded(): void {
    if (!playing.peek() || reverse) return;
    if (range?.loop) {
      void request(range.start);
      void start();
    } else void stop(range ? range.end - 1 : last);
  }

  // --- the source --------------------------------------------------------------------------------

  function load(url: string): void {
    source.value = url;
    if (!video || !url) return;
    resumeAfterLoad ||= playing.peek() && !reverse;
    waiting = goingTo();
    outstanding = null;
    settle((one) => one.frame !== waiting);
    clearTimeout(giveUp);
    state.value = "loading";
    video.src = url;
    video.load();
    clearTimeout(refreshTimer);
    refreshDue = false;
    refreshTimer = setTimeout(
      () => {
        refreshDue = true;
        if (!playing.peek()) void renewLink();
      },
      (options.linkSeconds ?? 3600) * 1000 * REFRESH_AT,
    );
  }

  function onMetadata(): void {
    waiting ??= frame.peek();
    next();
    if (resumeAfterLoad) {
      resumeAfterLoad = false;
      void start();
    }
  }

  function onError(): void {
    if (!video?.error || disposed) return;
    if (performance.now() - failedAt > FORGIVEN_MS) failures = 0;
    failedAt = performance.now();
    const wait = RETRY_MS[failures];
    failures += 1;
    if (!freshLink || wait === undefined) {
      fail();
      return;
    }
    state.value = "stalled";
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => void renewLink(), wait);
  }

  async function renewLink(): Promise<void> {
    refreshDue = false;
    if (!freshLink) return;
    try {
      const url = await freshLink();
      if (!disposed) load(url);
    } catch {
      // A link that still works goes on working; a broken one is the person's to retry.
      if (video?.error) fail();
    }
  }

  function fail(): void {
    state.value = "failed";
    playing.value = false;
    reverse = null;
    range = null;
    waiting = goingTo(); // shown by retry()
    outstanding = null;
    settle(() => true);
  }

  function onData(): void {
    clearTimeout(stallTimer);
    if (video && video.readyState >= 2 && !video.error) state.value = "ready";
  }

  function onWaiting(): void {
    clearTimeout(stallTimer);
    stallTimer = setTimeout(() => {
      if (video && video.readyState < 3 && state.peek() === "ready") state.value = "stalled";
    }, STALL_MS);
  }

  function detach(): void {
    listening.abort();
    for (const timer of [giveUp, stallTimer, retryTimer, refreshTimer]) clearTimeout(timer);
    video = null;
  }

  function begin(): Promise<void> {
    wish += 1;
    range = null;
    if (goingTo() >= last && rate.peek() > 0 && last > 0) void request(0);
    return start();
  }

  return {
    frame, playing, rate, state, table, source, pause,
    attach(element) {
      if (element === video) return;
      detach();
      video = element;
      listening = new AbortController();
      const on = (name: string, hear: () => void) =>
        element.addEventListener(name, hear, { signal: listening.signal });
      on("loadedmetadata", onMetadata);
      on("seeked", onSeeked);
      on("timeupdate", onTimeUpdate);
      on("ended", onEnded);
      on("error", onError);
      for (const name of ["loadeddata", "canplay", "playing", "seeked"]) on(name, onData);
      for (const name of ["waiting", "stalled"]) on(name, onWaiting);
      watch(element);
      load(source.peek());
    },
    seek(wanted) {
      wish += 1;
      range = null;
      if (reverse) reverse = { from: table.seconds(inside(wanted)), at: performance.now() };
      const done = request(wanted);
      if (reverse) void stepBack();
      return done;
    },
    step(frames) {
      wish += 1;
      return playing.peek() ? stop(inside(onScreen() + frames)) : request(goingTo() + frames);
    },
    async play() {
      if (playing.peek()) return;
      await begin();
    },
    async toggle() {
      await (playing.peek() ? pause() : begin());
    },
    setRate(wanted) {
      const size = Math.min(Math.max(Math.abs(wanted) || 1, SLOWEST), FASTEST);
      rate.value = wanted < 0 ? -size : size;
      chosenRate = size;
      if (playing.peek()) void start();
    },
    async shuttle(direction) {
      if (direction === 0) {
        await pause();
        return;
      }
      const same = playing.peek() && Math.sign(rate.peek()) === direction;
      const size = same ? Math.min(Math.abs(rate.peek()) * 2, FASTEST) : chosenRate;
      range = null;
      rate.value = direction * size;
      await (playing.peek() ? start() : begin());
    },
    async playRange(from, to, loop) {
      const mine = ++wish;
      const first = inside(from);
      const end = Math.max(Math.min(Math.round(to), table.frameCount), first + 1);
      await stop(first);
      if (mine !== wish || disposed) return;
      range = { start: first, end, loop };
      await start();
    },
    setSource(url) {
      load(url);
      return video ? request(goingTo()) : Promise.resolve();
    },
    retry() {
      failures = 0;
      if (freshLink) void renewLink();
      else load(source.peek());
    },
    dispose() {
      disposed = true;
      const element = video;
      detach();
      if (element) {
        element.pause();
        element.removeAttribute("src");
        element.load(); // lets go of its connection
      }
      playing.value = false;
      settle(() => true);
    },
  };
}

type Timer = ReturnType<typeof setTimeout> | undefined;

/** Whether frames are reported as they are shown: not in every browser, never in a hidden tab. */
function canWatch(element: HTMLVideoElement): boolean {
  return watchesFrames(element) && !document.hidden;
}

function watchesFrames(element: HTMLVideoElement): boolean {
  return typeof element.requestVideoFrameCallback === "function";
}

/** The next moment at which the screen is drawn; a moment later where nothing is. */
function refresh(): Promise<void> {
  return new Promise((done) => {
    if (typeof requestAnimationFrame === "function" && !document.hidden) {
      requestAnimationFrame(() => done());
    } else setTimeout(done, 16);
  });
}
