// The words around the picture. Another language is another catalogue with the same keys, given to
// `speakOfMedia` before the first render.

const ENGLISH = {
  videoLoading: "Loading the video…",
  videoStalled: "Waiting for the video…",
  videoNotShown: "The video is no longer shown.",
  videoFailed: "The video can't be played. Your work is safe.",
  videoRetry: "Try the video again",
  quality: "Picture",
  standard: "480 lines",
  large: "720 lines",
  largeMaking: "720 lines (being made)",
  largeRefused: "720 lines (not available)",
  compareTitle: "The cut, frame by frame",
  compareGap: "{n} frames between",
  compareGapOne: "1 frame between",
  compareOverlap: "{n} frames in both",
  compareOverlapOne: "1 frame in both",
  compareNothing: "Choose a segment: the cut at its edge is compared here.",
  compareClose: "Close comparison",
  lastOf: "Last frame of {name}",
  firstOf: "First frame of {name}",
  frameAt: "Frame {n}, {time}",
  beyond: "No frame",
  endHere: "End {name} with frame {n}",
  beginHere: "Begin {name} with frame {n}",
  endEarlier: "End {name} {n} earlier",
  endLater: "End {name} {n} later",
  beginEarlier: "Begin {name} {n} earlier",
  beginLater: "Begin {name} {n} later",
} as const;

export type MediaWord = keyof typeof ENGLISH;
let catalogue: Record<MediaWord, string> = ENGLISH;

export function speakOfMedia(other: Record<MediaWord, string>): void {
  catalogue = other;
}

export function words(key: MediaWord, values: Record<string, string | number> = {}): string {
  return catalogue[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}

/** 1:02:03.456, without hours where there are none. */
export function clockOf(seconds: number): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const two = (n: number) => String(n).padStart(2, "0");
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const rest = `${two(Math.floor(ms / 1000) % 60)}.${String(ms % 1000).padStart(3, "0")}`;
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}
