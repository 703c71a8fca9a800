// The public API, typed by its own schema. The session's cookie signs in; what writes carries the
// CSRF token. A refusal is a Problem (RFC 9457), a dead line an Offline.

import type { components } from "./schema.d.ts";
import type { SubmissionInput } from "../model/draft.ts";

type Schemas = components["schemas"];
export type Assignment = Schemas["OpenedAssignment"];
export type Claim = Schemas["Assignment"];
export type Brief = Schemas["Brief"];
export type FrameTimes = Schemas["FrameTimes"];
export type Submission = Schemas["Submission"];
export interface ActionType {
  key: string;
  label: string;
}

/** One place that the server points at; `segment` counts from 1 in the order that was sent. */
export interface Located {
  pointer?: string;
  code?: string;
  detail: string;
  segment?: number;
  frame?: number | null;
  other_segment?: number | null;
}

export class Problem extends Error {
  readonly slug: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly errors: readonly Located[];
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(status: number, document: Record<string, unknown>) {
    const title = String(document["title"] ?? `The server answered ${status}.`);
    const detail = String(document["detail"] ?? "");
    super(detail || title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.slug = String(document["type"] ?? "").replace("/problems/", "");
    this.errors = Array.isArray(document["errors"]) ? (document["errors"] as Located[]) : [];
    this.extra = document;
  }
}

/** The request did not reach the server, or its answer did not reach us. */
export class Offline extends Error {}

function csrfToken(): string {
  const found = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie);
  return found ? decodeURIComponent(found[1]!) : "";
}

/** One request. Raises Problem or Offline. */
export async function call<Answer>(
  method: "GET" | "POST" | "PUT",
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; keepalive?: boolean } = {},
): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      credentials: "same-origin",
      cache: "no-store",
      keepalive: options.keepalive ?? false,
      headers: {
        Accept: "application/json",
        ...(method === "GET" ? {} : { "X-CSRFToken": csrfToken() }),
        ...(options.body === undefined ? {} : { "Content-Type": "application/json" }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    });
  } catch {
    throw new Offline("The server can't be reached.");
  }
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  const answer: unknown = isJson ? await response.json().catch(() => ({})) : {};
  if (!response.ok) throw new Problem(response.status, answer as Record<string, unknown>);
  return answer as Answer;
}

export const api = {
  assignment: (id: number) => call<Assignment>("GET", `assignments/${id}/`),
  /** What this person may still write to. */
  liveClaims: async (person: number) =>
    (await call<{ results: Claim[] }>("GET", `assignments/?is_live=true&contractor=${person}`)).results,
  brief: (id: number) => call<Brief>("GET", `assignments/${id}/brief/`),
  /** Fresh links alone; and asking for the proxy of 720 lines. */
  media: (id: number) => call<Schemas["WholeMedia"]>("GET", `assignments/${id}/media/`),
  wantLarge: (id: number) => call<Schemas["WholeMedia"]>("POST", `assignments/${id}/media/`),
  frameTimes: (id: number) => call<FrameTimes>("GET", `assignments/${id}/frame-times/`),
  /** `key` makes a repeated submission harmless: the first answer comes back. */
  submit: (id: number, work: SubmissionInput, key: string) =>
    call<Submission>("POST", `assignments/${id}/submissions/`, {
      body: work,
      headers: { "Idempotency-Key": key },
    }),
  giveBack: (id: number, reason: string) =>
    call<Schemas["Assignment"]>("POST", `assignments/${id}/return/`, { body: { reason } }),
};
