// Answers arrive as server-sent events of a POST request, which EventSource cannot send: they are read from the response's
// body. Text is only ever set as text, never as HTML. Undo and a new conversation are ordinary forms (site.js).
"use strict";

const byId = (id) => document.getElementById(id);
let leaving = null; // ends the answer in progress

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (leaving) {
    event.preventDefault(); // one answer at a time
    event.stopImmediatePropagation();
  } else if (form.matches("form[data-stream]")) {
    event.preventDefault();
    answer(form);
  }
}, true);

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && leaving) stop();
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.target.id !== "question") return;
  event.preventDefault();
  if (!leaving && event.target.value.trim()) byId("ask").requestSubmit();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("#stop")) stop();
  const example = event.target.closest("[data-example]");
  if (example) {
    byId("question").value = example.textContent;
    byId("question").focus();
  }
});

async function answer(form) {
  const again = form.id !== "ask";
  const body = new URLSearchParams(new FormData(byId("ask"))); // the options, also for another answer
  const question = body.get("question");
  if (!again) {
    added("question", "You: ", question);
    added("answer", "The model: ", "");
  }
  const place = byId("messages").lastElementChild;
  const text = place.querySelector(".text");
  const before = text.textContent;
  leaving = new AbortController();
  busy(true, place);
  text.textContent = "";
  if (!again) byId("question").value = "";
  let failed = "the connection ended before the answer did";
  let begun = false;
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { accept: "text/event-stream" }, signal: leaving.signal });
    if (!response.ok) throw new Error((await response.json()).error.message);
    for await (const [name, data] of events(response.body)) {
      if (name === "text") {
        begun = true;
        text.textContent += data.text;
        follow();
      } else if (name === "end") {
        failed = "";
        place.classList.toggle("stopped", data.stopped);
      } else if (name === "error") {
        failed = data.message;
      }
    }
  } catch (error) {
    if (error.name !== "AbortError") failed = error.message;
    else place.classList.add("stopped");
  }
  leaving = null;
  busy(false, place);
  if (failed && !begun) { // nothing has changed on the server
    if (again) text.textContent = before;
    else {
      place.previousElementSibling.remove();
      place.remove();
      byId("question").value = question;
    }
  }
  say(failed || text.textContent, Boolean(failed)); // a screen reader hears the whole answer once
  const none = !byId("messages").children.length;
  for (const id of ["again", "undo", "reset"]) byId(id).disabled = none;
  byId("question").focus({ preventScroll: true });
}

// The events of a body: pairs of name and data. A character that arrives in two parts is put together by the decoder.
async function* events(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    waiting += decoder.decode(value, { stream: true });
    const whole = waiting.split("\n\n");
    waiting = whole.pop();
    for (const one of whole) {
      const fields = Object.fromEntries(one.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      yield [fields.event, JSON.parse(fields.data)];
    }
  }
}

async function stop() {
  const token = document.querySelector("#ask [name=csrf]").value;
  const ending = leaving;
  try {
    const said = await fetch("/stop", { method: "POST", headers: { "x-csrf-token": token } });
    if (!said.ok) throw new Error(said.statusText);
  } catch {
    ending?.abort(); // the server notices that nobody reads
  }
}

function added(kind, who, content) {
  const item = document.createElement("li");
  const hidden = document.createElement("span");
  const text = document.createElement("span");
  item.className = kind;
  hidden.className = "hidden";
  hidden.textContent = who;
  text.className = "text";
  text.textContent = content;
  item.append(hidden, text);
  byId("messages").append(item);
}

function busy(now, place) {
  byId("empty")?.remove();
  byId("stop").hidden = !now;
  byId("messages").setAttribute("aria-busy", String(now));
  place.classList.toggle("arriving", now);
  if (now) place.classList.remove("stopped");
  for (const id of ["send", "again", "undo", "reset"]) byId(id).disabled = now;
  if (now) follow(true);
}

function follow(always) {
  const rest = document.documentElement.scrollHeight - innerHeight - scrollY;
  if (always || rest < 160) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
}
