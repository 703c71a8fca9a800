// The bar at the top: is it saved, how long is it mine, how far am I, what is it worth.

import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { differenceInWords } from "../sync/words.ts";
import { useHandBack } from "./handBack.ts";
import type { Workbench } from "./store.ts";
import { clock, money, named, t } from "./words.ts";

function Save({ wb }: { wb: Workbench }) {
  const save = wb.sync.save.value;
  return (
    <span class={`wb-save wb-save-${save.kind}`} data-save={save.kind} title={wb.sync.status.value}>
      <i aria-hidden="true" />
      <span>{wb.readOnly.value === "ended" && save.kind !== "lost" ? t("lost") : wb.sync.status.value}</span>
    </span>
  );
}

function Lease({ wb }: { wb: Workbench }) {
  const lease = wb.sync.lease.value;
  if (!wb.assignment.is_live || lease.secondsLeft === null)
    return <span class="wb-lease wb-lease-over">{t("leaseOver")}</span>;
  return (
    <span class={lease.warning ? "wb-lease wb-lease-warning" : "wb-lease"}>
      <span class="wb-figure">{t("leaseLeft", { time: clock(lease.secondsLeft) })}</span>
    </span>
  );
}

function Progress({ wb }: { wb: Workbench }) {
  const n = wb.timeline.value.segments.length;
  const errors = wb.errors.value.length;
  const warnings = wb.warnings.value.length;
  const [look, found] = errors
    ? ["wb-bad", t("problemsCount", { n: errors })]
    : warnings
      ? ["wb-warn", t("warningsCount", { n: warnings })]
      : n === 0 && wb.timeline.value.screening.verdict !== "unusable"
        ? ["wb-neutral", t("nothingCut")]
        : ["wb-good", t("noProblems")];
  return (
    <span class="wb-progress">
      <progress max={100} value={wb.percent.value} aria-label={t("timeline")} />
      <span class="wb-figure">
        {t(n === 1 ? "progressOne" : "progress", { percent: wb.percent.value, n })}
      </span>
      <button
        type="button"
        class={`wb-chip ${look}`}
        title={`${t("nextProblem")} (${wb.keyOf("problem")})`}
        onClick={() => wb.nextProblem()}
      >
        {found}
      </button>
    </span>
  );
}

function Worth({ wb }: { wb: Workbench }) {
  const { assignment, brief } = wb;
  const mine = clock(Math.max(brief.active_seconds, wb.sync.activeSeconds.value));
  const median = brief.median_active_seconds;
  const pace = median === null ? t("paceMine", { mine }) : t("pace", { median: clock(median), mine });
  return (
    <span class="wb-worth">
      <strong title={t("earn", { price: money(assignment.price_cents, assignment.currency) })}>
        {money(assignment.price_cents, assignment.currency)}
      </strong>
      <span class="wb-figure" title={pace}>
        {pace}
      </span>
    </span>
  );
}

export function Header({ wb }: { wb: Workbench }) {
  const { assignment } = wb;
  return (
    <header class="wb-header">
      <a class="wb-back" href={wb.home} title={t("back")}>
        <span aria-hidden="true">←</span>
        <span class="wb-unseen">{t("back")}</span>
      </a>
      <div class="wb-title">
        <strong>{t("task", { id: assignment.task })}</strong>
        <span title={assignment.video.title}>{assignment.video.title}</span>
      </div>
      <Save wb={wb} />
      <Lease wb={wb} />
      <Progress wb={wb} />
      <Worth wb={wb} />
      <div class="wb-actions">
        <button
          type="button"
          aria-pressed={wb.guidelineOpen.value}
          title={wb.keyOf("guideline")}
          onClick={() => (wb.guidelineOpen.value = !wb.guidelineOpen.value)}
        >
          {t("guideline")}
        </button>
        <button type="button" title={wb.keyOf("help")} onClick={() => wb.open("help")}>
          {t("keys")}
        </button>
        <button
          type="button"
          disabled={wb.readOnly.value !== null}
          onClick={() => wb.open("return")}
        >
          {t("giveBack")}
        </button>
        <button
          type="button"
          class="wb-primary"
          title={wb.keyOf("submit")}
          disabled={wb.readOnly.value !== null}
          onClick={() => wb.open("submit")}
        >
          {t("submit")}
        </button>
      </div>
    </header>
  );
}

