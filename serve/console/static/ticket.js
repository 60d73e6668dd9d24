// A ticket by keyboard; copies what is accepted; tells when the customer writes while the page is open.

import { ask, onKey, say, whileSeen } from "./console.js";

const by = (id) => document.getElementById(id);
const text = by("text");
const accept = by("accept");
const key = text === null ? "" : `firstline-draft-${document.querySelector("[name=suggestion]").value}`;

/** Put a text on the clipboard; the old way where the new one is not allowed. */
async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
  } catch {
    const field = document.createElement("textarea");
    field.value = words;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

if (text !== null) {
  const plain = accept.textContent;
  const look = () => {
    const changed = text.value.trim() !== text.dataset.draft.trim();
    accept.textContent = changed && text.dataset.draft ? accept.dataset.edited : plain;
    if (changed) sessionStorage.setItem(key, text.value);
    else sessionStorage.removeItem(key);
  };
  // What was written is still there after a sign-in, or a reload by mistake.
  text.value = sessionStorage.getItem(key) ?? text.value;
  look();
  text.addEventListener("input", look);
  by("decision").addEventListener("submit", async (event) => {
    const verdict = event.submitter?.value ?? "accept";
    if (event.submitter === null || event.submitter.dataset.copied) return;
    if (verdict !== "accept") return;
    event.preventDefault();
    await copy(text.value);
    event.submitter.dataset.copied = "1";
    event.target.requestSubmit(event.submitter);
  });
  // Ctrl+Enter in the draft accepts it.
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) accept.click();
  });
  for (const button of document.querySelectorAll("[data-insert]")) {
    button.addEventListener("click", () => {
      const words = by(button.dataset.insert).textContent.trim();
      text.setRangeText(words, text.selectionStart, text.selectionEnd, "end");
      text.dispatchEvent(new Event("input"));
      text.focus();
    });
  }
  onKey("a", () => accept.click());
  onKey("e", () => { text.focus(); });
  onKey("x", () => {
    const reject = by("reject");
    if (reject === null) return;
    reject.open = true;
    by("reason").focus();
  });
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", () => copy(by(button.dataset.copy).textContent));
}

const go = (id) => () => { const link = by(id); if (link !== null) location.href = link.href; };
onKey("j", go("after"));
onKey("k", go("before"));
onKey("u", go("back"));
onKey("z", () => by("undo")?.click());
onKey("n", () => (by("first") ?? by("redraft"))?.click());
for (const [name, id] of [["c", "category"], ["p", "priority"], ["t", "team"]]) onKey(name, () => by(`set-${id}`)?.focus());

// A source that is shown over the page goes away on Escape, without moving the focus (WCAG 2.2, 1.4.13).
for (const sentence of document.querySelectorAll(".sentence")) {
  const back = () => sentence.classList.remove("away");
  sentence.addEventListener("mouseleave", back);
  sentence.addEventListener("focusout", back);
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const sentence of document.querySelectorAll(".sentence")) sentence.classList.add("away");
});

const stale = by("stale");
whileSeen(5, async () => {
  const now = await ask(`${location.pathname}/state`);
  if (now === null || !now.said || !stale.hidden) return;
  stale.hidden = false;
  say(now.said);
});

// The address without what was done, so that a reload does not say it again.
if (by("done") !== null) {
  const address = new URL(location.href);
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
  by("done").querySelector("a")?.focus();
}
