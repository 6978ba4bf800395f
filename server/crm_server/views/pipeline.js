"use strict";
// The page of a summary: figures, a switch between measures, bars, totals of each series, and all numbers as a table.

const state = { args: {}, result: null, measure: null };

Bridge.connect({
  input(args) {
    state.args = args;
    if (!state.result) showNotice("Adding up…");
  },
  result(structured) {
    state.result = structured;
    draw();
  },
  problem(sentence) {
    state.result = null;
    showNotice(sentence, "alert");
  },
  context(changed) {
    applyTheme(Bridge.context);
    // Colours follow by themselves; numbers and months have to be written anew.
    if (state.result && ("locale" in changed || "timeZone" in changed)) draw();
  },
});
showNotice("Waiting for the numbers…");

function draw() {
  const summary = readSummary(state.result);
  if (!summary) {
    showNotice("There are no records to add up.");
    return;
  }
  const measure = summary.measures.find(({ name }) => name === state.measure) ?? summary.measures[0];
  const place = element("div", { class: "drawn" });
  show(
    heading(summary),
    figures(summary),
    element(
      "section",
      { "aria-label": "Chart" },
      summary.measures.length > 1 ? measureSwitch(summary, measure, (chosen) => fill(place, summary, chosen)) : null,
      place,
    ),
    element("div", { class: "tables" }, summary.inSeries.length ? totals(summary) : null, allNumbers(summary)),
  );
  fill(place, summary, measure);
}

function heading(summary) {
  const dimensions = summary.by.map((name) => (PERIOD.exec(name)?.[1] ?? columnLabel(name)).toLowerCase());
  const title = `${tableLabel(summary.table, true)}${dimensions.length ? ` by ${dimensions.join(" and ")}` : ""}`;
  return element("header", {}, element("h1", {}, outside(title)), conditions(), summary.more ? cutNote(summary) : null);
}

/** The result does not say what was left out; the question does. */
function conditions() {
  const where = Array.isArray(state.args.where) ? state.args.where : [state.args.where];
  const texts = where.filter((item) => typeof item === "string" && item);
  return texts.length ? element("p", { class: "quiet" }, "Only ", outside(texts.join("; "))) : null;
}

function cutNote(summary) {
  const sentence = `Only the first ${formatNumber(summary.groups.length)} groups are here and there are more, so totals are too low.`;
  return element("p", { class: "warning" }, sentence);
}

function figures(summary) {
  const added = summary.measures.filter((measure) => measure.additive);
  const figure = (measure) => [
    element("dt", {}, outside(measure.label)),
    element("dd", {}, formatNumber(amountOf(summary.groups, measure), measure.currency)),
  ];
  return added.length ? element("dl", { class: "figures" }, added.map((measure) => element("div", {}, figure(measure)))) : null;
}

function measureSwitch(summary, current, chosen) {
  const choices = summary.measures.map((measure, index) => {
    const input = element("input", { type: "radio", name: "measure", id: `measure-${index}`, value: measure.name });
    input.checked = measure === current;
    input.addEventListener("change", () => {
      state.measure = measure.name;
      chosen(measure);
    });
    return element("span", {}, input, element("label", { for: `measure-${index}` }, outside(measure.label)));
  });
  return element("fieldset", { class: "switch" }, element("legend", { class: "unseen" }, "What the bars show"), choices);
}

function fill(place, summary, measure) {
  const parts = element("div", { class: "parts" }, element("p", { class: "quiet" }, "Point at a bar, or choose it, to see its parts."));
  const chart = drawChart(summary, measure, (slot) => parts.replaceChildren(...slotParts(summary, slot)));
  place.replaceChildren(chart, ...key(summary), parts);
}

/** What pattern is what, right below the bars. */
function key(summary) {
  if (!summary.inSeries.length) return [];
  const entries = summary.series.map((series, index) => element("li", {}, drawSwatch(index), outside(series.label)));
  return [element("ul", { class: "key", "aria-label": "Key" }, entries)];
}

function slotParts(summary, slot) {
  const rows = summary.series
    .map((series, index) => ({ series, index, groups: groupsOf(summary, series, slot) }))
    .filter(({ groups }) => groups.length)
    .map(({ series, index, groups }) => element("li", {}, series.label ? drawSwatch(index) : null, outside(series.label), " ", amounts(summary, groups)));
  const whole = summary.inSeries.length ? [" ", amounts(summary, groupsOf(summary, null, slot))] : [];
  return [element("p", {}, element("strong", {}, outside(slotName(slot))), whole), element("ul", {}, rows)];
}

function amounts(summary, groups) {
  const texts = summary.measures
    .map((measure) => ({ measure, amount: amountOf(groups, measure) }))
    .filter(({ amount }) => amount !== null)
    .map(({ measure, amount }) => `${measure.label} ${formatNumber(amount, measure.currency)}`);
  return element("span", { class: "amounts" }, texts.join(" · "));
}

function totals(summary) {
  const added = summary.measures.filter((measure) => measure.additive);
  if (!added.length) return null;
  const label = summary.inSeries.map(dimensionLabel).join(" · ");
  const heads = [{ label }, ...added.map((measure) => ({ label: measure.label, number: true }))];
  const row = (first, groups) => [first, ...added.map((measure) => formatNumber(amountOf(groups, measure), measure.currency))];
  const rows = summary.series.map((series, index) =>
    row(element("span", { class: "swatched" }, drawSwatch(index), outside(series.label)), groupsOf(summary, series)),
  );
  return section(`Totals by ${label.toLowerCase()}`, dataTable("Totals", heads, rows, row("All", summary.groups)));
}

/** Every group as it came, in the order of the bars. */
function allNumbers(summary) {
  const measures = summary.measures;
  const heads = [...summary.by.map((name) => ({ label: dimensionLabel(name) })), ...measures.map(({ label }) => ({ label, number: true }))];
  const rows = summary.slots.flatMap((slot) => groupsOf(summary, null, slot)).map((group) => [
    ...summary.by.map((name) => outside(name === summary.axis ? slotName(asSlot(group[name]), "short") : textOf(group[name]))),
    ...measures.map((measure) => (Number.isFinite(group[measure.name]) ? formatNumber(group[measure.name], measure.currency) : "–")),
  ]);
  const title = `All numbers (${formatNumber(rows.length)})`;
  return section(title, scrolling("All numbers", dataTable("All groups", heads, rows)));
}

function asSlot(value) {
  return { label: textOf(value), isNull: value === null || value === undefined };
}
