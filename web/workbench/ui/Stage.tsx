// The picture: the one <video>, the number of the frame that it shows, and what is wrong with it.

import "./media.css";
import { useEffect, useRef } from "preact/hooks";
import type { FrameTable, Player } from "../contract.ts";
import type { MediaLinks, Quality } from "../media/links.ts";
import { clockOf, words } from "./mediaWords.ts";

export interface PictureProps {
  player: Player & { retry?: () => void };
  table: FrameTable;
  /** What the video is called. */
  label: string;
  /** With them there is a choice of quality; without them, nothing to play. */
  links?: MediaLinks;
}

/** Fills its parent. `data-frame` and `data-state` tell tests what the player says. */
export function Picture({ player, table, label, links }: PictureProps) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => player.attach(video.current!), [player]);
  return (
    <div class="picture">
      <video
        ref={video}
        aria-label={label}
        playsInline
        preload="auto"
        tabIndex={-1}
        disablePictureInPicture
        disableRemotePlayback
      />
      <Counter player={player} table={table} />
      {links ? <Condition player={player} /> : <p class="picture-condition">{words("videoNotShown")}</p>}
      {links && <QualityChoice links={links} player={player} />}
    </div>
  );
}

/** Redrawn with each frame: a component of its own, so that nothing else is. */
function Counter({ player, table }: { player: Player; table: FrameTable }) {
  const frame = player.frame.value;
  const rate = player.rate.value;
  return (
    <p
      class="picture-counter"
      aria-hidden="true"
      data-frame={frame}
      data-state={player.state.value}
      data-playing={String(player.playing.value)}
    >
      <b>{frame}</b> <span>{clockOf(table.seconds(frame) - table.seconds(0))}</span>
      {rate !== 1 && <span> {rate < 0 ? `◀ ${-rate}` : rate}×</span>}
    </p>
  );
}

function Condition({ player }: Pick<PictureProps, "player">) {
  const state = player.state.value;
  if (state === "failed") {
    return (
      <div class="picture-condition" role="alert">
        <p>{words("videoFailed")}</p>
        {player.retry && (
          <button type="button" onClick={() => player.retry!()}>
            {words("videoRetry")}
          </button>
        )}
      </div>
    );
  }
  if (state === "ready") return null;
  return (
    <div class="picture-condition is-waiting" role="status">
      <p>{words(state === "loading" ? "videoLoading" : "videoStalled")}</p>
    </div>
  );
}

/** 480 or 720 lines; the large proxy is made by the server when it is chosen first. */
export function QualityChoice({ links, player }: { links: MediaLinks; player: Player }) {
  const large = links.large.value;
  if (links.media.value.kind !== "proxy") return null; // there is only the source yet
  return (
    <label class="picture-quality">
      <span>{words("quality")}</span>
      <select
        value={links.quality.value}
        onChange={(event) => void links.choose(event.currentTarget.value as Quality, player)}
      >
        <option value="standard">{words("standard")}</option>
        <option value="large" disabled={large === "refused"}>
          {words(large === "making" ? "largeMaking" : large === "refused" ? "largeRefused" : "large")}
        </option>
      </select>
    </label>
  );
}
