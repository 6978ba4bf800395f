"use strict";
// Turns the result of summarize_records into what is drawn: slots along an axis, series in each slot, cells of numbers.

const MOST_SERIES = 8;
const MOST_SLOTS = 25;
const MOST_MONTHS_FILLED = 36;
const OTHERS = "others";
const STAGES = ["qualify", "develop", "propose", "close"];
const PERIOD = /:(day|week|month|quarter|year)$/;
const PERIOD_VALUE = /^\d{4}(-\d\d|-Q[1-4]|-W\d\d)?(-\d\d)?$/;
const MEASURE = /^(sum|avg|average|min|max) (\S+)$/;
const KINDS = { sum: "", avg: "Average", average: "Average", min: "Lowest", max: "Highest" };

/** The summary as a value that can be drawn, or null where the result has no numbers. */
function readSummary(result) {
  const groups = (Array.isArray(result.groups) ? result.groups : []).filter((group) => typeof group === "object" && group);
  const by = (Array.isArray(result.by) ? result.by : []).filter((name) => typeof name === "string");
  const measures = measuresOf(result, groups, by);
  if (!measures.length) return null;
  const period = by.find((name) => isPeriod(name, groups));
  const axis = period ?? by.at(-1);
  const inSeries = by.filter((name) => name !== axis);
  const rank = measures.find((measure) => measure.additive) ?? measures[0];
  return {
    table: textOf(result.table), by, axis, inSeries, measures, groups,
    isPeriod: period !== undefined,
    series: seriesOf(groups, inSeries, rank),
    slots: slotsOf(groups, axis, period !== undefined, rank),
    more: result.more === true,
  };
}

function measuresOf(result, groups, by) {
  const named = Array.isArray(result.measures) ? result.measures : [];
  const found = new Set(named.filter((name) => typeof name === "string"));
  for (const group of groups) for (const name of Object.keys(group)) found.add(name);
  const currency = typeof result.currency === "string" ? result.currency : null;
  const isMixed = by.includes("transactioncurrencyid");
  return [...found]
    .filter((name) => !by.includes(name) && groups.some((group) => Number.isFinite(group[name])))
    .map((name) => measureOf(name, currency, isMixed))
    // Money first, for that is what a pipeline is asked about.
    .sort((a, b) => Number(b.money) - Number(a.money));
}

function measureOf(name, currency, isMixed) {
  const [, kind, column] = MEASURE.exec(name) ?? [];
  const money = column !== undefined && isMoney(column);
  const words = column === undefined ? columnLabel(name) : `${KINDS[kind]} ${columnLabel(column)}`.trim();
  return {
    name, money,
    label: words.charAt(0) + words.slice(1).toLowerCase(),
    // A sum of averages means nothing, nor one of several currencies, so only the rest is stacked and totalled.
    additive: name === "count" || (kind === "sum" && !(money && isMixed)),
    currency: money ? currency : null,
  };
}

function isPeriod(name, groups) {
  if (PERIOD.test(name)) return true;
  const values = groups.map((group) => group[name]).filter((value) => value !== null && value !== undefined);
  return values.length > 0 && values.every((value) => typeof value === "string" && PERIOD_VALUE.test(value));
}

/** Groups with one value: their key, the value for people, the groups, and how much they weigh. */
function gathered(groups, columns, rank) {
  const found = new Map();
  for (const group of groups) {
    const values = columns.map((column) => group[column] ?? null);
    const key = keyOf(group, columns);
    if (!found.has(key)) {
      const isNull = values.every((value) => value === null);
      found.set(key, { key, keys: new Set([key]), label: values.map(textOf).join(" · "), value: values[0], isNull, weight: 0 });
    }
    found.get(key).weight += Math.abs(numberOf(group, rank.name));
  }
  return [...found.values()];
}

function keyOf(group, columns) {
  return JSON.stringify(columns.map((column) => group[column]?.id ?? group[column] ?? null));
}

function numberOf(group, measure) {
  return Number.isFinite(group[measure]) ? group[measure] : 0;
}

