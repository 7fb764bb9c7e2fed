// Refreshes what is marked data-live when the server says that something has changed, says when that feed is lost,
// and handles the keyboard. Without it, pages work and are as old as they were loaded.

const body = document.body;
const feed = document.getElementById("feed");
const SILENT_MS = 12_000; // the server says something every five seconds
const SLOWLY_MS = 30_000;
const ANSWER_MS = 10_000; // longer than any page takes
const AGAIN_MS = 2_000;
const CROWD_MS = 300_000; // until a page without a feed asks for one again

// --- the feed

let heard = Date.now();
let generation = Number(body.dataset.generation);
let lost = null;
let ended = false;
let pending = false;
let again = false;
let retry = 0;
let crowded = false; // there is no feed for this page: it asks for itself now and then

const clock = (time) => new Date(time).toISOString().slice(11, 19) + " UTC";

function say(text) {
  const said = feed.querySelector(".said");
  if (said.textContent !== text) said.textContent = text;
}

function lose() {
  if (lost === null) {
    lost = heard;
    feed.dataset.lost = "yes";
    body.dataset.stale = "yes";
    say(body.dataset.lost.replace("{time}", clock(lost)));
  }
}

function found() {
  heard = Date.now();
  if (lost !== null) {
    lost = null;
    delete feed.dataset.lost;
    delete body.dataset.stale;
    say(body.dataset.back);
    refresh();
  }
}

function crowd() {
  crowded = true;
  lost = null;
  delete feed.dataset.lost;
  delete body.dataset.stale;
  say(body.dataset.slow);
  setTimeout(check, CROWD_MS);
}

function over() {
  ended = true;
  source.close();
  feed.dataset.lost = "yes";
  body.dataset.stale = "yes";
  say(body.dataset.out);
}

const source = new EventSource("/events");
source.addEventListener("feed", (event) => {
  found();
  const told = JSON.parse(event.data);
  if (told.generation !== generation) {
    generation = told.generation;
    refresh();
  }
});
source.addEventListener("error", () => {
  lose();
  if (source.readyState === EventSource.CLOSED && !ended) check();
});

async function check() {
  // The browser gives up when the answer is no stream: signed out, or a server that is starting.
  try {
    const answer = await fetch("/events", { method: "GET", headers: { accept: "text/event-stream" }, signal: AbortSignal.timeout(2_000) });
    answer.body?.cancel();
    if (answer.status === 401) {
      const page = await fetch(location.href); // a console that was started anew may let us in without a question
      if (!page.ok || new URL(page.url).pathname === "/sign-in") return over();
    }
    if (answer.status === 503) {
      crowd();
      return;
    }
    location.reload();
  } catch {
    setTimeout(check, 3_000);
  }
}

setInterval(() => {
  if (!ended && !crowded && Date.now() - heard > SILENT_MS) lose();
  count();
}, 1_000);
setInterval(() => { if (!ended && lost === null) refresh(); }, SLOWLY_MS);

// --- refreshing

async function refresh() {
  if (ended) return;
  if (pending) {
    again = true;
    return;
  }
  pending = true;
  try {
    await new Promise((done) => setTimeout(done, Math.random() * 250)); // not all browsers at once
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.redirected && new URL(answer.url).pathname === "/sign-in") return over();
    if (answer.status === 429 || answer.status >= 500) throw new Error(answer.statusText);
    if (crowded && lost !== null) crowd();
    if (answer.ok) renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    lose(); // what is shown may be old, and says so
    clearTimeout(retry);
    retry = setTimeout(refresh, AGAIN_MS);
  } finally {
    pending = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

function renew(page) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (fresh === null || busy(old)) continue;
    if (old.innerHTML === fresh.innerHTML && old.className === fresh.className) continue;
    const place = where(old);
    const opened = [...old.querySelectorAll("details[open]")].map((one) => trail(one, old));
    morph(old, fresh);
    for (const path of opened) follow(path, old)?.setAttribute("open", "");
    place?.();
  }
  if (page.title) document.title = page.title;
  const now = page.getElementById("feed");
  if (now !== null && lost === null) {
    feed.dataset.lostMs = now.dataset.lostMs;
    say(now.querySelector(".said").textContent);
  }
}

