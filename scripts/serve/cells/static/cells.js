// Pictures go to the server one after the other, two at a time; what comes back is kept here, with all its scores, and
// counted again whenever a threshold moves. Nothing else is asked of the server.
"use strict";

const COLORS = ["#3f6fe0", "#e6194b", "#2aa84a", "#f58231", "#911eb4", "#008080", "#9a6324", "#6a6ad0"]; // as in cells.css
const AT_ONCE = 2; // pictures on their way
const LARGEST = 1600; // pixels of the canvas
const byId = (id) => document.getElementById(id);
const sliders = [...document.querySelectorAll("#thresholds input")];
const names = sliders.map((slider) => slider.dataset.name);
const pictures = []; // {name, file, size, boxes, scores, labels, preview} or {name, error}
let chosen = -1;
let done = 0;
let working = 0;
const waiting = [];

document.documentElement.classList.add("scripted");

function add(files) {
  for (const file of files) {
    const picture = { name: file.name, file };
    pictures.push(picture);
    waiting.push(picture);
  }
  byId("results").hidden = !pictures.length;
  show();
  while (working < AT_ONCE && waiting.length) work();
}

async function work() {
  working += 1;
  while (waiting.length) {
    const picture = waiting.shift();
    progress();
    try {
      Object.assign(picture, await ask(picture.file), { name: picture.file.name }); // quotes come back as %22
      if (chosen < 0) choose(pictures.indexOf(picture));
    } catch (error) {
      picture.error = error.message;
      say(error.message, true);
    }
    done += 1;
    progress();
    show();
  }
  working -= 1;
  if (!working) say(`${done} of ${pictures.length} pictures counted`);
}

async function ask(file) {
  const token = document.querySelector("#pictures [name=csrf]").value;
  for (let wait = 1; ; wait = Math.min(2 * wait, 8)) {
    const body = new FormData();
    body.append("file", file);
    let answer;
    try {
      answer = await fetch("/api/count", { method: "POST", body, headers: { "x-csrf-token": token } });
    } catch {
      throw new Error("the server cannot be reached, or the file is too large");
    }
    if (answer.ok) return answer.json();
    const busy = answer.status === 429 || answer.status === 503;
    if (!busy) {
      const said = await answer.json().catch(() => ({}));
      throw new Error(said.error ? said.error.message : `error ${answer.status}`);
    }
    const seconds = Number(answer.headers.get("retry-after")) || wait;
    await new Promise((go) => setTimeout(go, 1000 * seconds));
  }
}

function progress() {
  byId("progress").hidden = done === pictures.length;
  byId("bar").max = pictures.length;
  byId("bar").value = done;
  byId("progress-text").textContent = `${done} of ${pictures.length}`;
}

// -- counting -----------------------------------------------------------------------------------------------------

const counts = (picture, k) => picture.scores[k] >= Number(sliders[picture.labels[k]].value) - 1e-9;

function countsOf(picture) {
  const found = names.map(() => 0);
  picture.scores?.forEach((_, k) => { if (counts(picture, k)) found[picture.labels[k]] += 1; });
  return found;
}

const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);

function cell(row, kind, text, number) {
  const found = document.createElement(kind);
  found.textContent = text;
  if (number) found.className = "number";
  row.append(found);
  return found;
}

function show() {
  sliders.forEach((slider, k) => { byId(`value${k}`).textContent = Number(slider.value).toFixed(3); });
  const body = byId("counts").tBodies[0];
  const total = names.map(() => 0);
  const rows = pictures.map((picture, index) => {
    const row = document.createElement("tr");
    if (index === chosen) row.setAttribute("aria-current", "true");
    const head = cell(row, "th", "");
    head.scope = "row";
    if (picture.error) {
      head.textContent = picture.name;
      const why = cell(row, "td", picture.error.replace(`${picture.name} `, ""));
      why.colSpan = names.length + 1;
      why.className = "warning";
    } else if (!picture.scores) {
      head.textContent = picture.name;
      cell(row, "td", "waits").colSpan = names.length + 1;
    } else {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = picture.name;
      button.dataset.index = index;
      head.append(button);
      const found = countsOf(picture);
      found.forEach((n, k) => { cell(row, "td", n, true); total[k] += n; });
      cell(row, "td", sum(found), true);
    }
    return row;
  });
  const focused = document.activeElement?.dataset?.index;
  body.replaceChildren(...rows);
  if (focused !== undefined) body.querySelector(`[data-index="${focused}"]`)?.focus({ preventScroll: true });
  const last = document.createElement("tr");
  cell(last, "th", "All pictures").scope = "row";
  total.forEach((n) => cell(last, "td", n, true));
  cell(last, "td", sum(total), true);
  byId("counts").tFoot.replaceChildren(last);
  draw();
}

