// What each key does.

import * as commands from "../model/commands.ts";
import type { Action } from "../keys/keymap.ts";
import type { Workbench } from "./store.ts";
import { t } from "./words.ts";

/** What a key does; false when it does nothing here, so that the browser may have it. */
export function run(wb: Workbench, action: Action, repeat: boolean): boolean | void {
  const { player } = wb;
  const digit = /^type(\d)$/.exec(action);
  if (digit) return runDigit(wb, Number(digit[1]));
  // Held down, only moving goes on: nobody means to split thirty times a second.
  const moves = /^(?:step|jump|seconds|nudge|push|previous|next|undo|redo|zoomIn|zoomOut|slower|faster)/;
  if (repeat && !moves.test(action)) return;
  switch (action) {
    case "play": return void player.toggle();
    case "back": return void player.shuttle(-1);
    case "stop": return void player.shuttle(0);
    case "forward": return void player.shuttle(1);
    case "slower": return wb.speed(-1);
    case "faster": return wb.speed(1);
    case "stepBack": return void player.step(-1);
    case "stepForward": return void player.step(1);
    case "jumpBack": return void player.step(-10);
    case "jumpForward": return void player.step(10);
    case "secondsBack": return jumpSeconds(wb, -5);
    case "secondsForward": return jumpSeconds(wb, 5);
    case "goTo": return wb.open("goTo");
    case "previous": return wb.walk(-1);
    case "next": return wb.walk(1);
    case "firstFrame": return void wb.seek(wb.chosen.value?.start_frame ?? 0);
    case "lastFrame":
      return void wb.seek((wb.chosen.value?.end_frame ?? wb.frameCount) - 1);
    case "split": return wb.split();
    case "add": return wb.add();
    case "setStart": return wb.setStart();
    case "setEnd": return wb.setEnd();
    case "chooseEdge":
      wb.edge.value = wb.edge.value === "start" ? "end" : "start";
      wb.say(t("edgeChosen", { edge: t(wb.edge.value === "start" ? "edgeStart" : "edgeEnd") }));
      return wb.showEdge();
    case "nudgeBack": return wb.nudge(-1);
    case "nudgeForward": return wb.nudge(1);
    case "pushBack": return wb.nudge(-5);
    case "pushForward": return wb.nudge(5);
    case "playEdge": return wb.playEdge();
    case "loop": return wb.loop();
    case "compare": return void (wb.comparing.value = !wb.comparing.value);
    case "types": return wb.askSegment("type");
    case "left":
    case "right":
    case "both":
    case "none": return void wb.label({ hands: action });
    case "describe": return wb.askSegment("description");
    case "saveNext": return wb.saveNext();
    case "copy": return void wb.do((tl) => commands.copyPrevious(tl, wb.selected.value));
    case "merge": return void wb.do((tl) => commands.merge(tl, wb.selected.value));
    case "delete": return void wb.do((tl) => commands.remove(tl, wb.selected.value));
    case "flag": return wb.flag();
    case "problem": return wb.nextProblem();
    case "undo": return wb.undo();
    case "redo": return wb.redo();
    case "zoomIn": return wb.view.zoom(0.5);
    case "zoomOut": return wb.view.zoom(2);
    case "zoomFit": return wb.view.fit();
    case "extend": return void wb.sync.extend();
    case "guideline": return void (wb.guidelineOpen.value = !wb.guidelineOpen.value);
    case "save": return void wb.sync.flush();
    case "submit": return wb.open("submit");
    case "help": return wb.open("help");
    case "leave": return leave(wb);
  }
}

/** While the video's verdict is open, 1 to 3 answer it; afterwards they are action types. */
function runDigit(wb: Workbench, digit: number): boolean | void {
  if (wb.timeline.value.screening.verdict === null) {
    const verdict = (["usable", "usable_with_issues", "unusable"] as const)[digit - 1];
    if (!verdict) return false;
    wb.screen({ verdict });
    return wb.askReason(verdict);
  }
  const type = wb.types[digit - 1];
  if (!type) return false;
  if (!wb.chosen.value) wb.say(t("noSegment"), true);
  else wb.label({ action_type: type.key });
}

function jumpSeconds(wb: Workbench, seconds: number): void {
  const { table, player } = wb;
  const to = table.seconds(player.frame.value) + seconds;
  void wb.seek(table.frameAt(Math.max(0, to)));
}

function leave(wb: Workbench): boolean | void {
  if (wb.comparing.value) wb.comparing.value = false;
  else if (wb.guidelineOpen.value) wb.guidelineOpen.value = false;
  else if (wb.changingVerdict.value) wb.changingVerdict.value = false;
  else if (wb.selected.value !== null) wb.selected.value = null;
  else return false;
}
