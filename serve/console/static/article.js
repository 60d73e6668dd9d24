// What is written, as it will look: asked for a moment after the last key.

const text = document.getElementById("markdown");
const preview = document.getElementById("preview");
let timer = 0;
let asked = 0;

async function look() {
  const mine = ++asked;
  const body = new URLSearchParams({ markdown: text.value });
  try {
    const answer = await fetch("/console/articles/preview", { method: "POST", body, headers: { "X-Requested-With": "console" } });
    // The service makes it safe; an answer that was overtaken is dropped.
    if (answer.ok && mine === asked) preview.innerHTML = await answer.text();
  } catch {
    // The next key asks again.
  }
}

text.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, 300);
});
