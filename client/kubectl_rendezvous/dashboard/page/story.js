// One Rendezvous in sentences: what happens, whom it waits for, what to do, what has happened.

import {age, clock, count, element, say, section, span} from "./elements.js";

export class Story {
  constructor() {
    this.head = element("p", {class: "head"});
    this.verdict = element("p", {class: "verdict", role: "status"});
    this.forming = element("div", {id: "forming"});
    this.findings = section("What holds it up, and the next step", "findings");
    this.happened = section("What happened while you looked", "happened");
    this.log = element("ol", {class: "log"});
    this.happened.body.append(
      element("div", {role: "log", "aria-label": "What happened", tabindex: "0", class: "scrolled"}, this.log));
    this.lines = [];
    this.shown = {};
  }

  get top() {
    return [this.head, this.verdict, this.forming, this.findings.whole];
  }

  get bottom() {
    return [this.happened.whole];
  }

  show(view) {
    const head = view.head;
    if (this.changed("head", head)) {
      this.head.replaceChildren(
        element("span", {class: "state", "data-state": head.state}, head.state),
        ` ${head.round ? `round ${head.round} with ${count(head.worldSize, "node")}` : "no round yet"}; asks for `,
        `${head.minNodes === head.maxNodes ? head.minNodes : `${head.minNodes} to ${head.maxNodes}`} nodes`,
        head.standby ? `; ${head.standby} on standby` : "");
    }
    say(this.verdict, head.verdict);
    this.view = view;
    if (this.changed("forming", view.forming)) this.showForming(view.forming);
    if (this.changed("findings", [view.findings, view.pods, view.notes])) this.showFindings(view);
    this.showHappened(view.happened);
  }

  changed(part, value) {
    const text = JSON.stringify(value);
    if (this.shown[part] === text) return false;
    this.shown[part] = text;
    return true;
  }

  showForming(forming) {
    this.clock = null;
    if (forming === null) {
      this.forming.replaceChildren();
      return;
    }
    this.clock = element("span");
    const waits = forming.waitingFor.length === 0 ? null
      : element("p", {}, "Waits for: ", ...forming.waitingFor.flatMap((name, i) => [i ? ", " : "", element("b", {}, name)]));
    this.forming.replaceChildren(
      element("p", {}, `Round ${forming.round}: ${forming.arrived} of ${forming.required} required nodes are here. `,
        forming.interrupts ? "The members were told to stop and join again. " : "Nobody is disturbed by it. ", this.clock),
      element("progress", {max: forming.required, value: Math.min(forming.arrived, forming.required),
        "aria-label": `${forming.arrived} of ${forming.required} required nodes are here`}),
      waits);
  }

  showFindings(view) {
    const sentence = (one) => element("li", {class: one.problem ? "problem" : "harmless"},
      element("span", {}, one.sentence), element("br"), element("span", {class: "step"}, `→ ${one.nextStep}`));
    const items = [
      ...view.findings.map(sentence),
      ...view.pods.map((pod) => element("li", {}, `Pod ${pod.name} ${pod.why}`)),
      ...view.notes.map((note) => element("li", {}, note)),
    ];
    this.findings.body.replaceChildren(items.length ? element("ol", {}, ...items) : element("p", {}, "Nothing."));
  }

  showHappened(happened) {
    const known = new Set(this.lines);
    for (const {at, text} of happened) {
      const key = `${at} ${text}`;
      if (known.has(key)) continue;
      known.add(key);
      this.lines.push(key);
      this.log.prepend(element("li", {}, clock(at), ` ${text}`));
    }
    while (this.log.childElementCount > 50) this.log.lastElementChild.remove();
    this.lines = this.lines.slice(-100);
  }

  tick(now) {
    const forming = this.view?.forming;
    if (!forming || !this.clock) return;
    const lasting = `It has lasted ${age(forming.since, now)}`;
    say(this.clock, forming.deadline !== null && forming.deadline > now
      ? `${lasting}; in ${span(Math.ceil(forming.deadline - now))}, when last call ends, it is formed with those who are here then.`
      : `${lasting}.`);
  }
}
