// Live pages. Without this script every page still works: it is renewed by loading it again.
"use strict";

const live = document.getElementById("live");
const connection = document.getElementById("connection");

// What somebody is filling in, or has chosen, is not taken from under their hands.
function isBeingUsed() {
  const at = document.activeElement;
  const isTyping = at && live.contains(at) && at.matches("input:not([type=checkbox]), select, textarea");
  return isTyping || live.querySelector("input[type=checkbox]:checked") !== null;
}

// The slider has been moved: the page stands where it was put.
live.addEventListener("input", (event) => {
  if (event.target.type === "range") live.removeAttribute("data-living");
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
