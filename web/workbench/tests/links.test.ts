import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { mediaLinks, type Media } from "../media/links.ts";

const standard: Media = {
  url: "/p/1", kind: "proxy", zero_seconds: 0, expires_at: "2026-01-01T01:00:00Z", large: null,
};
const NOW = Date.parse("2026-01-01T00:00:00Z");

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

const rest = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

function fakePlayer() {
  const played: string[] = [];
  return { played, setSource: async (url: string) => void played.push(url) };
}

test("a fresh link is a new one of what is played", async () => {
  let n = 1;
  const links = mediaLinks(standard, {
    fetch: async () => ({ ...standard, url: `/p/${++n}`, large: { state: "done", url: `/l/${n}` } }),
    askLarge: async () => standard,
    aheadMs: NOW - Date.now(),
  });
  assert.equal(Math.round(links.seconds), 3600);
  assert.equal(links.url, "/p/1");
  assert.equal(await links.freshLink(), "/p/2");
  const player = fakePlayer();
  await links.choose("large", player);
  assert.deepEqual(player.played, ["/l/2"]);
  assert.equal(await links.freshLink(), "/l/3");
  await links.choose("standard", player);
  assert.deepEqual(player.played, ["/l/2", "/p/3"]);
});

test("the large proxy is asked for once and played when it is made", async () => {
  let asked = 0;
  let made = false;
  const links = mediaLinks(standard, {
    fetch: async () => ({ ...standard, large: { state: "running", url: made ? "/l" : null } }),
    askLarge: async () => {
      asked += 1;
      return { ...standard, large: { state: "waiting", url: null } };
    },
  });
  const player = fakePlayer();
  await links.choose("large", player);
  assert.equal(links.large.value, "making");
  mock.timers.tick(4000);
  await rest();
  assert.deepEqual(player.played, []);
  made = true;
  mock.timers.tick(4000);
  await rest();
  assert.deepEqual(player.played, ["/l"]);
  assert.equal(links.large.value, "ready");
  assert.equal(asked, 1);
});

test("a source with nothing larger stays as it is", async () => {
  const links = mediaLinks(standard, {
    fetch: async () => standard,
    askLarge: () => Promise.reject(new Error("nothing-larger")),
  });
  const player = fakePlayer();
  await links.choose("large", player);
  assert.equal(links.large.value, "refused");
  assert.equal(links.quality.value, "standard");
  assert.deepEqual(player.played, []);
});

test("going back while it is made calls the wait off", async () => {
  let fetched = 0;
  const links = mediaLinks(standard, {
    fetch: async () => {
      fetched += 1;
      return standard;
    },
    askLarge: async () => standard,
  });
  const player = fakePlayer();
  await links.choose("large", player);
  await links.choose("standard", player);
  mock.timers.tick(60_000);
  await rest();
  assert.equal(fetched, 0);
  assert.deepEqual(player.played, []);
});

test("a file with another zero is not played with the old table", async () => {
  const links = mediaLinks({ ...standard, kind: "source", zero_seconds: 0 }, {
    fetch: async () => ({ ...standard, zero_seconds: 0.033 }),
    askLarge: async () => standard,
  });
  await assert.rejects(links.freshLink());
});
