import assert from "node:assert/strict";
import { test } from "node:test";
import cases from "../../../timelines/lint_cases.json" with { type: "json" };

test("the lint cases shared with the server can be read", () => {
  assert.ok(cases.errors.length > 10);
});
