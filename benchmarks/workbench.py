"""From a key press to the painted picture in the workbench, with few and with many segments.

    make run                                            # in another terminal
    make bench ARGS="workbench --url http://127.0.0.1:8000 --person ada@demo.example"

Opens a live claim of a demo person (claims one if there is none), puts segments onto the page
only (nothing is saved: the page is closed and the claim's draft left as it was), and presses real
keys through Chromium's input pipeline. A press counts from the event's own time stamp to the first
task after the next frame was handed to the compositor. The baseline is the same page with one
segment. Chromium: CHROMIUM=/path, else `chromium` on the PATH.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys

from playwright.sync_api import Page, sync_playwright

PASSWORD = "frame-by-frame"

CLAIM = """async () => {
  const token = /csrftoken=([^;]+)/.exec(document.cookie)?.[1] ?? '';
  const get = async path => (await fetch('/api/v1/' + path)).json();
  const post = async (path, body) => {
    const answer = await fetch('/api/v1/' + path, {method: 'POST',
      headers: {'Content-Type': 'application/json', 'X-CSRFToken': token},
      body: JSON.stringify(body)});
    return answer.status === 204 ? {} : answer.json();  // an acknowledgement has no answer
  };
  const live = (await get('assignments/?state=active')).results;
  if (live.length) return live[0].id;
  for (const project of (await get('projects/')).results) {
    let made = await post('assignments/', {project: project.id});
    if (made.guideline && !made.id) {
      await post(`guidelines/${made.guideline}/acknowledge/`, {});
      made = await post('assignments/', {project: project.id});
    }
    if (made.id) return made.id;
  }
  return null;
}"""

# Keeps the page from saving, fills it, and listens.
FILL = """count => {
  const wb = window.workbench;
  wb.sync.record = () => {};
  const types = wb.types.map(type => type.key);
  const lanes = ['left', 'right', 'none'];
  const perLane = Math.ceil(count / 3);
  const wide = Math.max(1, Math.floor(wb.frameCount / perLane));
  const segments = [];
  for (let i = 0; segments.length < count && (i + 1) * wide <= wb.frameCount; i++)
    for (const hands of lanes)
      if (segments.length < count)
        segments.push({id: hands + String(i).padStart(5, '0'), start_frame: i * wide,
          end_frame: (i + 1) * wide, hands, action_type: types[i % types.length],
          description: `Action ${i} of the ${hands} hand`});
  wb.timeline.value = {...wb.timeline.value, segments,
    screening: {...wb.timeline.value.screening, verdict: 'usable'}};
  wb.select(segments[0].id);
  window.presses = [];
  if (!window.listening) {
    window.listening = true;
    window.addEventListener('keydown', event => {
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () =>
          window.presses.push([event.code, performance.now() - event.timeStamp]);
        channel.port2.postMessage(0);
      });
    }, {capture: true});
  }
  return segments.length;
}"""

# Selecting, labelling, nudging, splitting, undoing, zooming: what a day is made of.
ROUND = ("ArrowDown", "1", "2", "]", "[", "c", "Control+z", "ArrowRight", "ArrowLeft", "Shift+=")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--person", default="ada@demo.example")
    parser.add_argument("--segments", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{arguments.url}/log-in/")
        page.fill("#id_username", arguments.person)
        page.fill("#id_password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/work/")
        assignment = page.evaluate(CLAIM)
        if assignment is None:
            sys.stderr.write("No task is free for this person.\n")
            return 1
        page.goto(f"{arguments.url}/work/assignments/{assignment}/")
        page.wait_for_selector(".wb-stage[data-state=ready]")
        few_count, few = measure(page, 1, arguments.rounds)
        many_count, many = measure(page, arguments.segments, arguments.rounds)
        browser.close()
    sys.stdout.write("keypress to paint, ms        median    p95    presses\n")
    for name, times in ((f"{few_count} segment (baseline)", few), (f"{many_count} segments", many)):
        p95 = statistics.quantiles(times, n=20)[-1]
        sys.stdout.write(f"  {name:24} {statistics.median(times):8.1f} {p95:6.1f} {len(times):8}\n")
    ratio = statistics.median(many) / statistics.median(few)
    sys.stdout.write(f"  {many_count} / {few_count}: {ratio:.2f} (target: median 50 ms or less)\n")
    return 0


def measure(page: Page, segments: int, rounds: int) -> tuple[int, list[float]]:
    """How many segments there were room for, and the milliseconds of every press but the first."""
    made: int = page.evaluate(FILL, segments)
    for _ in range(rounds):
        for key in ROUND:
            page.keyboard.press(key)
            page.wait_for_timeout(20)  # a quick typist's pause; presses must not queue up
        page.keyboard.press("z")
    page.wait_for_timeout(200)
    return made, [ms for _, ms in page.evaluate("window.presses")][len(ROUND) :]


if __name__ == "__main__":
    sys.exit(main())
