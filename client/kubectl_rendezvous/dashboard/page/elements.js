// Builds what is shown. Text from objects becomes text nodes and attribute values only: nothing here parses markup.

/** An element: `element("p", {class: "verdict"}, "text", otherElement)`. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of a drawing. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Sets the text of an element, unless it is that already: a screen reader is told of changes only. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute unless it is that already. */
export function mark(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** A section with a heading; `body` is filled later. */
export function section(title, id) {
  const heading = element("h2", {id: `${id}-title`}, title);
  const body = element("div", {id});
  return {whole: element("section", {"aria-labelledby": heading.id}, heading, body), body, heading};
}

/** A table: titles, and for each row its cells (text or elements); the first cell of a row is its heading. */
export function table(caption, titles, rows) {
  return element("table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...titles.map((title) => element("th", {scope: "col"}, title)))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((cell, column) =>
      element(column === 0 ? "th" : "td", column === 0 ? {scope: "row"} : {}, cell))))));
}

/** A span of time with its two largest units, as kubectl writes ages: 4s, 5m3s, 2h10m, 3d. */
export function span(seconds) {
  if (seconds > 0 && seconds < 10 && seconds !== Math.trunc(seconds)) return `${seconds.toFixed(1)}s`;
  const total = Math.max(0, Math.trunc(seconds));
  const parts = [[Math.floor(total / 86400), "d"], [Math.floor(total / 3600) % 24, "h"],
    [Math.floor(total / 60) % 60, "m"], [total % 60, "s"]];
  const first = parts.findIndex(([number]) => number > 0);
  if (first < 0) return "0s";
  return parts.slice(first, first + 2).filter(([number]) => number > 0).map(([n, unit]) => `${n}${unit}`).join("");
}

/** How long ago a moment was, in whole seconds. */
export function age(moment, now) {
  return span(Math.trunc(Math.max(0, now - moment)));
}

/** A moment as the reader's clock shows it. */
export function clock(moment) {
  const time = new Date(moment * 1000);
  return element("time", {datetime: time.toISOString()}, time.toLocaleTimeString(undefined, {hour12: false}));
}

/** `1 node`, `2 nodes`. */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
