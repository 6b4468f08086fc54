// The page works without this script, a form and a button at a time; with it, it follows your choices and your files.
"use strict";

const by = (id) => document.getElementById(id);
const all = (query, root = document) => [...root.querySelectorAll(query)];
const remember = (name, value) => { try { localStorage.setItem(`preview.${name}`, value); } catch { /* private window */ } };
const recall = (name, otherwise) => { try { return localStorage.getItem(`preview.${name}`) ?? otherwise; } catch { return otherwise; } };

const TABS = ["mail", "text", "source", "checks"];
const SCHEMES = ["light", "dark", "both"];
const DESKTOP = 640;
let reader = by("reader").value; // the one shown: what stands in the box may be half typed when a file is saved
let version = document.body.dataset.version;
let asked = 0; // refreshes asked for: a slow answer must not overwrite a later one

// Colours, widths and views: only what the page shows, so the server never hears of them.

function setScheme(scheme) {
  document.body.dataset.scheme = scheme;
  all("input[name=scheme]").forEach((one) => { one.checked = one.value === scheme; });
  remember("scheme", scheme);
  fit();
}

function fit() {
  const phone = Number(all("input[name=width]").find((one) => one.checked)?.value ?? 375);
  const mail = by("mail");
  if (!mail || mail.hidden) return;
  const style = getComputedStyle(mail);
  const beside = getComputedStyle(mail.querySelector(".pair")).flexDirection !== "column";
  const gap = beside ? parseFloat(getComputedStyle(mail.querySelector(".pair")).columnGap) : 0;
  const room = mail.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - gap;
  const scale = Math.min(1, room / (beside ? phone + DESKTOP : DESKTOP));
  all(".device").forEach((device) => {
    const width = device.dataset.device === "phone" ? phone : DESKTOP;
    const glass = device.querySelector(".glass");
    glass.style.setProperty("--w", width);
    glass.style.setProperty("--scale", width === phone && !beside ? 1 : scale);
    device.querySelector(".width").textContent = width;
  });
}

function showTab(name, focus = false) {
  const chosen = by(name) ? name : "mail";
  TABS.forEach((one) => {
    const tab = by(`tab-${one}`);
    if (!tab) return;
    tab.setAttribute("aria-selected", String(one === chosen));
    tab.tabIndex = one === chosen ? 0 : -1;
    by(one).hidden = one !== chosen;
    if (focus && one === chosen) tab.focus();
  });
  const widths = by("widths");
  if (widths) widths.hidden = chosen !== "mail";
  remember("tab", chosen);
  fit();
}

function adorn() {
  const width = recall("width", "375");
  all("input[name=width]").forEach((one) => { one.checked = one.value === width; });
  const issue = by("issue");
  by("older").disabled = issue.selectedIndex >= issue.options.length - 1;
  by("newer").disabled = issue.selectedIndex <= 0;
  by("everybody").hidden = !reader;
  showTab(recall("tab", "mail"));
}

// Following: a choice or a saved file brings the page anew, and only what differs is put in its place.

function chosen() {
  return new URLSearchParams({ issue: by("issue").value, reader });
}

