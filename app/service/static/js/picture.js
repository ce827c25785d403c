// The result page: before/after slider, copy and share the link, change the style in place.
function compare() {
  const box = document.querySelector("[data-compare]");
  const before = box?.querySelector(".before");
  if (!before) return;
  const stage = document.createElement("div");
  stage.className = "stage";
  const range = document.createElement("input");
  range.type = "range";
  range.value = 35;
  range.setAttribute("aria-label", "How much of the picture before is shown");
  const handle = document.createElement("div");
  handle.className = "handle";
  stage.append(box.querySelector(".after"), before, range, handle);
  box.append(stage);
  box.classList.add("live");
  const split = () => {
    box.style.setProperty("--split", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} percent before`);
  };
  range.addEventListener("input", split);
  split();
}

function share() {
  const link = document.querySelector("#link");
  const status = document.querySelector("[data-status]");
  const copy = document.querySelector("[data-copy]");
  copy.hidden = !navigator.clipboard;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(link.value);
    status.textContent = "Copied.";
  });
  const send = document.querySelector("[data-share]");
  send.hidden = !navigator.share;
  send.addEventListener("click", () => {
    navigator.share({ title: document.title, url: link.value }).catch(() => {});
  });
  link.addEventListener("focus", () => link.select());
}

function restyle() {
  const form = document.querySelector("[data-change]");
  form?.addEventListener("change", async () => {
    const main = document.querySelector("main");
    main.classList.add("busy");
    document.querySelector("[data-status]").textContent = "Trimming…";
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    }).catch(() => null);
    main.classList.remove("busy");
    if (!answer?.ok) {
      const problem = await answer?.json().catch(() => null);
      document.querySelector("[data-status]").textContent =
        problem?.detail ?? "The connection broke. Please try again.";
      return;
    }
    const page = await (await fetch(location.href)).text();
    const fresh = new DOMParser().parseFromString(page, "text/html");
    main.replaceChildren(...fresh.querySelector("main").children);
    document.title = fresh.title;
    start();
    document.querySelector("[name=style]:checked").focus({ preventScroll: true });
    document.querySelector("[data-status]").textContent = `Now: ${document.querySelector("[data-style-title]").textContent}.`;
  });
}

function start() {
  compare();
  share();
  restyle();
}

start();