// What is the same stays: a screen reader is told of what has changed, and of nothing else.
function morph(old, fresh) {
  old.className = fresh.className;
  const theirs = [...fresh.childNodes];
  const ours = [...old.childNodes];
  if (ours.length !== theirs.length || ours.some((one, index) => one.nodeName !== theirs[index].nodeName)) {
    old.replaceChildren(...theirs.map((one) => document.adoptNode(one)));
    return;
  }
  ours.forEach((one, index) => {
    const other = theirs[index];
    if (one.isEqualNode(other)) return;
    if (one.nodeType !== Node.ELEMENT_NODE) {
      one.data = other.data;
    } else if (one.children.length && other.children.length && !one.matches("svg, ol, ul, table")) {
      for (const { name } of [...one.attributes]) if (!other.hasAttribute(name)) one.removeAttribute(name);
      for (const { name, value } of [...other.attributes]) one.setAttribute(name, value);
      morph(one, other);
    } else {
      one.replaceWith(document.adoptNode(other));
    }
  });
}

// Whether somebody is filling a form in.
function busy(part) {
  return [...part.querySelectorAll("details[open] form")].length > 0 && part.matches(".actions");
}

function trail(one, root) {
  const path = [];
  for (let at = one; at !== root; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
  return path;
}

function follow(path, root) {
  return path.reduce((at, index) => at?.children[index], root);
}

// Puts the focus back to where it was.
function where(part) {
  const focused = document.activeElement;
  if (!part.contains(focused)) return null;
  const href = focused.getAttribute("href");
  const path = trail(focused, part);
  return () => {
    if (document.contains(focused)) return;
    const same = href && [...part.querySelectorAll("a")].find((one) => one.getAttribute("href") === href);
    (same || follow(path, part) || document.getElementById("main"))?.focus({ preventScroll: true });
  };
}

// --- clocks

// As the server writes durations (streams.locale.translator), with the browser's own copy of the Unicode locale data.
const language = document.documentElement.lang;
const unit = (count, name, unitDisplay = "narrow") =>
  new Intl.NumberFormat(language === "en" ? "en-GB" : language, { style: "unit", unit: name, unitDisplay }).format(count);
const pair = (count, name, rest, finer) => (rest ? `${unit(count, name)} ${unit(rest, finer)}` : unit(count, name));

function span(ms) {
  const seconds = Math.floor(Math.max(0, ms) / 1_000);
  if (seconds < 60) return unit(seconds, "second");
  if (seconds < 600) return pair(Math.floor(seconds / 60), "minute", seconds % 60, "second");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return unit(minutes, "minute");
  if (minutes <= 72 * 60) return pair(Math.floor(minutes / 60), "hour", minutes % 60, "minute");
  return unit(Math.floor(minutes / 1440), "day", "short");
}

function count() {
  for (const one of document.querySelectorAll("[data-deadline]")) {
    const left = Number(one.dataset.deadline) - Date.now();
    const text = (left < 0 ? body.dataset.over : body.dataset.left).replace("{time}", span(Math.abs(left)));
    if (one.textContent !== text) one.textContent = text;
  }
}

// --- keys

const help = document.getElementById("help");
const on = document.getElementById("keys-on");
const KEYS = "crmwatch-keys";
on.checked = localStorage.getItem(KEYS) !== "off";
on.addEventListener("change", () => localStorage.setItem(KEYS, on.checked ? "on" : "off"));
const button = document.getElementById("help-button");
button.hidden = false;
button.addEventListener("click", () => help.showModal());

function jump(step) {
  const links = [...document.querySelectorAll("a.jump, table.incidents tbody a[href^='/incidents/']")];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at < 0 ? 0 : at + step))].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "?") {
    help.showModal();
  } else if (!on.checked) {
    return;
  } else if (event.key === "j") {
    jump(1);
  } else if (event.key === "k") {
    jump(-1);
  } else if (event.key === "b") {
    location.assign("/");
  } else if (event.key === "s") {
    location.assign("/sources");
  } else if (event.key === "/") {
    document.getElementById("quick").focus();
  } else if (event.key === "a") {
    document.querySelector("#actions button, #actions summary")?.focus();
    document.getElementById("actions")?.scrollIntoView();
  } else {
    return;
  }
  event.preventDefault();
});
