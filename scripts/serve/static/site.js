// Forms with data-live answer without a reload: the answer is the same page as without JavaScript, of which the regions
// with data-region take the place of the old ones. What was in focus stays in focus.
"use strict";

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-live]") || event.defaultPrevented) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const focused = document.activeElement && document.activeElement.id;
  const get = form.method === "get";
  const address = get ? `${form.action}?${body}` : form.action;
  document.documentElement.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, get ? {} : { method: "POST", body, headers: { accept: "text/html" } });
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) {
      say(found.querySelector("main p:not(.kicker)")?.textContent || `error ${answer.status}`, true);
      return;
    }
    for (const old of document.querySelectorAll("[data-region]")) {
      const fresh = found.getElementById(old.id);
      if (fresh) old.replaceWith(fresh);
    }
    if (get) history.replaceState(null, "", answer.url);
    const again = focused && document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
    say(found.querySelector("[data-said]")?.dataset.said || "");
  } catch {
    form.submit(); // no network for scripts: as without JavaScript
  } finally {
    document.documentElement.removeAttribute("aria-busy");
  }
});

function say(text, wrong) {
  const place = document.getElementById("said");
  place.textContent = text;
  place.classList.toggle("shown", Boolean(wrong));
}