/** The states of a claim that may be claimed again. */
const GIVEN_UP = new Set<string>(["expired", "returned"]);

/** What somebody can do whose claim is over: keep the work as a file, claim the task again. */
function Rescue({ wb }: { wb: Workbench }) {
  const reclaim = (): void =>
    void wb.sync.reclaim().then(
      (id) => location.assign(location.pathname.replace(/\d+(?=\/?$)/, String(id))),
      (error: Error) => wb.say(error.message, true),
    );
  return (
    <>
      <button type="button" onClick={() => wb.sync.download()}>
        {t("download")}
      </button>
      <button type="button" onClick={reclaim}>
        {t("reclaim")}
      </button>
    </>
  );
}

function Banner({ look, role, children }: { look: string; role: "alert" | "status"; children: ComponentChildren }) {
  const banner = useRef<HTMLDivElement>(null);
  useHandBack(banner);
  return (
    <div ref={banner} class={look} role={role}>
      {children}
    </div>
  );
}

/** What needs a decision: the lease ends, or nothing can be changed. */
export function Banners({ wb }: { wb: Workbench }) {
  const lease = wb.sync.lease.value;
  const readOnly = wb.readOnly.value;
  const save = wb.sync.save.value;
  return (
    <div class="wb-banners">
      {readOnly === null && lease.live && lease.warning && lease.secondsLeft !== null && (
        <Banner look="wb-banner wb-warn" role="alert">
          <span>
            {lease.expiresAt !== null && lease.expiresAt >= lease.ceilingAt
              ? t("leaseCeiling", { time: clock(lease.secondsLeft) })
              : t("leaseWarning", {
                  time: `${Math.ceil(lease.secondsLeft / 60)} min`,
                  key: wb.keyOf("extend"),
                })}
          </span>
          <button type="button" onClick={() => void wb.sync.extend()}>
            {t("extend")}
          </button>
        </Banner>
      )}
      {readOnly === "elsewhere" && (
        <Banner look="wb-banner wb-warn" role="alert">
          <span>{t("readOnlyElsewhere")}</span>
          <button type="button" onClick={() => void wb.sync.takeOver()}>
            {t("takeOver")}
          </button>
        </Banner>
      )}
      {readOnly === "lost" && (
        <Banner look="wb-banner wb-bad" role="alert">
          <span>{t("readOnlyLost")}</span>
          <Rescue wb={wb} />
        </Banner>
      )}
      {readOnly === "ended" && (
        <Banner look="wb-banner" role="status">
          <span>{t("readOnlyEnded", { state: named(wb.assignment.state) })}</span>
          {GIVEN_UP.has(wb.assignment.state) && <Rescue wb={wb} />}
          <a href={wb.home}>{t("back")}</a>
        </Banner>
      )}
      {save.kind === "stale" && (
        <Banner look="wb-banner wb-warn wb-differences" role="alert">
          <span>{t("differences")}</span>
          <ul>
            {save.differences.map((difference) => (
              <li key={`${difference.kind} ${difference.id} ${difference.field}`}>
                <span>{differenceInWords(difference, wb.timeline.value)}</span>
                <button type="button" onClick={() => wb.settle(difference, "mine")}>
                  {t("takeMine")}
                </button>
                <button type="button" onClick={() => wb.settle(difference, "theirs")}>
                  {t("takeTheirs")}
                </button>
              </li>
            ))}
          </ul>
        </Banner>
      )}
      {wb.banner.value !== null && (
        <Banner look="wb-banner wb-warn" role="alert">
          <span>{wb.banner.value}</span>
          <button type="button" onClick={() => (wb.banner.value = null)}>
            {t("dismiss")}
          </button>
        </Banner>
      )}
    </div>
  );
}

/** What just happened: seen at the bottom, read out politely, silent during playback. */
export function Live({ wb }: { wb: Workbench }) {
  const message = wb.message.value;
  return (
    <div class={message?.bad ? "wb-live wb-live-bad" : "wb-live"}>
      <span aria-hidden="true">{message?.text ?? ""}</span>
      <span class="wb-unseen" role="status" aria-live="polite">
        {wb.player.playing.value ? "" : (message?.text ?? "")}
      </span>
    </div>
  );
}