async function refresh({ saved = false } = {}) {
  const turn = ++asked;
  const query = chosen();
  let fresh;
  try {
    const answer = await fetch(`/?${query}`, { headers: { "X-Refresh": "yes" } });
    if (!answer.ok) throw new Error(await answer.text());
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch (fault) {
    state(String(fault.message || fault), true);
    return;
  }
  if (turn !== asked) return;
  history.replaceState(null, "", `/?${query}`);
  version = fresh.body.dataset.version;
  document.title = fresh.title;
  const selected = fresh.querySelector("#issue option[selected]")?.value;
  by("issue").replaceChildren(...fresh.getElementById("issue").children);
  by("issue").value = selected;
  by("trouble").replaceChildren(...fresh.getElementById("trouble").childNodes);
  place(fresh.getElementById("copy"), saved);
  adorn();
}

function place(fresh, saved) {
  const now = by("copy");
  const sameShape = now.querySelector("#mail") && fresh.querySelector("#mail");
  if (!sameShape) { now.replaceWith(fresh); return; }
  now.dataset.stale = fresh.dataset.stale;
  const kept = now.dataset.name === fresh.dataset.name;
  now.dataset.name = fresh.dataset.name;
  if (kept) return;
  const focus = document.activeElement?.id;
  for (const id of ["envelope", "text", "source", "checks", "tab-checks"]) {
    const scrolled = by(id).scrollTop;
    by(id).replaceChildren(...fresh.querySelector(`#${id}`).childNodes);
    by(id).scrollTop = saved ? scrolled : 0;
  }
  if (focus) by(focus)?.focus();
  const coming = all("iframe", fresh);
  all(".glass", now).forEach((glass, index) => turnOver(glass, coming[index].getAttribute("src"), saved));
}

// The next frame loads behind the present one and takes its place, so nothing flickers; after a saved file the eye
// stays where it was.
function turnOver(glass, source, saved) {
  const next = glass.querySelector("iframe").cloneNode();
  all("iframe.coming", glass).forEach((one) => one.remove());
  next.classList.add("coming");
  next.src = source;
  next.addEventListener("load", () => {
    const before = glass.querySelector("iframe:not(.coming)");
    try {
      if (saved) next.contentWindow.scrollTo(0, before.contentWindow.scrollY);
    } catch { /* the browser shows a page of its own: the server has gone */ }
    next.classList.remove("coming");
    before?.remove();
  }, { once: true });
  glass.append(next);
}

function state(line, gone = false) {
  by("state").textContent = line;
  by("state").classList.toggle("gone", gone);
}

async function follow() {
  for (;;) {
    try {
      const answer = await fetch(`/changes?after=${encodeURIComponent(version)}`);
      const news = await answer.json();
      if (by("state").classList.contains("gone")) state("Watching your files");
      if (news.version !== version) {
        version = news.version;
        await refresh({ saved: true });
        state(`Watching your files, last change at ${new Date().toLocaleTimeString()}`);
      }
    } catch {
      state("The preview has ended; start it again and this page goes on", true);
      await new Promise((wake) => { setTimeout(wake, 1500); });
    }
  }
}

// The reader: an input that suggests, and takes any address on the list.

const box = by("reader");
const found = by("found");
let typed = 0;

async function suggest(words) {
  const turn = ++typed;
  let readers;
  try { readers = await (await fetch(`/readers?find=${encodeURIComponent(words)}`)).json(); } catch { return; }
  if (turn !== typed || document.activeElement !== box) return;
  const rows = readers.map((one) => row(one.address, one.name || one.address, [one.name && one.address, one.note]));
  if (!words) rows.unshift(row("", "Everybody", ["a sample reader with no interests set"]));
  found.replaceChildren(...rows);
  open(rows.length > 0);
}

function row(address, title, notes) {
  const item = document.createElement("li");
  item.setAttribute("role", "option");
  item.id = `reader-${found.dataset.count = Number(found.dataset.count || 0) + 1}`;
  item.dataset.address = address;
  const small = document.createElement("small");
  small.textContent = notes.filter(Boolean).join(" · ");
  item.append(title, small);
  return item;
}

function open(wanted) {
  found.hidden = !wanted;
  box.setAttribute("aria-expanded", String(wanted));
  if (!wanted) { typed++; box.removeAttribute("aria-activedescendant"); }
}

function mark(step) {
  const rows = [...found.children];
  if (!rows.length) return;
  const at = rows.findIndex((one) => one.getAttribute("aria-selected") === "true");
  const next = rows[(at + step + rows.length + (at < 0 && step < 0 ? 1 : 0)) % rows.length];
  rows.forEach((one) => one.setAttribute("aria-selected", String(one === next)));
  next.scrollIntoView({ block: "nearest" });
  box.setAttribute("aria-activedescendant", next.id);
}

function take(address) {
  box.value = reader = address;
  open(false);
  refresh();
}

box.addEventListener("focus", () => { box.select(); suggest(""); });
box.addEventListener("input", () => suggest(box.value.trim()));
box.addEventListener("blur", () => {
  if (box.value.trim() === reader) open(false); else take(box.value.trim());
});
box.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (found.hidden) suggest(""); else mark(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter") {
    event.preventDefault();
    const marked = found.hidden ? null : found.querySelector("[aria-selected=true]");
    take(marked ? marked.dataset.address : box.value.trim());
  } else if (event.key === "Escape") {
    box.value = reader;
    box.select();
    open(false);
  }
});
found.addEventListener("mousedown", (event) => {
  const item = event.target.closest("li");
  if (!item) return;
  event.preventDefault();
  take(item.dataset.address);
});
by("everybody").addEventListener("click", () => take(""));

