"use strict";
// The parts of a record's card, each from its own part of the result, or null where that is missing.

const NEVER_FACTS = new Set(["table", "id", "name", "url", "etag", "fullname", "firstname", "lastname"]);
const FACTS_FIRST = [
  "jobtitle", "companyname", "parentcustomerid", "parentaccountid", "statecode", "statuscode", "leadqualitycode", "industrycode",
  "revenue", "estimatedvalue", "numberofemployees", "telephone1", "mobilephone", "emailaddress1", "websiteurl",
  "primarycontactid", "ownerid",
];
const LONG_TEXT = 280;
const MAIL = /^[^\s@<>?&,;:"'()]+@[^\s@<>?&,;:"'()]+\.[^\s@<>?&,;:"'()]+$/;
const PHONE = /^\+?[\d\s()./-]{3,}$/;

function objects(list) {
  return (Array.isArray(list) ? list : []).filter((item) => typeof item === "object" && item !== null);
}

/** An address that a browser may open, or null: what a record says may be anything. */
function webAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

function mailLink(text) {
  return link(text, MAIL.test(text) ? `mailto:${text}` : null, `Write to ${text}`);
}

function phoneLink(text) {
  return link(text, PHONE.test(text) ? `tel:${text.replace(/[^\d+]/g, "")}` : null, `Call ${text}`);
}

function facts(record, currency) {
  const names = Object.keys(record).filter((name) => isFact(name, record));
  const place = (name) => (FACTS_FIRST.indexOf(name) + FACTS_FIRST.length + 1) % (FACTS_FIRST.length + 1);
  const pairs = names
    .sort((a, b) => place(a) - place(b))
    .map((name) => element("div", { class: isLong(record[name]) ? "wide" : null }, element("dt", {}, columnLabel(name)), element("dd", {}, fact(name, record[name], currency))));
  return pairs.length ? element("dl", { class: "facts" }, pairs) : null;
}

function isFact(name, record) {
  const value = record[name];
  const isKey = name === `${record.table}id` || value === record.id;
  return !NEVER_FACTS.has(name) && !isKey && value !== null && value !== undefined && value !== "" && !Array.isArray(value);
}

function isLong(value) {
  return typeof value === "string" && value.length > 60;
}

function fact(name, value, currency) {
  if (typeof value === "number") return formatNumber(value, isMoney(name) ? currency : null);
  if (typeof value !== "string") return outside(textOf(value));
  if (/^emailaddress|^email$/.test(name)) return mailLink(value);
  if (/telephone|phone/.test(name)) return phoneLink(value);
  if (/url$/.test(name)) return link(value, webAddress(value));
  return longText(DATE.test(value) || MOMENT.test(value) ? formatDate(value) : withoutMarks(value));
}

/** Text that is cut by sight until somebody asks for all of it. */
function longText(text) {
  const shown = element("bdi", { class: "text" }, text);
  if (text.length <= LONG_TEXT) return shown;
  const button = element("button", { type: "button", class: "link", "aria-expanded": "false" }, "Show all");
  shown.classList.add("cut");
  button.addEventListener("click", () => {
    const isCut = shown.classList.toggle("cut");
    button.textContent = isCut ? "Show all" : "Show less";
    button.setAttribute("aria-expanded", String(!isCut));
  });
  return element("div", {}, shown, button);
}

function people(list) {
  const entries = objects(list).map((person) =>
    element(
      "li",
      {},
      element("span", { class: "initials", "aria-hidden": "true" }, initials(person.name ? textOf(person.name) : "")),
      element(
        "div",
        {},
        element("strong", {}, outside(textOf(person.name))),
        person.jobtitle ? element("div", { class: "quiet" }, outside(textOf(person.jobtitle))) : null,
        element("div", { class: "reach" }, person.email ? mailLink(textOf(person.email)) : null, person.phone ? phoneLink(textOf(person.phone)) : null),
      ),
    ),
  );
  return entries.length ? section("People", element("ul", { class: "people" }, entries)) : null;
}

function initials(name) {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  return [words[0], words.length > 1 ? words.at(-1) : null].filter(Boolean).map((word) => [...word][0].toUpperCase()).join("");
}

function opportunities(part) {
  const rows = objects(part?.records);
  const isTold = Number.isFinite(part?.open);
  if (!rows.length && !part?.open) return null;
  const currency = typeof part.currency === "string" ? part.currency : null;
  const value = Number.isFinite(part.value) ? `, ${formatNumber(part.value, currency)}` : "";
  const note = isTold && part.open > rows.length ? `${formatNumber(rows.length)} of ${formatNumber(part.open)} are shown.` : null;
  const entries = rows.map((row) =>
    element(
      "li",
      {},
      element("div", { class: "what" }, outside(textOf(row.name)), element("div", { class: "quiet" }, opportunityState(row))),
      Number.isFinite(row.estimatedvalue) ? element("div", { class: "amount" }, formatNumber(row.estimatedvalue, currency)) : null,
    ),
  );
  return section(
    `Open opportunities (${formatNumber(isTold ? part.open : rows.length)}${value})`,
    element("ul", { class: "lines" }, entries),
    note ? element("p", { class: "quiet" }, note) : null,
  );
}

function opportunityState(row) {
  const stage = row.stepname ? [outside(textOf(row.stepname))] : [];
  const close = row.estimatedclosedate ? [`closes ${formatDate(row.estimatedclosedate)}`] : [];
  return [...stage, ...(stage.length && close.length ? [" · "] : []), ...close];
}

function tasks(list) {
  const entries = objects(list).map((task) => {
    const isLate = typeof task.due === "string" && new Date(task.due).getTime() < startOfToday();
    return element(
      "li",
      {},
      element("div", { class: "what" }, outside(textOf(task.subject))),
      element("div", { class: isLate ? "late" : "quiet" }, task.due ? `${isLate ? "overdue since" : "due"} ${formatDate(task.due)}` : "no date"),
    );
  });
  return entries.length ? section("Tasks", element("ul", { class: "lines" }, entries)) : null;
}

function startOfToday() {
  const now = new Date();
  return Date.UTC(now.getFullYear(), now.getMonth(), now.getDate());
}

function activities(list) {
  const entries = objects(list).map((activity) =>
    element(
      "li",
      {},
      element("span", { class: "tag" }, tableLabel(activity.type)),
      element("div", { class: "what" }, outside(textOf(activity.subject)), element("div", { class: "quiet" }, activityState(activity))),
    ),
  );
  return entries.length ? section("Latest activities", element("ul", { class: "lines" }, entries)) : null;
}

function activityState(activity) {
  const known = [activity.when && formatDate(activity.when), activity.state && textOf(activity.state)];
  return known.filter(Boolean).join(" · ");
}

function notes(list) {
  const entries = objects(list).map((note) =>
    element(
      "li",
      {},
      note.title ? element("strong", {}, outside(textOf(note.title))) : null,
      note.when ? element("div", { class: "quiet" }, formatDate(note.when)) : null,
      note.text ? longText(textOf(note.text)) : null,
    ),
  );
  return entries.length ? section("Notes", element("ul", { class: "notes" }, entries)) : null;
}
