// What a person set for themselves, kept on this device.

export interface Settings {
  lagMs: number;
  together: boolean;
}

export function loadSettings(person: number): Settings {
  const standard = { lagMs: 0, together: true };
  try {
    const stored = JSON.parse(localStorage.getItem(`workbench-settings-${person}`) ?? "{}") as Partial<Settings>;
    return {
      lagMs: typeof stored.lagMs === "number" ? Math.max(0, Math.min(1000, stored.lagMs)) : 0,
      together: stored.together !== false,
    };
  } catch {
    return standard;
  }
}

export function storeSettings(person: number, settings: Settings): void {
  try {
    localStorage.setItem(`workbench-settings-${person}`, JSON.stringify(settings));
  } catch {
    // Private mode: it holds for this tab.
  }
}