// Everything else that can be clicked or pressed.

function step(by_how_many) {
  const issue = by("issue");
  const next = issue.selectedIndex + by_how_many;
  if (next < 0 || next >= issue.options.length) return;
  issue.selectedIndex = next;
  refresh();
}

by("choice").addEventListener("submit", (event) => event.preventDefault());
by("issue").addEventListener("change", () => refresh());
by("older").addEventListener("click", () => step(1));
by("newer").addEventListener("click", () => step(-1));
document.addEventListener("change", (event) => {
  if (event.target.name === "scheme") setScheme(event.target.value);
  if (event.target.name === "width") { remember("width", event.target.value); fit(); }
});
document.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) showTab(tab.getAttribute("aria-controls"));
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("[role=tablist]") && event.target.matches("[role=tab]")) {
    const now = TABS.indexOf(event.target.getAttribute("aria-controls"));
    const to = { ArrowRight: (now + 1) % 4, ArrowLeft: (now + 3) % 4, Home: 0, End: 3 }[event.key];
    if (to !== undefined) { event.preventDefault(); showTab(TABS[to], true); return; }
  }
  const writing = event.target.matches("input:not([type=radio]):not([type=checkbox]), select, textarea");
  if (writing || !by("keys").checked || by("sending").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const does = {
    "[": () => step(1),
    "]": () => step(-1),
    "/": () => box.focus(),
    d: () => setScheme(SCHEMES[(SCHEMES.indexOf(document.body.dataset.scheme) + 1) % 3]),
    1: () => showTab("mail"), 2: () => showTab("text"), 3: () => showTab("source"), 4: () => showTab("checks"),
  }[event.key];
  if (does) { event.preventDefault(); does(); }
});
by("keys").addEventListener("change", (event) => remember("keys", event.target.checked ? "on" : "off"));

by("test").addEventListener("click", () => {
  by("outcome").textContent = "";
  by("address").value ||= recall("address", "");
  by("sending").showModal();
});
by("close").addEventListener("click", () => by("sending").close());
by("send-test").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = chosen();
  body.set("address", by("address").value);
  remember("address", by("address").value);
  by("outcome").className = "";
  by("outcome").textContent = "Sending…";
  try {
    const answer = await fetch("/send-test", { method: "POST", body });
    const told = answer.headers.get("Content-Type")?.startsWith("application/json")
      ? await answer.json() : { sent: false, line: await answer.text() };
    by("outcome").className = told.sent ? "ok" : "fail";
    by("outcome").textContent = told.line;
  } catch {
    by("outcome").className = "fail";
    by("outcome").textContent = "The preview has ended; start it again.";
  }
});

by("keys").checked = recall("keys", "on") === "on";
setScheme(recall("scheme", "light"));
adorn();
new ResizeObserver(fit).observe(document.body);
follow();
