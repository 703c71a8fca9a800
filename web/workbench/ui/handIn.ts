// Submitting and giving back, and what stands in the way of it.

import { computed, signal } from "@preact/signals";
import { api, Offline, Problem, type Located } from "../api/client.ts";
import { newId } from "../model/commands.ts";
import { toSubmission } from "../model/draft.ts";
import type { Workbench } from "./store.ts";
import { t } from "./words.ts";

export class HandIn {
  readonly submitting = signal(false);
  /** What the server did not take. */
  readonly refusals = signal<{ title: string; errors: readonly Located[] } | null>(null);
  private readonly wb: Workbench;
  private submissionKey = { of: "", key: "" };

  constructor(wb: Workbench) {
    this.wb = wb;
  }

  /** What stands in the way of a submission beside the segments' own errors. */
  readonly blockers = computed<string[]>(() => {
    const { screening, segments, flags } = this.wb.timeline.value;
    const found: string[] = [];
    if (screening.verdict === null) found.push(t("submitFirstVerdict"));
    else if (screening.verdict !== "usable" && !screening.reason) found.push(t("submitReason"));
    if (screening.verdict === "usable" && flags.length) found.push(t("submitFlags"));
    if (screening.verdict !== "unusable" && segments.length === 0)
      found.push(t("submitNoSegments"));
    return found;
  });

  readonly canSubmit = computed(
    () =>
      this.wb.readOnly.value === null &&
      this.blockers.value.length === 0 &&
      (this.wb.timeline.value.screening.verdict === "unusable" || this.wb.errors.value.length === 0),
  );

  async submit(): Promise<void> {
    if (!this.canSubmit.value || this.submitting.value) return;
    this.submitting.value = true;
    this.refusals.value = null;
    try {
      await this.wb.sync.flush();
      const work = toSubmission(this.wb.timeline.value);
      // The same work sent twice is the same submission; changed work is another one.
      const content = JSON.stringify(work);
      if (this.submissionKey.of !== content)
        this.submissionKey = { of: content, key: newId() };
      const made = await api.submit(this.wb.assignment.id, work, this.submissionKey.key);
      await this.wb.sync.finish();
      this.wb.dialog.value = null;
      this.wb.ended.value = { kind: "submitted", segments: made.segment_count };
      void this.wb.player.pause();
    } catch (error) {
      this.refusals.value = refusal(error);
    } finally {
      this.submitting.value = false;
    }
  }

  async giveBack(reason: string): Promise<void> {
    this.refusals.value = null;
    try {
      await this.wb.sync.flush();
      await api.giveBack(this.wb.assignment.id, reason);
      await this.wb.sync.finish();
      this.wb.dialog.value = null;
      this.wb.ended.value = { kind: "returned" };
      void this.wb.player.pause();
    } catch (error) {
      this.refusals.value = refusal(error);
    }
  }
}

function refusal(error: unknown): { title: string; errors: readonly Located[] } {
  if (error instanceof Problem)
    return {
      title: error.title,
      errors: error.errors.length
        ? error.errors
        : error.detail
          ? [{ detail: error.detail }]
          : [],
    };
  if (error instanceof Offline) return { title: error.message, errors: [] };
  throw error;
}
