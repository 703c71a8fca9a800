// Loads the task, then shows the workbench; also what one sees before, instead and after.

import { untracked } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { api, Offline, Problem } from "../api/client.ts";
import { listen } from "../keys/dispatch.ts";
import { frameTable } from "../media/frameTable.ts";
import { mediaLinks } from "../media/links.ts";
import { NextTask, withLoaded } from "../media/next.ts";
import { createPlayer } from "../media/player.ts";
import { openSync, Refusal } from "../sync/index.ts";
import { run } from "./actions.ts";
import { Dialogs } from "./Dialogs.tsx";
import { Guideline } from "./Guideline.tsx";
import { Inspector } from "./Inspector.tsx";
import { SegmentList } from "./SegmentList.tsx";
import { Banners, Header, Live } from "./Status.tsx";
import { Stage } from "./StagePanel.tsx";
import { Workbench } from "./store.ts";
import { Timeline } from "./Timeline.tsx";
import { money, t } from "./words.ts";

interface Props {
  assignment: number;
  person: number;
  home: string;
}

async function load({ assignment: id, person, home }: Props): Promise<Workbench> {
  const [assignment, brief, times] = await Promise.all([
    api.assignment(id),
    api.brief(id),
    api.frameTimes(id),
  ]);
  const table = frameTable(times, assignment.media?.zero_seconds ?? 0);
  let workbench: Workbench | null = null;
  const sync = await openSync({
    claim: assignment,
    person,
    replaced: (timeline, differences) => workbench?.replaced(timeline, differences),
    playing: () => workbench !== null && untracked(() => workbench!.player.playing.value),
  });
  const serverNow = Date.parse(assignment.server_time);
  const aheadMs = serverNow - Date.now();
  const links = assignment.media
    ? mediaLinks(withLoaded(id, assignment.media, serverNow), {
        fetch: () => api.media(id),
        askLarge: () => api.wantLarge(id),
        aheadMs,
      })
    : null;
  const player = createPlayer({
    table,
    ...(links ? { url: links.url, linkSeconds: links.seconds, freshLink: links.freshLink } : {}),
  });
  const next = new NextTask(id, { claims: () => api.liveClaims(person), media: api.media, aheadMs });
  workbench = new Workbench({ assignment, brief, person, home, table, links, player, sync, next });
  return workbench;
}

export function App(props: Props) {
  const [workbench, setWorkbench] = useState<Workbench | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [tries, setTries] = useState(0);

  useEffect(() => {
    let gone = false;
    setFailure(null);
    load(props).then(
      (loaded) => {
        if (gone) loaded.sync.dispose();
        else setWorkbench(loaded);
      },
      (error: unknown) => {
        if (gone) return;
        if (error instanceof Offline) setFailure(t("offlineLoad"));
        else if (error instanceof Problem)
          setFailure(error.status === 404 ? t("notFound") : error.message);
        else if (error instanceof Refusal) setFailure(error.message);
        else {
          setFailure(String(error));
          throw error;
        }
      },
    );
    return () => void (gone = true);
  }, [tries]);

  if (failure !== null)
    return (
      <div class="wb">
        <Bar home={props.home} />
        <main class="wb-alone">
          <h1>{t("loadFailed")}</h1>
          <p role="alert">{failure}</p>
          <p class="wb-row">
            <button type="button" class="wb-primary" onClick={() => setTries(tries + 1)}>
              {t("tryAgain")}
            </button>
            <a href={props.home}>{t("back")}</a>
          </p>
        </main>
      </div>
    );
  if (!workbench)
    return (
      <div class="wb wb-waiting">
        <Bar home={props.home}>
          <div class="wb-title" role="status">
            <h1>{t("loading")}</h1>
          </div>
        </Bar>
        <main class="wb-desk" aria-busy="true">
          <div class="wb-stage" />
          <div class="wb-side">
            <div class="wb-inspector" />
            <div class="wb-list" />
          </div>
          <div class="wb-timeline" />
        </main>
      </div>
    );
  return <Desk wb={workbench} />;
}

/** The bar while there is no task to tell of. */
function Bar({ home, children }: { home: string; children?: ComponentChildren }) {
  return (
    <header class="wb-header">
      <a class="wb-back" href={home} title={t("back")}>
        <span aria-hidden="true">←</span>
        <span class="wb-unseen">{t("back")}</span>
      </a>
      {children}
    </header>
  );
}

function Desk({ wb }: { wb: Workbench }) {
  useEffect(() => {
    // For tests and for support: what the page knows, from the console.
    (window as unknown as { workbench: Workbench }).workbench = wb;
    const unlisten = listen({
      keymap: () => wb.keymap.value,
      isBlocked: () => wb.dialog.value !== null || wb.ended.value !== null,
      run: (action, repeat) => run(wb, action, repeat),
      stepWhileHeld: (frames) => void wb.player.step(frames),
    });
    const unfollow = wb.view.follow();
    const unwatch = wb.next.watch(wb.player);
    const active = (): void => wb.sync.activity();
    const signs = ["keydown", "pointerdown", "wheel"] as const;
    for (const sign of signs) window.addEventListener(sign, active, { passive: true });
    return () => {
      unlisten();
      unfollow();
      unwatch();
      for (const sign of signs) window.removeEventListener(sign, active);
      wb.player.dispose();
      wb.links?.dispose();
      wb.sync.dispose();
    };
  }, [wb]);

  const ended = wb.ended.value;
  if (ended) return <Ended wb={wb} />;
  return (
    <div class={wb.guidelineOpen.value ? "wb wb-with-guideline" : "wb"}>
      <Header wb={wb} />
      <main class="wb-desk" id="main">
        <h1 class="wb-unseen">{t("task", { id: wb.assignment.task })}</h1>
        <Banners wb={wb} />
        <Stage wb={wb} />
        <div class="wb-side">
          <Inspector wb={wb} />
          <SegmentList wb={wb} />
        </div>
        {wb.guidelineOpen.value && <Guideline wb={wb} />}
        <Timeline wb={wb} />
      </main>
      <Live wb={wb} />
      <Dialogs wb={wb} />
    </div>
  );
}

function Ended({ wb }: { wb: Workbench }) {
  const ended = wb.ended.value!;
  const next = wb.next.claim.value;
  return (
    <main class="wb-alone">
      <h1 tabIndex={-1} ref={(heading) => heading?.focus()}>
        {t(ended.kind === "submitted" ? "submitted" : "returned")}
      </h1>
      <p role="status">
        {ended.kind === "submitted"
          ? t("submittedText", {
              n: ended.segments,
              price: money(wb.assignment.price_cents, wb.assignment.currency),
            })
          : t("returnedText")}
      </p>
      <p class="wb-row">
        {next && (
          <a class="wb-primary" href={location.pathname.replace(/\d+(?=\/?$)/, String(next.id))}>
            {t("openNext", { task: next.task })}
          </a>
        )}
        <a class={next ? undefined : "wb-primary"} href={wb.home}>
          {t(next ? "back" : "nextTask")}
        </a>
      </p>
    </main>
  );
}
