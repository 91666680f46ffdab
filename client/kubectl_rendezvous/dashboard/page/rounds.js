// The timeline of rounds: a drawing for the eye, a table for everybody.

import {age, count, drawn, element, say, section, span, table} from "./elements.js";

const HEIGHT = 140, BOTTOM = 130, NARROWEST = 320;

export class Rounds {
  constructor() {
    this.section = section("Rounds", "rounds");
    this.shown = "";
    this.ages = [];
  }

  get whole() {
    return this.section.whole;
  }

  show(view) {
    const state = JSON.stringify(view.rounds);
    if (state === this.shown) return;
    this.shown = state;
    this.ages = [];
    if (view.rounds.length === 0) {
      this.section.body.replaceChildren(element("p", {}, "No round was formed yet."));
      return;
    }
    const rows = view.rounds.map((one) => {
      const ago = element("span");
      this.ages.push([ago, one.formedAt]);
      return [String(one.round), ago, String(one.worldSize), one.reason, one.message, span(one.lostSeconds),
        String(one.movedRanks), names(one.joined, one.joinedCount), names(one.left, one.leftCount)];
    });
    const titles = ["Round", "Formed", "World", "Why", "In words", "Time lost", "Ranks moved", "Came", "Went"];
    this.section.body.replaceChildren(
      drawing(view.rounds, view.now, Math.max(NARROWEST, this.section.body.clientWidth)),
      element("div", {class: "wide", tabindex: "0", role: "region", "aria-label": "Rounds as a table"},
        table("The newest rounds, the newest first", titles, rows)));
  }

  tick(now) {
    for (const [node, formed] of this.ages) say(node, `${age(formed, now)} ago`);
  }
}

function names(some, number) {
  const shown = some.slice(0, 5);
  return number === 0 ? "–" : shown.join(", ") + (number > shown.length ? ` and ${number - shown.length} more` : "");
}

/** World size over time; the time for which members stood still is hatched red. */
function drawing(rounds, now, wide) {
  const ordered = [...rounds].reverse();
  const start = ordered[0].formedAt - ordered[0].formingSeconds, end = Math.max(now, ordered.at(-1).formedAt + 1);
  const largest = Math.max(...ordered.map((one) => one.worldSize));
  const x = (moment) => ((moment - start) / (end - start)) * wide;
  const y = (size) => BOTTOM - (size / largest) * (BOTTOM - 20);
  const parts = ordered.flatMap((one, i) => {
    const until = i + 1 < ordered.length ? ordered[i + 1].formedAt - ordered[i + 1].lostSeconds : end;
    const left = x(one.formedAt), right = Math.max(left + 2, x(Math.max(until, one.formedAt)));
    const stands = drawn("rect", {x: left, y: y(one.worldSize), width: right - left,
      height: BOTTOM - y(one.worldSize), class: "stands"},
      drawn("title", {}, `Round ${one.round}: ${count(one.worldSize, "node")} (${one.reason})`));
    const label = right - left > 40
      ? [drawn("text", {x: left + 4, y: y(one.worldSize) - 4}, `${one.round}: ${one.worldSize}`)] : [];
    const lost = one.lostSeconds > 0
      ? [drawn("rect", {x: x(one.formedAt - one.lostSeconds), y: 20, class: "lost", height: BOTTOM - 20,
        width: Math.max(2, x(one.formedAt) - x(one.formedAt - one.lostSeconds))},
        drawn("title", {}, `${span(one.lostSeconds)} lost before round ${one.round}`))] : [];
    return [stands, ...lost, ...label];
  });
  const changes = ordered.filter((one) => one.lostSeconds > 0);
  const said = `World size over time: ${ordered.map((one) => `round ${one.round} ${one.worldSize}`).join(", ")}. `
    + `${count(changes.length, "change")} of membership took `
    + `${span(changes.reduce((sum, one) => sum + one.lostSeconds, 0))} together.`;
  return element("figure", {},
    drawn("svg", {viewBox: `0 0 ${wide} ${HEIGHT}`, role: "img", "aria-label": said, class: "timeline"}, ...parts,
      drawn("line", {x1: 0, x2: wide, y1: BOTTOM, y2: BOTTOM, class: "axis"})),
    element("figcaption", {}, `${said} Red: members stood still.`));
}
