// Which key does what. Keys are places on the keyboard (`event.code`), so they stay where they are
// on every layout; a person can move each, and turn single keys off (WCAG 2.1.4).

/** Every action that a key can have, with its standard keys. The order is that of the help. */
export const STANDARD = {
  play: ["Space"],
  back: ["KeyJ"],
  stop: ["KeyK"],
  forward: ["KeyL"],
  slower: ["Minus"],
  faster: ["Equal"],
  stepBack: ["ArrowLeft", "Comma"],
  stepForward: ["ArrowRight", "Period"],
  jumpBack: ["Shift+ArrowLeft", "Shift+Comma"],
  jumpForward: ["Shift+ArrowRight", "Shift+Period"],
  secondsBack: ["PageUp"],
  secondsForward: ["PageDown"],
  goTo: ["KeyG"],
  previous: ["ArrowUp"],
  next: ["ArrowDown"],
  firstFrame: ["Home"],
  lastFrame: ["End"],
  split: ["KeyS"],
  add: ["KeyA"],
  setStart: ["KeyI"],
  setEnd: ["KeyO"],
  chooseEdge: ["KeyT"],
  nudgeBack: ["BracketLeft"],
  nudgeForward: ["BracketRight"],
  pushBack: ["Shift+BracketLeft"],
  pushForward: ["Shift+BracketRight"],
  playEdge: ["Slash"],
  loop: ["KeyP"],
  compare: ["KeyB"],
  type1: ["Digit1"],
  type2: ["Digit2"],
  type3: ["Digit3"],
  type4: ["Digit4"],
  type5: ["Digit5"],
  type6: ["Digit6"],
  type7: ["Digit7"],
  type8: ["Digit8"],
  type9: ["Digit9"],
  types: ["Digit0"],
  left: ["KeyQ"],
  right: ["KeyW"],
  both: ["KeyE"],
  none: ["KeyR"],
  describe: ["Enter"],
  saveNext: ["Mod+Enter"],
  copy: ["KeyC"],
  merge: ["KeyM"],
  delete: ["Delete"],
  flag: ["KeyF"],
  problem: ["KeyN"],
  undo: ["Mod+KeyZ"],
  redo: ["Shift+Mod+KeyZ", "Mod+KeyY"],
  zoomIn: ["Shift+Equal"],
  zoomOut: ["Shift+Minus"],
  zoomFit: ["KeyZ"],
  extend: ["KeyX"],
  guideline: ["KeyH"],
  save: ["Mod+KeyS"],
  submit: ["Shift+Mod+Enter"],
  help: ["Shift+Slash", "F1"],
  leave: ["Escape"],
} as const satisfies Record<string, readonly string[]>;

export type Action = keyof typeof STANDARD;
export const ACTIONS = Object.keys(STANDARD) as Action[];

/** What works while typing, and can't be moved: no letter comes of it. */
export const WHILE_TYPING: Readonly<Record<string, Action>> = {
  "Alt+KeyJ": "back",
  "Alt+KeyK": "stop",
  "Alt+KeyL": "forward",
  "Mod+Enter": "saveNext",
  "Shift+Mod+Enter": "submit",
  "Mod+KeyS": "save",
};

interface Pressed {
  code: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** "Shift+Mod+KeyZ": Mod is Ctrl, or Command on a Mac. */
export function chord(event: Pressed): string {
  return (
    (event.shiftKey ? "Shift+" : "") +
    (event.ctrlKey || event.metaKey ? "Mod+" : "") +
    (event.altKey ? "Alt+" : "") +
    (event.code === "NumpadEnter" ? "Enter" : event.code)
  );
}

/** A key that types a character: what a person who dictates may need to turn off. */
export function isSingle(keys: string): boolean {
  return (
    !/(Mod|Alt)\+/.test(keys) &&
    /(^|\+)(Key|Digit|Space|Comma|Period|Slash|Bracket|Minus|Equal|Semicolon|Quote|Backquote|Backslash|Intl|Numpad)/.test(
      keys,
    )
  );
}

export type Refusal = "reserved" | { takenBy: Action };

export class Keymap {
  private keys: Record<Action, string[]>;
  private actions = new Map<string, Action>();
  singleKeys: boolean;

