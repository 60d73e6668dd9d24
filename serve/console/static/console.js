// What every page has: keys, the list of keys, and one place where things are said aloud.

const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable], dialog") !== null;
const handlers = new Map();
let waitingFor = "";

/** Call `act` when a key, or a pair such as "g q", is pressed outside of a field. */
export function onKey(keys, act) {
  handlers.set(keys, act);
}

/** Say something to everybody: shown for a while, and read aloud. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { place.textContent = ""; }, 8000);
}

/** Ask the service for something as a script of this page; null where it cannot be had. */
export async function ask(address) {
  try {
    const answer = await fetch(address, { headers: { "X-Requested-With": "console" } });
    if (answer.status === 401) say(await answer.text());
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/** Call `look` every so many seconds while somebody can see the page, and at once when they come back. */
export function whileSeen(seconds, look) {
  const look_now = () => { if (document.visibilityState === "visible") look(); };
  setInterval(look_now, seconds * 1000);
  document.addEventListener("visibilitychange", look_now);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && typing(event.target) && !event.target.closest("dialog")) {
    event.target.blur();
    return;
  }
  if (typing(event.target)) return;
  const pair = waitingFor ? `${waitingFor} ${event.key}` : event.key;
  waitingFor = waitingFor === "" && event.key === "g" ? "g" : "";
  const act = handlers.get(pair);
  if (act === undefined) return;
  event.preventDefault();
  act();
});

const keys = document.getElementById("keys");
if (keys !== null) {
  const show = () => keys.showModal();
  const button = document.querySelector("[data-action=help]");
  button.addEventListener("click", show);
  onKey("?", show);
  onKey("g q", () => { location.href = "/console"; });
  onKey("g a", () => { location.href = "/console/articles"; });
  onKey("g i", () => { location.href = "/console/insights"; });
}
