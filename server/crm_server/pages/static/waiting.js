// Keeps the waiting changes up to date. Without it the page shows them as they were when it was loaded.
"use strict";

const SECONDS = 5;
const news = document.getElementById("news");

const timer = setInterval(look, SECONDS * 1000);

async function look() {
  if (document.hidden) return;
  const shown = document.getElementById("waiting");
  let answer;
  try {
    answer = await fetch(shown.dataset.live, { redirect: "manual", cache: "no-store" });
  } catch {
    return; // The server is away: the next look may find it.
  }
  if (answer.type === "opaqueredirect") {
    clearInterval(timer);
    news.textContent = "Your session has ended. Load the page again to sign in.";
    news.classList.remove("hidden");
    return;
  }
  if (!answer.ok) return;
  const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("waiting");
  if (!found || found.innerHTML === shown.innerHTML) return;
  const focused = document.activeElement?.id;
  shown.replaceWith(document.adoptNode(found));
  if (focused) document.getElementById(focused)?.focus();
  news.textContent = found.dataset.news;
}
