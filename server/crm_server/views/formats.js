"use strict";
// Numbers, dates and names as the reader's locale writes them.

const NOT_SET = "Not set";
const LABELS = {
  accountid: "Account", address1_city: "City", address1_country: "Country", address1_line1: "Street",
  address1_postalcode: "Postal code", address1_stateorprovince: "State or province",
  budgetamount: "Budget", closeprobability: "Probability", companyname: "Company",
  createdon: "Created", customerid: "Customer", customertypecode: "Relationship", description: "Description",
  emailaddress1: "E-mail", estimatedclosedate: "Estimated close", estimatedvalue: "Estimated value",
  firstname: "First name", fullname: "Name", industrycode: "Industry", jobtitle: "Job title", lastname: "Last name",
  leadqualitycode: "Rating", leadsourcecode: "Source", mobilephone: "Mobile", modifiedon: "Changed",
  numberofemployees: "Employees", opportunityratingcode: "Rating", ownerid: "Owner", ownershipcode: "Ownership",
  parentaccountid: "Parent account", parentcustomerid: "Company", primarycontactid: "Primary contact",
  revenue: "Annual revenue", salesstage: "Sales stage", statecode: "State", statuscode: "Status", stepname: "Stage",
  subject: "Topic", telephone1: "Phone", websiteurl: "Website", actualvalue: "Actual value",
};
const TABLES = {
  account: ["Account", "Accounts"], contact: ["Contact", "Contacts"], lead: ["Lead", "Leads"],
  opportunity: ["Opportunity", "Opportunities"], task: ["Task", "Tasks"], phonecall: ["Phone call", "Phone calls"],
  email: ["E-mail", "E-mails"], appointment: ["Meeting", "Meetings"], incident: ["Case", "Cases"],
  letter: ["Letter", "Letters"], fax: ["Fax", "Faxes"],
};
const MONEY = /(value|amount|revenue|price|budget|cost|credit|total|discount)/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

/** The host's locale if Intl knows it, else the browser's own. */
function locale() {
  return usable((tag) => Intl.getCanonicalLocales(tag)[0], Bridge.context.locale);
}

function timeZone() {
  return usable((zone) => new Intl.DateTimeFormat("en", { timeZone: zone }) && zone, Bridge.context.timeZone);
}

function usable(check, value) {
  try {
    return typeof value === "string" && value ? check(value) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether this column holds money. */
function isMoney(column) {
  return MONEY.test(column);
}

/** A number; as money where a currency's code is given. `compact` is for axes and bars: 1.2M. */
function formatNumber(value, currency = null, compact = false) {
  const options = compact
    ? { notation: "compact", maximumFractionDigits: 1 }
    : { maximumFractionDigits: currency || Math.abs(value) >= 1000 ? 0 : 2 };
  if (/^[A-Z]{3}$/.test(currency ?? "")) Object.assign(options, { style: "currency", currency, minimumFractionDigits: 0 });
  return new Intl.NumberFormat(locale(), options).format(value);
}

/** A day, or a moment in the reader's own time zone; anything else as it is. */
function formatDate(text) {
  if (typeof text !== "string") return textOf(text);
  const isDay = DATE.test(text);
  const moment = new Date(isDay ? `${text}T00:00:00Z` : text);
  if (!(isDay || MOMENT.test(text)) || Number.isNaN(moment.getTime())) return text;
  const form = isDay ? { dateStyle: "medium", timeZone: "UTC" } : { dateStyle: "medium", timeStyle: "short", timeZone: timeZone() };
  return new Intl.DateTimeFormat(locale(), form).format(moment);
}

/** "2026-11" as [month, year], the month in full or short; anything else as it is. */
function formatMonth(text, length = "long") {
  const [, year, month] = /^(\d{4})-(\d\d)$/.exec(text) ?? [];
  if (!(month >= 1 && month <= 12)) return [text, ""];
  const name = new Intl.DateTimeFormat(locale(), { month: length, timeZone: "UTC" });
  return [name.format(new Date(Date.UTC(Number(year), Number(month) - 1, 1))), year];
}

/** Any value of a record as text. */
function textOf(value) {
  if (value === null || value === undefined || value === "") return NOT_SET;
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value === "number") return formatNumber(value);
  if (typeof value === "string") return withoutMarks(value);
  if (Array.isArray(value)) return value.map(textOf).join(", ") || NOT_SET;
  return typeof value.name === "string" ? value.name : textOf(value.id);
}

/** The marks round free text are for models; people see where it ends. */
function withoutMarks(text) {
  const trimmed = text.trim();
  return trimmed.startsWith("⟦") && trimmed.endsWith("⟧") ? trimmed.slice(1, -1).trim() : text;
}

/** A column's name for people. A column we do not know keeps its own. */
function columnLabel(column) {
  return own(LABELS, column) ?? capitalised(column.replaceAll("_", " "));
}

function tableLabel(table, isPlural = false) {
  return own(TABLES, table)?.[isPlural ? 1 : 0] ?? capitalised(textOf(table).replaceAll("_", " "));
}

/** A value of a table of ours, never what every object inherits. */
function own(table, name) {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
