// Which view is shown, and the clock that lets ages grow.

import {element, say} from "./elements.js";
import {Listing} from "./listing.js";
import {Members} from "./members.js";
import {Rounds} from "./rounds.js";
import {Story} from "./story.js";
import {follow} from "./view.js";

const place = document.getElementById("view"), title = document.getElementById("title");
const here = document.getElementById("here"), connection = document.getElementById("connection");
let stream = null, shown = null, ahead = 0;

/** Seconds since 1970 by the command's clock. */
const now = () => Date.now() / 1000 + ahead;

class Single {
  constructor(into) {
    this.into = into;
    this.story = new Story();
    this.members = new Members();
    this.rounds = new Rounds();
    this.laid = null;
  }

  show(view) {
    if (view.head === null) {
      if (this.laid !== "missing") this.into.replaceChildren(element("p", {id: "missing", role: "status"}));
      this.laid = "missing";
      say(this.into.firstElementChild, view.missing);
      return;
    }
    if (this.laid !== "whole") {
      this.into.replaceChildren(...this.story.top, this.members.whole, this.rounds.whole, ...this.story.bottom);
      this.laid = "whole";
    }
    this.story.show(view);
    this.members.show(view);
    this.rounds.show(view);
  }

  tick(moment) {
    if (this.laid !== "whole") return;
    this.story.tick(moment);
    this.members.tick(moment);
    this.rounds.tick(moment);
  }
}

function open() {
  stream?.close();
  const [namespace, name] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  const single = Boolean(namespace && name);
  say(title, single ? `${namespace}/${name}` : "All rendezvous");
  say(here, single ? ` › ${namespace}/${name}` : "");
  document.title = single ? `${namespace}/${name} – Rendezvous` : "Rendezvous";
  say(connection, "Connecting …");
  place.replaceChildren();
  shown = single ? new Single(place) : new Listing(place);
  const asked = single ? `events?${new URLSearchParams({namespace, name})}` : "events";
  stream = follow(asked, (view) => {
    ahead = view.now - Date.now() / 1000;
    shown.show(view);
    shown.tick(now());
  }, (text) => {
    say(connection, text);
    connection.dataset.live = String(text === "Live");
  });
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

window.addEventListener("hashchange", () => {
  if (location.hash === "#content") return;
  open();
  title.setAttribute("tabindex", "-1");
  title.focus();
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("content").focus();
});
setInterval(() => shown?.tick(now()), 1000);
open();
