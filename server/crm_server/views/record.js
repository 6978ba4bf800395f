"use strict";
// The page of get_overview: who or what this is, and what is going on with them.

let overview = null;

Bridge.connect({
  input() {
    if (!overview) showNotice("Looking up…");
  },
  result(structured) {
    overview = structured;
    draw();
  },
  problem(sentence) {
    overview = null;
    showNotice(sentence, "alert");
  },
  context(changed) {
    applyTheme(Bridge.context);
    if (overview && ("locale" in changed || "timeZone" in changed)) draw();
  },
});
showNotice("Waiting for the record…");

function draw() {
  const record = typeof overview.record === "object" && overview.record !== null ? overview.record : {};
  const currency = typeof overview.opportunities?.currency === "string" ? overview.opportunities.currency : null;
  const going = [opportunities(overview.opportunities), tasks(overview.tasks), activities(overview.activities)];
  const known = [people(overview.people), notes(overview.notes)];
  const parts = [...going, ...known].filter(Boolean);
  if (!parts.length && !Object.keys(record).length) {
    showNotice("There is nothing about this record to draw.");
    return;
  }
  show(
    heading(record),
    facts(record, currency),
    element("div", { class: "columns" }, column(going), column(known)),
    parts.length ? null : element("p", { class: "quiet" }, "No people, opportunities, tasks, activities or notes yet."),
  );
}

function column(parts) {
  const present = parts.filter(Boolean);
  return present.length ? element("div", {}, present) : null;
}

function heading(record) {
  const name = textOf(record.name ?? record.fullname ?? record.id);
  const address = typeof record.url === "string" ? webAddress(record.url) : null;
  return element(
    "header",
    { class: "who" },
    element("span", { class: "initials", "aria-hidden": "true" }, initials(name)),
    element("div", {}, element("p", { class: "quiet" }, tableLabel(record.table)), element("h1", {}, outside(name))),
    address && Bridge.capabilities.openLinks ? link("Open in the CRM", address) : null,
  );
}
