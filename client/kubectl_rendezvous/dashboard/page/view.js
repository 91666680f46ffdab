// What the command tells: the whole view once, then changes of it. Server-Sent Events; nothing is asked for again.

/** Applies a change, as `differences.py` makes it. */
export function applied(view, change) {
  const next = {...view, ...change.set};
  for (const part of change.unset ?? []) delete next[part];
  for (const [part, keys] of Object.entries(change.gone ?? {})) {
    next[part] = {...next[part]};
    for (const key of keys) delete next[part][key];
  }
  for (const [part, rows] of Object.entries(change.rows ?? {})) next[part] = {...next[part], ...rows};
  return next;
}

/**
 * Follows a view until `close()` of the answer.
 * @param {string} address of the events
 * @param {(view: object) => void} show called with each newest view
 * @param {(text: string) => void} tell what is to be said of the connection
 */
export function follow(address, show, tell) {
  let view = null;
  const events = new EventSource(address);
  const got = (next) => {
    view = next;
    tell(view.trouble ? `Not up to date: ${view.trouble}` : "Live");
    show(view);
  };
  events.addEventListener("view", (event) => got(JSON.parse(event.data)));
  events.addEventListener("change", (event) => { if (view !== null) got(applied(view, JSON.parse(event.data))); });
  events.addEventListener("error", () => tell(events.readyState === EventSource.CLOSED
    ? "Not connected: `kubectl rendezvous dashboard` has ended, or refuses this. Start it and open its new address."
    : "Not connected: trying again. Does `kubectl rendezvous dashboard` still run?"));
  return {close: () => events.close()};
}