function choose(index) {
  chosen = index;
  const picture = pictures[index];
  byId("shown").textContent = picture.name;
  const image = new Image();
  const address = picture.preview || URL.createObjectURL(picture.file);
  const ready = (shown) => {
    if (!picture.preview) URL.revokeObjectURL(address);
    picture.image = shown;
    for (const other of pictures) if (other !== picture) other.image = undefined; // one decoded picture at a time
    show();
  };
  image.onload = () => ready(image);
  image.onerror = () => ready(undefined);
  image.src = address;
  show();
}

function draw() {
  const picture = pictures[chosen];
  const canvas = byId("canvas");
  if (!picture?.scores) return;
  const [width, height] = picture.size;
  const scale = Math.min(1, LARGEST / Math.max(width, height));
  const zoom = Math.max(1, Math.floor(480 / (Math.max(width, height) * scale)));
  canvas.width = Math.max(1, Math.round(width * scale * zoom));
  canvas.height = Math.max(1, Math.round(height * scale * zoom));
  const pen = canvas.getContext("2d");
  if (picture.image) pen.drawImage(picture.image, 0, 0, canvas.width, canvas.height);
  pen.lineWidth = Math.max(2, canvas.width / 320);
  picture.boxes.forEach(([left, top, right, bottom], k) => {
    if (!counts(picture, k)) return;
    const [x, y] = [canvas.width / width, canvas.height / height];
    pen.strokeStyle = COLORS[picture.labels[k] % COLORS.length];
    pen.strokeRect(left * x, top * y, (right - left) * x, (bottom - top) * y);
  });
  const said = countsOf(picture).map((n, k) => `${n} ${names[k]}`).join(", ");
  canvas.setAttribute("aria-label", `${picture.name}: ${said}`);
}

// -- files --------------------------------------------------------------------------------------------------------

const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

function save(name, rows) {
  const text = rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const counted = () => pictures.filter((picture) => picture.scores);

byId("save-counts").addEventListener("click", () => {
  const rows = counted().map((picture) => { const found = countsOf(picture); return [picture.name, ...found, sum(found)]; });
  save("counts.csv", [["name", ...names, "total"], ...rows]);
});
byId("save-boxes").addEventListener("click", () => {
  const rows = counted().flatMap((picture) => picture.boxes.map((box, k) => [k, box]).filter(([k]) => counts(picture, k))
    .map(([k, box]) => [picture.name, names[picture.labels[k]], picture.scores[k], ...box]));
  save("boxes.csv", [["name", "label", "score", "left", "top", "right", "bottom"], ...rows]);
});

// -- events -------------------------------------------------------------------------------------------------------

const form = byId("pictures");
form.addEventListener("submit", (event) => { event.preventDefault(); add(byId("file").files); });
byId("file").addEventListener("change", () => { add(byId("file").files); form.reset(); });
document.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
document.addEventListener("dragleave", () => form.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  add(event.dataTransfer.files);
});
sliders.forEach((slider) => slider.addEventListener("input", show));
byId("reset").addEventListener("click", () => {
  sliders.forEach((slider) => { slider.value = slider.dataset.chosen; });
  show();
});
byId("counts").addEventListener("click", (event) => {
  const index = event.target.dataset?.index;
  if (index !== undefined) choose(Number(index));
});
show();
