// The queue by keyboard, and what is new in it, without moving what somebody reads.

import { ask, onKey, say, whileSeen } from "./console.js";

const links = [...document.querySelectorAll("#queue .subject")];
const fresh = document.getElementById("fresh");
const link = fresh.querySelector("a");
const here = `firstline-row-${location.search}`;

function move(step) {
  const at = links.indexOf(document.activeElement);
  const next = at === -1 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
  links[next]?.focus();
  links[next]?.closest("li").scrollIntoView({ block: "nearest" });
}

onKey("j", () => move(1));
onKey("k", () => move(-1));
onKey("/", () => document.querySelector("input[type=search]").focus());
onKey("r", () => { location.href = link.href || location.href; });

// Back from a ticket, the focus is where it was.
for (const one of links) one.addEventListener("focus", () => sessionStorage.setItem(here, one.pathname));
const last = links.find((one) => one.pathname === sessionStorage.getItem(here));
if (last !== undefined && document.referrer.includes("/console/tickets/")) last.focus();

let said = "";
whileSeen(5, async () => {
  const since = encodeURIComponent(fresh.dataset.since);
  const list = fresh.dataset.list ? `${fresh.dataset.list}&` : "";
  const news = await ask(`/console/queue/news?${list}since=${since}`);
  if (news === null || news.said === said) return;
  said = news.said;
  link.textContent = said;
  link.hidden = news.count === 0;
  if (said) say(said);
});
