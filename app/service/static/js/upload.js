// The home page: drop, paste or take a picture, see it in the frame, send it with progress.
// Without this script the form works as any form does.
const form = document.querySelector("[data-upload]");
const input = form.querySelector("#image");
const drop = form.querySelector("[data-drop]");
const chosen = form.querySelector("[data-chosen]");
const cameo = form.querySelector("[data-cameo]");
const label = form.querySelector("[data-file-label]");
const status = form.querySelector("[data-status]");
const progress = form.querySelector("[data-progress]");
const submit = form.querySelector("[type=submit]");
const maxBytes = Number(form.dataset.maxBytes);
const plainBytes = Number(form.dataset.plainBytes);

const touched = matchMedia("(pointer: coarse)").matches;
form.querySelector("[data-mouse]").hidden = touched;

function say(text, bad = false) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

// --- The picture in the frame ---
function show() {
  const file = input.files[0];
  URL.revokeObjectURL(chosen.src);
  chosen.hidden = !file;
  cameo.toggleAttribute("hidden", Boolean(file));
  label.textContent = file ? "Choose another" : "Choose a picture";
  if (!file) return say("");
  chosen.src = URL.createObjectURL(file);
  chosen.alt = `Chosen: ${file.name}`;
  if (file.size > maxBytes) {
    say(`This picture has ${Math.ceil(file.size / 1e6)} MB; ${maxBytes / 1e6} MB is the most.`, true);
  } else {
    say(`${file.name} is ready.`);
  }
}

// What the browser cannot draw (HEIC in most) the server may well read.
chosen.addEventListener("error", () => {
  chosen.hidden = true;
  cameo.toggleAttribute("hidden", false);
});

function take(files) {
  const pictures = [...files].filter((file) => file.type.startsWith("image/") || !file.type);
  if (!pictures.length) return say("That is not a picture.", true);
  const transfer = new DataTransfer();
  transfer.items.add(pictures[0]);
  input.files = transfer.files;
  show();
}

input.addEventListener("change", show);
const camera = form.querySelector("[data-camera]");
camera.hidden = !touched;
camera.querySelector("input").addEventListener("change", (event) => take(event.target.files));

document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) {
    event.preventDefault();
    take(event.clipboardData.files);
  }
});
for (const name of ["dragover", "dragenter"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  drop.classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  take(event.dataTransfer.files);
});

// --- The gentleman wears what is chosen ---
const mustache = cameo.querySelector("[data-mustache]");

function wear() {
  let radio = form.elements.style.value === "random" ? null : form.querySelector("[name=style]:checked");
  if (!radio) {
    const all = form.querySelectorAll("[name=style][data-width]");
    radio = all[Math.floor(Math.random() * all.length)];
  }
  const [anchorX, anchorY] = radio.dataset.anchor.split(" ").map(Number);
  const width = mustache.dataset.unit * radio.dataset.width;
  mustache.setAttribute("width", width);
  mustache.setAttribute("x", mustache.dataset.x - anchorX * width);
  mustache.setAttribute("y", mustache.dataset.y - anchorY * width);
  mustache.setAttribute("href", radio.parentElement.querySelector("img").src);
  mustache.classList.remove("grown");
  requestAnimationFrame(() => mustache.classList.add("grown"));
}

for (const radio of form.elements.style) radio.addEventListener("change", wear);
wear();

// --- Sending ---
const MOST_TRIES = 5;

// The picture goes where POST /api/uploads says, with progress; then the form names it by its key.
// If any of that fails, the form brings the picture itself, as without this script, unless that is
// more than a form may bring.
function post(address, body) {
  const request = new XMLHttpRequest();
  request.open("POST", address);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  if (body?.get("file") ?? body?.get("image")?.size) {
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress.value = (100 * event.loaded) / event.total;
    });
  }
  return new Promise((resolve) => {
    request.addEventListener("load", () => resolve(request));
    request.addEventListener("error", () => resolve(null));
    request.send(body);
  });
}

// The key of the picture, once it is there.
async function deliver(file) {
  const offer = await post("/api/uploads");
  if (offer?.status !== 201 || !offer.response) return null;
  const { key, url, fields } = offer.response;
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  body.append("file", file);
  const answer = await post(url, body);
  return answer && answer.status >= 200 && answer.status < 300 ? key : null;
}

async function send() {
  const body = new FormData(form);
  const file = input.files[0];
  const key = file && file.size <= maxBytes ? await deliver(file) : null;
  if (!key && file?.size > plainBytes && file.size <= maxBytes) {
    return failed("The picture did not arrive. Please try again.");
  }
  if (key) {
    body.delete("image");
    body.set("key", key);
    say("Lathering, measuring, growing…");
  }
  let answer = await post(form.action, body);
  for (let tries = 1; answer?.status === 503 && tries < MOST_TRIES; tries++) {
    say("Others are in the chair. You are next in a moment…");
    await new Promise((come) => setTimeout(come, 1000 * (answer.getResponseHeader("Retry-After") ?? 10)));
    answer = await post(form.action, body);
  }
  if (answer?.status === 201) {
    location.assign(answer.response.location);
  } else {
    const problem = answer ? "Something went wrong. Please try again." : "The connection broke. Please try again.";
    failed(answer?.response?.detail ?? problem);
  }
}

function failed(text) {
  progress.hidden = true;
  submit.disabled = false;
  say(text, true);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!input.files.length && !form.elements.src.value) {
    say("Choose a picture first, or give the address of one.", true);
    return input.focus();
  }
  submit.disabled = true;
  progress.hidden = false;
  progress.value = 0;
  say("Sending…");
  send();
});

// Coming back with the browser's Back button shows the form ready, not busy.
addEventListener("pageshow", () => {
  submit.disabled = false;
  progress.hidden = true;
  if (input.files.length) show();
  else say("");
});
