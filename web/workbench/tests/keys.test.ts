import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTIONS, chord, isSingle, Keymap, STANDARD } from "../keys/keymap.ts";

const plain = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false };

test("no key has two actions, and none is one that browsers or systems need", () => {
  const seen = new Map<string, string>();
  for (const action of ACTIONS)
    for (const keys of STANDARD[action]) {
      assert.ok(!seen.has(keys), `${keys}: ${action} and ${seen.get(keys)}`);
      seen.set(keys, action);
      assert.doesNotMatch(keys, /(?:Alt|Mod)\+.*Arrow|(?:^|\+)Tab$/);
    }
});

test("a chord is the same however its modifiers came, and Command is Ctrl", () => {
  assert.equal(chord({ ...plain, code: "KeyZ", ctrlKey: true, shiftKey: true }), "Shift+Mod+KeyZ");
  assert.equal(chord({ ...plain, code: "KeyZ", metaKey: true }), "Mod+KeyZ");
});

test("a moved key works, the old one no longer; a taken one is refused by name", () => {
  const keymap = new Keymap();
  assert.deepEqual(keymap.refusal("split", "KeyM"), { takenBy: "merge" });
  assert.equal(keymap.refusal("split", "Alt+ArrowLeft"), "reserved");
  assert.equal(keymap.refusal("split", "Tab"), "reserved");
  assert.equal(keymap.refusal("split", "KeyV"), null);
  keymap.move("split", "KeyV");
  assert.equal(keymap.actionOf("KeyV"), "split");
  assert.equal(keymap.actionOf("KeyS"), null);
  assert.deepEqual(keymap.changes(), { split: ["KeyV"] });
  assert.equal(new Keymap(keymap.changes()).actionOf("KeyV"), "split");
});

test("single keys can be turned off; chords, arrows and Enter stay", () => {
  const keymap = new Keymap({}, false);
  for (const keys of ["KeyS", "Digit1", "Space", "BracketLeft", "Shift+Slash"])
    assert.equal(keymap.actionOf(keys), null, keys);
  assert.equal(keymap.actionOf("Mod+KeyZ"), "undo");
  assert.equal(keymap.actionOf("ArrowLeft"), "stepBack");
  assert.equal(keymap.actionOf("Enter"), "describe");
  assert.equal(keymap.actionOf("F1"), "help");
  assert.ok(isSingle("Shift+Comma"));
});
