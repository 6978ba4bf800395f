"use strict";
// Draws a summary as bars. One structure serves both forms: the style sheet stands the bars up where there is room
// and months, and lays them down where names are long or the page is narrow.

const PATTERNS = 8;
const TICKS = 4;
const NEXT = ["ArrowRight", "ArrowDown"];
const PREVIOUS = ["ArrowLeft", "ArrowUp"];

/** The chart of one measure; `chosen` is told the slot that a person looks at. */
function drawChart(summary, measure, chosen) {
  const slots = summary.slots.map((slot) => ({ slot, parts: partsOf(summary, slot, measure) }));
  const scale = scaleOf(slots.map(({ parts }) => parts), measure.additive);
  const bars = slots.map(({ slot, parts }, index) => drawBar(summary, measure, slot, parts, scale, index === 0));
  bars.forEach((bar, index) => {
    const tell = () => choose(bars, bar, () => chosen(slots[index].slot, bar));
    bar.addEventListener("click", tell);
    bar.addEventListener("focus", tell);
    bar.addEventListener("mouseenter", tell);
    bar.addEventListener("keydown", (event) => move(event, bars, index));
  });
  const chart = element(
    "div",
    { class: `chart ${summary.isPeriod ? "periods" : "names"} ${measure.additive ? "stacked" : "grouped"}`, role: "group", "aria-label": `${measure.label}: bars. Arrow keys go from bar to bar; the table below has all numbers.` },
    element("div", { class: "grid", "aria-hidden": "true" }, scale.ticks.map((tick) => drawTick(tick, measure, scale))),
    element("ol", { class: "bars" }, bars.map((bar) => element("li", {}, bar))),
  );
  return withVariables(chart, { zero: scale.at(0), lanes: measure.additive ? 1 : summary.series.length });
}

function partsOf(summary, slot, measure) {
  const groups = groupsOf(summary, null, slot);
  return summary.series
    .map((series, index) => {
      const own = groups.filter((group) => series.everything || series.keys.has(keyOf(group, summary.inSeries)));
      return { series, index, amount: own.length ? amountOf(own, measure) : null };
    })
    .filter((part) => part.amount !== null);
}

/** From the lowest to the highest end of a bar, with round numbers at the ticks. */
function scaleOf(bars, isStacked) {
  const ends = bars.flatMap((parts) => {
    const amounts = parts.map((part) => part.amount);
    if (!isStacked) return amounts;
    return [sum(amounts.filter((amount) => amount > 0)), sum(amounts.filter((amount) => amount < 0))];
  });
  const high = ends.reduce((most, end) => Math.max(most, end), 0);
  const low = ends.reduce((least, end) => Math.min(least, end), 0);
  const step = roundStep((high - low) / TICKS || 1);
  const from = Math.floor(low / step) * step;
  const to = Math.max(Math.ceil(high / step) * step, from + step);
  const count = Math.round((to - from) / step);
  return {
    at: (value) => ((value - from) / (to - from)) * 100,
    ticks: Array.from({ length: count + 1 }, (_, index) => from + index * step),
  };
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The smallest of 1, 2, 2.5 and 5 times a power of ten that is at least as large. */
function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= rough * 0.999) ?? 10 * power;
}

function drawTick(tick, measure, scale) {
  const text = formatNumber(tick, measure.currency, true);
  return withVariables(element("div", { class: "tick" }, element("span", {}, text)), { at: scale.at(tick) });
}

function drawBar(summary, measure, slot, parts, scale, isFirst) {
  const [name, year] = slot.isNull || slot.isRest ? [slot.label, ""] : formatMonth(slot.label, "short");
  const total = measure.additive ? sum(parts.map((part) => part.amount)) : null;
  const placed = measure.additive ? stacked(parts, scale) : sideBySide(parts, scale);
  const top = placed.reduce((most, part) => Math.max(most, part.from + part.size), scale.at(0));
  const shownTotal = total === null || !parts.length ? null : element("span", { class: "sum" }, formatNumber(total, measure.currency, true));
  const track = element("span", { class: "track", "aria-hidden": "true" }, placed.map(drawPart), shownTotal);
  return element(
    "button",
    { type: "button", class: "bar", tabindex: isFirst ? "0" : "-1", "aria-label": spoken(slot, measure, parts, total) },
    element("span", { class: "name", "aria-hidden": "true" }, outside(name), year ? element("small", {}, ` ${year}`) : null),
    withVariables(track, { top }),
  );
}

function stacked(parts, scale) {
  const ends = { up: 0, down: 0 };
  return parts.map(({ index, amount }) => {
    const side = amount < 0 ? "down" : "up";
    const start = ends[side];
    ends[side] += amount;
    return { index, lane: 0, ...between(start, ends[side], scale) };
  });
}

function sideBySide(parts, scale) {
  return parts.map(({ index, amount }) => ({ index, lane: index, ...between(0, amount, scale) }));
}

function between(start, end, scale) {
  const [low, high] = [scale.at(Math.min(start, end)), scale.at(Math.max(start, end))];
  return { from: low, size: high - low };
}

function drawPart({ index, lane, from, size }) {
  return withVariables(element("span", { class: `part pattern-${index % PATTERNS}` }), { from, size, lane });
}

/** A little field in the colour and pattern of a series. */
function drawSwatch(index) {
  return element("span", { class: `swatch pattern-${index % PATTERNS}`, "aria-hidden": "true" });
}

function spoken(slot, measure, parts, total) {
  const whole = total === null ? "" : ` ${formatNumber(total, measure.currency)}.`;
  const each = parts.filter((part) => part.series.label).map((part) => ` ${part.series.label} ${formatNumber(part.amount, measure.currency)}.`);
  return `${slotName(slot)}:${whole || (each.length ? "" : " nothing.")}${each.join("")}`;
}

function choose(bars, bar, tell) {
  for (const other of bars) {
    other.classList.toggle("chosen", other === bar);
    other.tabIndex = other === bar ? 0 : -1;
  }
  tell();
}

function move(event, bars, index) {
  const target = NEXT.includes(event.key) ? index + 1
    : PREVIOUS.includes(event.key) ? index - 1
    : event.key === "Home" ? 0
    : event.key === "End" ? bars.length - 1
    : null;
  if (target === null) return;
  event.preventDefault();
  bars[Math.min(Math.max(target, 0), bars.length - 1)].focus();
}
