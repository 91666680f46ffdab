// The members of one Rendezvous by topology domain: a map that 1,000 of them fit into, and a table for everything.

import {age, count, element, mark, say, section} from "./elements.js";

const NO_DOMAIN = "unknown";
const STANDINGS = {in: "in the round", again: "joined again", waiting: "waits", standby: "on standby",
  leaving: "leaves", gone: "gone"};
const COLUMNS = ["Rank", "Member", "Standing", "Heartbeat", "Pod", "Node", "Domain", "Slot", "Joined", "Why"];

export class Members {
  constructor() {
    this.section = section("Members", "members");
    this.filter = element("input", {type: "search", id: "filter", spellcheck: "false"});
    this.summary = element("p", {id: "summary"});
    this.details = element("div", {id: "details", role: "region", "aria-label": "Selected member", "aria-live": "polite"},
      element("p", {}, "Select a member to read about it: with the arrow keys and Enter, or a click."));
    this.map = element("div", {id: "map"});
    this.rows = element("tbody");
    const whole = element("details", {id: "table"}, element("summary", {}, "All members as a table"),
      element("div", {class: "wide", tabindex: "0", role: "region", "aria-label": "Members as a table"},
        element("table", {}, element("caption", {}, "Members, in the order of their ranks"),
          element("thead", {}, element("tr", {}, ...COLUMNS.map((title) => element("th", {scope: "col"}, title)))),
          this.rows)));
    this.table = whole;
    const label = element("label", {for: "filter"}, "Show those with this in rank, name, pod, node or domain: ");
    this.section.body.append(this.summary, element("p", {}, label, this.filter), legend(), this.map, this.details, whole);
    this.filter.addEventListener("input", () => this.arrange());
    this.map.addEventListener("keydown", (event) => this.move(event));
    this.map.addEventListener("click", (event) => this.select(event.target.closest("button")?.dataset.member));
    whole.addEventListener("toggle", () => this.arrange());
    this.members = {};
    this.shape = "";
    this.cells = new Map();
    this.lines = new Map();
    this.selected = null;
    this.now = 0;
  }

  get whole() {
    return this.section.whole;
  }

  show(view) {
    this.members = view.members;
    this.levels = view.levels;
    this.late = view.lateSeconds;
    this.lost = view.lostSeconds;
    // Heartbeats change often and move nobody: the map is laid out anew only when somebody comes, goes or moves.
    const shape = JSON.stringify(Object.entries(view.members).map(([name, m]) => [name, m.rank, m.path, m.standing, m.why]));
    if (shape !== this.shape) {
      this.shape = shape;
      this.arrange();
    }
  }

  ordered() {
    const sought = this.filter.value.trim().toLowerCase();
    const found = Object.entries(this.members).filter(([name, m]) => !sought
      || [name, m.pod, m.node, m.path.join("/"), m.rank ?? ""].some((text) => String(text).toLowerCase().includes(sought)));
    return found.sort(([, a], [, b]) => (a.rank ?? Infinity) - (b.rank ?? Infinity) || 0);
  }

  arrange() {
    const focused = document.activeElement?.dataset?.member;
    const shown = this.ordered();
    this.cells = new Map();
    this.map.replaceChildren(...this.groups(shown, 0));
    const first = this.cells.get(focused) ?? this.cells.get(this.selected) ?? this.cells.values().next().value;
    if (first) first.tabIndex = 0;
    if (focused !== undefined && first) first.focus();
    this.lines = new Map();
    this.rows.replaceChildren(...(this.table.open ? shown.map(([name, m]) => this.line(name, m)) : []));
    const all = Object.values(this.members), holders = all.filter((m) => m.rank !== null).length;
    this.total = `${count(all.length, "member")}: ${holders} with a rank, ${all.length - holders} without`
      + (shown.length === all.length ? "" : `; ${shown.length} shown`);
    this.tick(this.now);
    performance.mark("members-shown");
  }

  /** Boxes of one level of the topology, in the order of their lowest ranks, each with those of the next. */
  groups(members, level) {
    if (level >= this.levels.length) return [element("div", {class: "cells"}, ...members.map(([n, m]) => this.cell(n, m)))];
    const parts = new Map();
    for (const entry of members) {
      const value = entry[1].path[level] || NO_DOMAIN;
      if (!parts.has(value)) parts.set(value, []);
      parts.get(value).push(entry);
    }
    return [element("div", {class: "domains", "data-level": level}, ...[...parts].map(([value, inside]) =>
      element("div", {class: "domain", role: "group", "aria-label": `${this.levels[level]} ${value}`},
        element("p", {class: "domain-name"}, `${this.levels[level]} `, element("b", {}, value), ` · ${inside.length}`),
        ...this.groups(inside, level + 1))))];
  }

  cell(name, member) {
    const made = element("button", {type: "button", class: "cell", tabindex: "-1", "data-member": name,
      "data-standing": member.standing}, member.rank === null ? "+" : String(member.rank));
    this.cells.set(name, made);
    return made;
  }

  line(name, m) {
    const beat = element("td"), joined = element("td");
    this.lines.set(name, {beat, joined});
    return element("tr", {}, element("td", {}, m.rank === null ? "–" : String(m.rank)), element("th", {scope: "row"}, name),
      element("td", {}, STANDINGS[m.standing]), beat, element("td", {}, m.pod || "–"), element("td", {}, m.node || "–"),
      element("td", {}, m.path.join(" / ") || "–"), element("td", {}, m.slot || "–"), joined, element("td", {}, m.why));
  }

