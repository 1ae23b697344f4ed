// Live pages. Without this script every page still works: it is renewed by loading it again.
"use strict";

const live = document.getElementById("live");
const connection = document.getElementById("connection");

// What somebody is filling in, or has chosen, is not taken from under their hands.
function isBeingUsed() {
  const at = document.activeElement;
  const isTyping = at && live.contains(at) && at.matches("input:not([type=checkbox]), select, textarea");
  const texts = [...live.querySelectorAll("input:not([type]), input[type=text], textarea")];
  const isHalfFilled = texts.some((field) => field.value !== field.defaultValue);
  return isTyping || isHalfFilled || live.querySelector("input[type=checkbox]:checked") !== null;
}

// Hands may have come while the page was asked for.
live.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target === live && isBeingUsed()) event.detail.shouldSwap = false;
});

// The slider has been moved: the page stands where it was put. It is asked for one moment at a time, and
// then for the one where the slider has got to meanwhile: as smooth as answers are fast.
let isAsking = false;
let isMoved = false;

function ask(slider) {
  isMoved = isAsking;
  if (isAsking) return;
  isAsking = true;
  htmx.trigger(slider, "moved");
}

live.addEventListener("input", (event) => {
  if (event.target.type !== "range") return;
  live.removeAttribute("data-living");
  ask(event.target);
});

live.addEventListener("htmx:afterRequest", (event) => {
  if (event.target.type !== "range") return;
  isAsking = false;
  if (isMoved) ask(event.target);
});

// The row of the turn whose moment is shown.
live.addEventListener("htmx:afterSettle", () => {
  const moment = document.getElementById("moment");
  if (moment === null) return;
  for (const row of live.querySelectorAll("tr[data-turn]")) {
    const isChosen = row.dataset.turn === moment.dataset.turn;
    row.classList.toggle("chosen", isChosen);
    const link = row.querySelector("th a");
    if (isChosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
});

if (window.Idiomorph) {
  // What somebody has scrolled or opened stays so.
  window.Idiomorph.defaults.ignoreActiveValue = true;
}

if (live.hasAttribute("data-living")) {
  const news = new EventSource("/live");
  news.addEventListener("changed", () => {
    connection.hidden = true;
    if (!document.hidden && live.hasAttribute("data-living") && !isBeingUsed()) htmx.trigger(live, "changed");
  });
  news.addEventListener("error", () => {
    connection.hidden = false;
  });
  window.addEventListener("pagehide", () => news.close());
}
