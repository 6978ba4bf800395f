"use strict";
// The host's colours and fonts, as far as they keep the page readable.

const THEMES = ["light", "dark"];
const VARIABLE = /^--(color|font|border)-[a-z0-9-]+$/;

/** Takes over what the host says of itself. */
function applyTheme(context) {
  const root = document.documentElement;
  if (THEMES.includes(context.theme)) root.dataset.theme = context.theme;
  applyVariables(root, context.styles?.variables);
  const inset = context.safeAreaInsets ?? {};
  for (const side of ["top", "right", "bottom", "left"]) {
    if (Number.isFinite(inset[side])) root.style.setProperty(`--inset-${side}`, `${inset[side]}px`);
  }
}

function applyVariables(root, variables) {
  if (typeof variables !== "object" || variables === null) return;
  // A host's text colour on our background, or the other way round, might not be readable.
  const hasBoth = variables["--color-background-primary"] && variables["--color-text-primary"];
  for (const [name, value] of Object.entries(variables)) {
    const fits = VARIABLE.test(name) && typeof value === "string" && !/url\(/i.test(value);
    if (fits && (hasBoth || !name.startsWith("--color-"))) root.style.setProperty(name, value);
  }
}
