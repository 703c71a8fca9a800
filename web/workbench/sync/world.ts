// What sync needs from its surroundings, so that a test can stand in for the clock, the network
// and the other tabs. `browser()` is the real one.

/** The clock, timers and luck. Instants are ms since 1970 by this device. */
export interface World {
  now(): number;
  /** Calls `action` after `ms`; the answer calls it off. */
  later(ms: number, action: () => void): () => void;
  /** In [0, 1). */
  random(): number;
  online(): boolean;
}

export interface Answer {
  status: number;
  body: unknown;
  /** Seconds of a Retry-After header. */
  retryAfter: number | null;
}

export interface Question {
  method: "GET" | "POST" | "PUT";
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** The answer may come after the page is gone (at most 64 kB of body). */
  keepalive?: boolean;
}

/** The server. Rejects when no answer came: then the request may have had its effect or not. */
export type Ask = (question: Question) => Promise<Answer>;

/** How long an answer may take before it is given up. */
export const PATIENCE_MS = 30_000;

export function browser(): World {
  return {
    now: () => Date.now(),
    later(ms, action) {
      const timer = setTimeout(action, ms);
      return () => clearTimeout(timer);
    },
    random: () => Math.random(),
    online: () => navigator.onLine,
  };
}

function cookie(name: string): string {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

/** The API by `fetch` with the session; the CSRF token is read anew, a sign-in changes it. */
export function overFetch(world: World, root = "/api/v1"): Ask {
  return async ({ method, path, body, headers, keepalive }) => {
    const abort = new AbortController();
    const stop = world.later(PATIENCE_MS, () => abort.abort());
    try {
      const response = await fetch(root + path, {
        method,
        headers: {
          Accept: "application/json",
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...(method === "GET" ? {} : { "X-CSRFToken": cookie("csrftoken") }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        credentials: "same-origin",
        cache: "no-store",
        keepalive: keepalive ?? false,
        signal: abort.signal,
      });
      const wait = Number(response.headers.get("Retry-After") ?? NaN);
      const text = await response.text();
      return {
        status: response.status,
        body: parsed(text),
        retryAfter: Number.isFinite(wait) ? wait : null,
      };
    } finally {
      stop();
    }
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a page of a proxy, say
  }
}