  constructor(moved: Partial<Record<Action, string[]>> = {}, singleKeys = true) {
    this.keys = Object.fromEntries(
      ACTIONS.map((action) => [action, [...(moved[action] ?? STANDARD[action])]]),
    ) as Record<Action, string[]>;
    this.singleKeys = singleKeys;
    this.index();
  }

  private index(): void {
    this.actions.clear();
    for (const action of ACTIONS)
      for (const keys of this.keys[action]) this.actions.set(keys, action);
  }

  keysOf(action: Action): readonly string[] {
    return this.keys[action];
  }

  actionOf(keys: string): Action | null {
    if (!this.singleKeys && isSingle(keys)) return null;
    return this.actions.get(keys) ?? null;
  }

  /** Why these keys can't be given to an action; null when they can. */
  refusal(action: Action, keys: string): Refusal | null {
    // Browser Back, macOS spaces, moving the focus, leaving a text.
    if (/Alt\+(.*)Arrow|Mod\+(.*)Arrow|(^|\+)(Tab|Escape)$/.test(keys) || keys in WHILE_TYPING)
      return "reserved";
    const holder = this.actions.get(keys);
    return holder && holder !== action ? { takenBy: holder } : null;
  }

  /** Gives an action one key instead of those it has. Raises nothing: ask `refusal` first. */
  move(action: Action, keys: string): void {
    this.keys[action] = [keys];
    this.index();
  }

  /** What a person changed, for storage. */
  changes(): Partial<Record<Action, string[]>> {
    const moved: Partial<Record<Action, string[]>> = {};
    for (const action of ACTIONS)
      if (this.keys[action].join() !== STANDARD[action].join()) moved[action] = this.keys[action];
    return moved;
  }
}

/** This person's keymap on this device. Storage that is refused or damaged means the standard. */
export function loadKeymap(person: number): Keymap {
  try {
    const stored = JSON.parse(localStorage.getItem(`workbench-keys-${person}`) ?? "{}") as {
      moved?: Record<string, unknown>;
      singleKeys?: boolean;
    };
    const moved: Partial<Record<Action, string[]>> = {};
    for (const action of ACTIONS) {
      const keys = stored.moved?.[action];
      if (Array.isArray(keys) && keys.every((key) => typeof key === "string"))
        moved[action] = keys as string[];
    }
    return new Keymap(moved, stored.singleKeys ?? true);
  } catch {
    return new Keymap();
  }
}

export function storeKeymap(person: number, keymap: Keymap): void {
  try {
    localStorage.setItem(
      `workbench-keys-${person}`,
      JSON.stringify({ moved: keymap.changes(), singleKeys: keymap.singleKeys }),
    );
  } catch {
    // Private mode: it holds for this tab.
  }
}

const NAMES: Readonly<Record<string, string>> = {
  Space: "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓",
  Comma: ",", Period: ".", Slash: "/", BracketLeft: "[", BracketRight: "]", Minus: "−", Equal: "=",
  PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc", Delete: "Del", Semicolon: ";", Quote: "'",
  Backquote: "`", Backslash: "\\",
};

/** "Shift+Mod+KeyZ" as on the key caps: "Shift Ctrl Z". */
export function keyName(keys: string): string {
  const mac = typeof navigator !== "undefined" && /Mac/.test(navigator.platform);
  if (keys === "Shift+Slash") return "?";
  return keys
    .split("+")
    .map((part) =>
      part === "Mod"
        ? mac ? "⌘" : "Ctrl"
        : (NAMES[part] ?? part.replace(/^(Key|Digit|Numpad)/, "")),
    )
    .join(" ");
}