  /** In a word: is its heartbeat fresh, late, or overdue? */
  pulse(m, now) {
    if (m.renewed === null) return "none";
    const silence = now - m.renewed;
    return silence >= this.lost ? "lost" : silence >= this.late ? "late" : "fresh";
  }

  beat(m, now) {
    if (m.renewed === null) return m.standing === "gone" ? "gone" : "unknown";
    const pulse = this.pulse(m, now);
    return `${age(m.renewed, now)} ago${pulse === "fresh" ? "" : pulse === "late" ? " (late)" : " (overdue)"}`;
  }

  tick(now) {
    this.now = now;
    if (this.levels === undefined) return;
    let late = 0, lost = 0, gone = 0;
    for (const [name, cell] of this.cells) {
      const m = this.members[name];
      if (m === undefined) continue;
      const pulse = this.pulse(m, now);
      late += pulse === "late";
      lost += pulse === "lost";
      gone += m.standing === "gone";
      mark(cell, "data-pulse", pulse);
      const place = m.rank === null ? "no rank" : `rank ${m.rank}`;
      const state = pulse === "fresh" ? "" : pulse === "late" ? ", heartbeat late" : ", heartbeat overdue";
      mark(cell, "aria-label", `${place}, ${name}, ${STANDINGS[m.standing]}${state}`);
      mark(cell, "title", `${place} · ${name} · ${STANDINGS[m.standing]} · heartbeat ${this.beat(m, now)}`);
      mark(cell, "aria-pressed", String(name === this.selected));
      const line = this.lines.get(name);
      if (line !== undefined) {
        say(line.beat, this.beat(m, now));
        say(line.joined, m.joined === null ? "–" : `${age(m.joined, now)} ago`);
      }
    }
    say(this.summary, `${this.total ?? ""}. Heartbeats: ${late} late, ${lost} overdue, ${gone} gone`
      + ` (a member is lost after ${this.lost} s).`);
    this.describe(now);
  }

  select(name) {
    if (name === undefined) return;
    this.selected = name;
    this.details.replaceChildren();
    for (const cell of this.cells.values()) cell.tabIndex = -1;
    const cell = this.cells.get(name);
    if (cell) cell.tabIndex = 0;
    this.tick(this.now);
  }

  /** What is known of the selected one; ages grow in place, so that only a change is read out. */
  describe(now) {
    if (this.selected === null) return;
    const m = this.members[this.selected];
    const facts = m === undefined ? [["Member", this.selected], ["Standing", "no member of this rendezvous any more"]] : [
      ["Member", this.selected], ["Rank", m.rank === null ? "none" : String(m.rank)], ["Standing", STANDINGS[m.standing]],
      ["Why", m.why || "–"], ["Pod", m.pod || "–"], ["Node", m.node || "–"],
      ...this.levels.map((level, i) => [level, m.path[i] || NO_DOMAIN]),
      ["Slot", m.slot || "–"], ["Address", m.address || "–"]];
    const state = JSON.stringify([this.selected, facts]);
    if (this.details.dataset.shown !== state || this.details.childElementCount === 0) {
      this.details.dataset.shown = state;
      this.ages = element("p", {"aria-live": "off"});
      this.details.replaceChildren(element("h3", {}, this.selected),
        element("dl", {}, ...facts.slice(1).map(([key, value]) =>
          element("div", {}, element("dt", {}, key), element("dd", {}, value)))), this.ages);
    }
    say(this.ages, m === undefined || m.joined === null ? ""
      : `Joined ${age(m.joined, now)} ago; last heartbeat ${this.beat(m, now)}.`);
  }

  move(event) {
    const cells = [...this.cells.values()], at = cells.indexOf(document.activeElement);
    if (at < 0) return;
    const next = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: cells.length - 1,
      ArrowDown: beside(cells, at, 1), ArrowUp: beside(cells, at, -1)}[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const target = cells[Math.min(cells.length - 1, Math.max(0, next))];
    cells[at].tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  }
}

/** The cell in the next line that is nearest below (or above). */
function beside(cells, at, way) {
  const from = cells[at].getBoundingClientRect();
  let best = at, distance = Infinity;
  cells.forEach((cell, i) => {
    const to = cell.getBoundingClientRect();
    const lines = (to.top - from.top) * way;
    if (lines < from.height / 2) return;
    const far = lines * 4 + Math.abs(to.left - from.left);
    if (far < distance) [best, distance] = [i, far];
  });
  return best;
}

function legend() {
  const sample = (standing, pulse, text, sign) => element("li", {},
    element("span", {class: "cell", "data-standing": standing, "data-pulse": pulse, "aria-hidden": "true"}, sign), ` ${text}`);
  return element("ul", {class: "legend", "aria-label": "Signs"},
    sample("in", "fresh", "in the round", "0"), sample("again", "fresh", "joined again, waits", "0"),
    sample("waiting", "fresh", "waits, without a rank", "+"), sample("standby", "fresh", "on standby", "+"),
    sample("in", "late", "heartbeat late", "0"), sample("in", "lost", "heartbeat overdue", "0"),
    sample("leaving", "fresh", "leaves", "0"), sample("gone", "none", "gone", "0"));
}
