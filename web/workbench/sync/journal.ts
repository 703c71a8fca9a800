// Every edit is written to this device before anything else happens to it. What is here survives
// a killed tab, a crash of the browser and a lost network; it is cleared when the server has it.
// Where IndexedDB is refused (a private window) the edits are in memory only, and `kept` says so.

import type { Difference, Edit } from "../contract.ts";
import { contains, type Marks, type Numbered } from "./marks.ts";
import { nameOf } from "./rebase.ts";
import type { World } from "./world.ts";

/** One edit of one writer, in the order (tenure, n) in which they were made. */
export interface Entry extends Numbered {
  /** Whose work on which task. */
  scope: string;
  /** Counts the openings for editing on this device. */
  tenure: number;
  edit: Edit;
  /** The server's revision that first had it; 0 while none is known. */
  revision: number;
}

interface Notes {
  scope: string;
  differences: Difference[];
  touched: number;
}

const NAME = "annotation-workbench";
const OPENING_MS = 3000; // a database that doesn't answer is as good as none
const HISTORY = 500; // edits kept for the download after the server has them
const FORGET_MS = 60 * 24 * 3600 * 1000; // tasks that nobody touched on this device

type Write = (edits: IDBObjectStore, notes: IDBObjectStore) => void;

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function connect(world: World, factory: IDBFactory): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const stop = world.later(OPENING_MS, () => reject(new Error("no answer")));
    const request = factory.open(NAME, 1); // may throw: refused
    request.onupgradeneeded = () => {
      const edits = request.result.createObjectStore("edits", {
        keyPath: ["scope", "tenure", "n", "writer"],
      });
      edits.createIndex("scope", "scope");
      request.result.createObjectStore("notes", { keyPath: "scope" });
    };
    request.onsuccess = () => {
      stop();
      resolve(request.result);
    };
    request.onerror = () => {
      stop();
      reject(request.error);
    };
  });
}

export class Journal {
  /** Where the edits are; turns to "memory" when the disk fails later on. */
  kept: "disk" | "memory" = "memory";
  /** Called when `kept` has turned to memory. */
  onDegraded: () => void = () => {};

  readonly scope: string;
  private readonly world: World;
  private database: IDBDatabase | null = null;
  /** Everything of this scope, in order: acknowledged ones (bounded) and pending ones. */
  private entries: Entry[] = [];
  private notes: Difference[] = [];
  private waiting: Write[] = [];
  private writing: Promise<void> | null = null;

  private constructor(scope: string, world: World) {
    this.scope = scope;
    this.world = world;
  }

  /**
   * Opens the journal of one person's work on one task. Never fails: without a usable database
   * it is in memory.
   */
  static async open(
    scope: string,
    world: World,
    factory: IDBFactory | undefined,
  ): Promise<Journal> {
    const journal = new Journal(scope, world);
    try {
      if (!factory) throw new Error("there is no IndexedDB");
      const database = await connect(world, factory);
      database.onclose = () => journal.degrade();
      database.onversionchange = () => {
        database.close();
        journal.degrade();
      };
      journal.database = database;
      journal.kept = "disk";
      await journal.reload();
    } catch {
      journal.database = null;
      journal.kept = "memory";
    }
    return journal;
  }

  /** Reads what is on disk again, other tabs' edits included. */
  async reload(): Promise<void> {
    await this.settled();
    if (!this.database) return;
    const reading = this.database.transaction(["edits", "notes"]);
    const [entries, notes] = await Promise.all([
      done(reading.objectStore("edits").index("scope").getAll(this.scope)) as Promise<Entry[]>,
      done(reading.objectStore("notes").get(this.scope)) as Promise<Notes | undefined>,
    ]);
    this.entries = entries.sort(inOrder);
    this.notes = notes?.differences ?? [];
  }

  /** The number of the next opening for editing. */
  get nextTenure(): number {
    return 1 + Math.max(0, ...this.entries.map((entry) => entry.tenure));
  }

  /** Edits that the server is not known to have, in the order in which they were made. */
  pending(): Entry[] {
    return this.entries.filter((entry) => entry.revision === 0);
  }

  /** The latest edits, those that the server has included. */
  history(): Entry[] {
    return [...this.entries];
  }

