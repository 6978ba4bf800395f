"use strict";
// Small parts of a page. Text only ever becomes a text node, so nothing that a record says is markup.

const ATTRIBUTES = /^(class|id|for|type|name|value|role|scope|tabindex|colspan|title|aria-[a-z]+)$/;

/** An element with attributes and children; a child that is text stays text, and null is left out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (!ATTRIBUTES.test(name)) throw new Error(`No page of ours sets ${name}`);
    if (value !== null && value !== undefined) made.setAttribute(name, String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const LONGEST_WORD = 18;

/** Text of a record, kept from turning the direction of the text around it or widening the page. */
function outside(text) {
  const hasLongWord = text.split(/\s/).some((word) => word.length > LONGEST_WORD);
  return element("bdi", { class: hasLongWord ? "unbroken" : null }, text);
}

/** Sets what a style sheet reads as var(--name); style attributes are not allowed here, this is. */
function withVariables(made, variables) {
  for (const [name, value] of Object.entries(variables)) made.style.setProperty(`--${name}`, String(value));
  return made;
}

/** A section with a heading. */
function section(title, ...children) {
  return element("section", {}, element("h2", {}, outside(title)), ...children);
}

/** A table with a caption for those who do not see what is above it. Cells are nodes or texts. */
function dataTable(caption, heads, rows, foot = null) {
  const cells = (row, first) =>
    row.map((cell, index) => {
      const kind = heads[index].number ? "number" : null;
      return index === 0 && first ? element("th", { scope: "row", class: kind }, cell) : element("td", { class: kind }, cell);
    });
  return element(
    "table",
    {},
    element("caption", { class: "unseen" }, caption),
    element(
      "thead",
      {},
      element("tr", {}, heads.map((head) => element("th", { scope: "col", class: head.number ? "number" : null }, outside(head.label)))),
    ),
    element("tbody", {}, rows.map((row) => element("tr", {}, cells(row, true)))),
    foot ? element("tfoot", {}, element("tr", {}, cells(foot, true))) : null,
  );
}

/** A part that scrolls by itself, also by keyboard. */
function scrolling(label, child) {
  return element("div", { class: "scrolling", role: "region", "aria-label": label, tabindex: "0" }, child);
}

/** Text that opens an address through the host, or plain text where the host cannot. */
function link(text, url, label = null) {
  if (!url || !Bridge.capabilities.openLinks) return outside(text);
  const button = element("button", { type: "button", class: "link", "aria-label": label }, outside(text));
  button.addEventListener("click", async () => {
    if (!(await Bridge.openLink(url))) announce("The host did not open that.");
  });
  return button;
}

/** Says a short thing to everybody, also to those who listen. */
function announce(sentence) {
  let place = document.querySelector(".announcement");
  if (!place) {
    place = element("p", { class: "announcement", role: "status" });
    document.getElementById("view").append(place);
  }
  place.textContent = sentence;
}

/** The whole page; what is null is left out. */
function show(...children) {
  document.getElementById("view").replaceChildren(...children.filter(Boolean));
}

/** The page when there is only something to say. */
function showNotice(sentence, role = "status") {
  show(element("p", { class: "notice", role }, sentence));
}
