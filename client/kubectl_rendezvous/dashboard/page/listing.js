// All rendezvous, one a line.

import {age, element, say, table} from "./elements.js";

/** The address of one Rendezvous within the page. */
export function linkTo(namespace, name) {
  return `#/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

export class Listing {
  constructor(place) {
    this.place = place;
    this.shown = "";
    this.ages = [];
  }

  show(view) {
    // Focus stays where it is, and a screen reader is not interrupted, unless something is another.
    const state = JSON.stringify([view.scope, view.rendezvous]);
    if (state === this.shown) return;
    this.shown = state;
    const focused = document.activeElement?.getAttribute("href");
    const all = Object.values(view.rendezvous);
    this.ages = [];
    const rows = all.map((one) => {
      const since = element("span");
      this.ages.push([since, one.created]);
      return [
        element("a", {href: linkTo(one.namespace, one.name)}, one.name), one.namespace,
        element("span", {class: "state", "data-state": one.state}, one.state),
        String(one.round), String(one.worldSize), `${one.minNodes}–${one.maxNodes}`, String(one.standby),
        one.rankZero || "–", since, one.verdict,
      ];
    });
    const titles = ["Name", "Namespace", "State", "Round", "World", "Min–max", "Standby", "Rank 0", "Age", "What happens"];
    this.place.replaceChildren(all.length === 0
      ? element("p", {}, `No Rendezvous in ${view.scope}. One that is made appears here.`)
      : element("div", {class: "wide", tabindex: "0", role: "region", "aria-label": "Rendezvous"},
        table(`${all.length} rendezvous in ${view.scope}`, titles, rows)));
    if (focused?.startsWith("#/")) this.place.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    performance.mark("list-shown");
  }

  tick(now) {
    for (const [node, created] of this.ages) say(node, age(created, now));
  }
}