  /** Differences that nobody has decided yet. */
  get differences(): readonly Difference[] {
    return this.notes;
  }

  /** Writes an edit down; resolves when it is on disk, or in memory for good. */
  append(entry: Entry): Promise<void> {
    this.entries.push(entry);
    return this.write((edits) => edits.put(entry));
  }

  /** Notes that the server has what `marks` contain, as of a revision. */
  acknowledge(marks: Marks, revision: number): Promise<void> {
    const now = this.entries.filter((e) => e.revision === 0 && contains(marks, e));
    for (const entry of now) entry.revision = revision;
    const known = this.entries.filter((entry) => entry.revision !== 0);
    const old = new Set(known.slice(0, Math.max(0, known.length - HISTORY)));
    this.entries = this.entries.filter((entry) => !old.has(entry));
    const kept = now.filter((entry) => !old.has(entry)).map((entry) => ({ ...entry }));
    if (now.length === 0 && old.size === 0) return Promise.resolve();
    return this.write((edits) => {
      for (const entry of kept) edits.put(entry);
      for (const { scope, tenure, n, writer } of old) edits.delete([scope, tenure, n, writer]);
    });
  }

  /** Adds differences to those that wait for a decision, one for each thing. */
  differ(found: readonly Difference[]): Promise<void> {
    const names = new Set(found.map(nameOf));
    return this.note([...this.notes.filter((old) => !names.has(nameOf(old))), ...found]);
  }

  /** A difference has been decided. */
  settle(difference: Difference): Promise<void> {
    return this.note(this.notes.filter((old) => nameOf(old) !== nameOf(difference)));
  }

  private note(differences: Difference[]): Promise<void> {
    this.notes = differences;
    const notes: Notes = { scope: this.scope, differences, touched: this.world.now() };
    return this.write((_, store) => store.put(notes));
  }

  /** Resolves when everything so far is on disk, or the disk is given up. */
  async settled(): Promise<void> {
    while (this.writing) await this.writing;
  }

  /** Forgets other tasks that have nothing pending and were left alone for two months. */
  async tidy(): Promise<void> {
    if (!this.database) return;
    try {
      await this.note(this.notes);
      const reading = this.database.transaction(["edits", "notes"]);
      const notes = (await done(reading.objectStore("notes").getAll())) as Notes[];
      for (const { scope, touched, differences } of notes) {
        if (touched > this.world.now() - FORGET_MS || differences.length > 0) continue;
        const looking = this.database.transaction("edits");
        const entries = (await done(
          looking.objectStore("edits").index("scope").getAll(scope),
        )) as Entry[];
        if (entries.some((entry) => entry.revision === 0)) continue;
        await this.write((edits, store) => {
          for (const { tenure, n, writer } of entries) edits.delete([scope, tenure, n, writer]);
          store.delete(scope);
        });
      }
    } catch {
      // another day
    }
  }

  close(): void {
    if (this.database) this.database.onclose = null;
    this.database?.close();
    this.database = null;
  }

  // One transaction at a time; whatever comes meanwhile goes together into the next.
  private write(change: Write): Promise<void> {
    if (!this.database) return Promise.resolve();
    this.waiting.push(change);
    this.writing ??= this.drain();
    return this.writing;
  }

  private async drain(): Promise<void> {
    await Promise.resolve(); // what one event changes goes together
    try {
      while (this.waiting.length > 0 && this.database) {
        const changes = this.waiting;
        this.waiting = [];
        await this.commit(this.database, changes);
      }
    } catch {
      this.degrade();
    } finally {
      this.waiting = [];
      this.writing = null;
    }
  }

  private commit(database: IDBDatabase, changes: Write[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const writing = database.transaction(["edits", "notes"], "readwrite", {
        durability: "strict",
      });
      writing.oncomplete = () => resolve();
      writing.onabort = () => reject(writing.error);
      const [edits, notes] = [writing.objectStore("edits"), writing.objectStore("notes")];
      for (const change of changes) change(edits, notes);
    });
  }

  private degrade(): void {
    if (this.kept === "memory") return;
    this.kept = "memory";
    this.database?.close();
    this.database = null;
    this.onDegraded();
  }
}

function inOrder(a: Entry, b: Entry): number {
  return a.tenure - b.tenure || a.n - b.n || (a.writer < b.writer ? -1 : 1);
}