function seriesOf(groups, columns, rank) {
  const all = gathered(groups, columns, rank);
  return columns.length ? largest(all, MOST_SERIES).sort(inOrder(all)) : [{ ...emptyEntry("all", ""), everything: true }];
}

function slotsOf(groups, axis, isPeriodAxis, rank) {
  if (axis === undefined) return [{ ...emptyEntry("all", "All"), everything: true }];
  const all = gathered(groups, [axis], rank);
  if (!isPeriodAxis) return largest(all, MOST_SLOTS).sort(inOrder(all));
  const dated = all.filter((slot) => !slot.isNull).sort((a, b) => String(a.value).localeCompare(String(b.value), "en"));
  return [...withGapsFilled(dated), ...all.filter((slot) => slot.isNull)];
}

function emptyEntry(key, label) {
  return { key, keys: new Set([key]), label, value: null, isNull: false, weight: 0 };
}

/** The heaviest few, and one more entry that stands for all the others. */
function largest(all, most) {
  if (all.length <= most) return [...all];
  const sorted = [...all].sort((a, b) => b.weight - a.weight);
  const rest = sorted.slice(most - 1);
  const others = emptyEntry(OTHERS, `${formatNumber(rest.length)} others`);
  return [...sorted.slice(0, most - 1), { ...others, keys: new Set(rest.map((entry) => entry.key)), isRest: true }];
}

/** Stages in the order of a sale, numbered names by number, all else by weight; others and empty ones last. */
function inOrder(all) {
  const named = all.filter((entry) => !entry.isNull);
  const place = (entry) => STAGES.indexOf(entry.label.trim().toLowerCase());
  const numbered = named.every((entry) => /^\d/.test(entry.label));
  const isLast = (entry) => (entry.isNull ? 2 : entry.isRest ? 1 : 0);
  const compare = numbered
    ? (a, b) => a.label.localeCompare(b.label, "en", { numeric: true })
    : named.some((entry) => place(entry) >= 0)
      ? (a, b) => (place(a) + STAGES.length + 1) % (STAGES.length + 1) - (place(b) + STAGES.length + 1) % (STAGES.length + 1)
      : () => 0;
  return (a, b) => isLast(a) - isLast(b) || compare(a, b) || b.weight - a.weight;
}

/** Months in between without records are drawn as empty places, so that the axis tells time truly. */
function withGapsFilled(dated) {
  const months = dated.map((slot) => monthNumber(slot.value));
  if (!months.length || months.some(Number.isNaN) || months.at(-1) - months[0] >= MOST_MONTHS_FILLED) return dated;
  const present = new Map(dated.map((slot) => [monthNumber(slot.value), slot]));
  return Array.from({ length: months.at(-1) - months[0] + 1 }, (_, index) => {
    const number = months[0] + index;
    const value = `${Math.floor(number / 12)}-${String((number % 12) + 1).padStart(2, "0")}`;
    return present.get(number) ?? { ...emptyEntry(JSON.stringify([value]), value), value };
  });
}

function monthNumber(text) {
  const [, year, month] = /^(\d{4})-(\d\d)$/.exec(text) ?? [];
  return Number(year) * 12 + Number(month) - 1;
}

/** The groups of a cell; without a slot those of a series, without both all. */
function groupsOf(summary, series = null, slot = null) {
  const within = (entry, columns) => (group) => !entry || entry.everything || entry.keys.has(keyOf(group, columns));
  return summary.groups.filter(within(series, summary.inSeries)).filter(within(slot, [summary.axis]));
}

/** A measure of some groups: their sum, or the one value of a measure that cannot be summed, or null. */
function amountOf(groups, measure) {
  const numbers = groups.map((group) => group[measure.name]).filter(Number.isFinite);
  if (measure.additive) return numbers.reduce((sum, number) => sum + number, 0);
  return numbers.length === 1 ? numbers[0] : null;
}

/** A slot's name, its month in full or short. */
function slotName(slot, length = "long") {
  return slot.isNull || slot.isRest ? slot.label : formatMonth(slot.label, length).join(" ").trim();
}

/** What a column of the summary is called, with its period. */
function dimensionLabel(name) {
  return columnLabel(name.replace(PERIOD, ""));
}
