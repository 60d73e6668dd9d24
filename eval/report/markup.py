"""Pieces of the page. Whatever comes from tickets, articles or models passes through `text`, and the types say so."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NewType

#: Text that may stand in the page as it is.
Html = NewType("Html", str)


def text(value: object) -> Html:
    """Escape text from outside; its writing direction stays its own."""
    return Html(f"<bdi>{escape(str(value))}</bdi>")


def plain(value: object) -> Html:
    """Escape text of ours: a number, a heading."""
    return Html(escape(str(value)))


def join(parts: Iterable[Html], between: str = "\n") -> Html:
    """Join pieces; `between` is escaped."""
    return Html(escape(between).join(parts))


def block(value: str) -> Html:
    """Return a longer text from outside with its line breaks."""
    return Html(f'<pre dir="auto">{escape(value)}</pre>')


def note(value: str) -> Html:
    """Return a remark; the words are ours, names in them may not be."""
    return Html(f"<p>{escape(value)}</p>")


def section(name: str, title: str, explanation: str, *content: Html) -> Html:
    """Return a section that the page's navigation leads to."""
    head = f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{escape(title)}</h2>'
    return Html(f'{head}\n<p class="lead">{escape(explanation)}</p>\n{join(content)}\n</section>')


def grid(*cells: Html) -> Html:
    """Lay pieces out beside one another where the screen is wide enough."""
    return Html(f'<div class="grid">{join(cells)}</div>')


def card(*content: Html, wide: bool = False) -> Html:
    """Return a box of a grid; a wide one takes two columns where there are as many."""
    return Html(f'<div class="card{" wide" if wide else ""}">{join(content)}</div>')


def part(title: str, *content: Html) -> Html:
    """Return a part of a section under a heading of level 3."""
    return Html(f"<h3>{text(title)}</h3>\n{join(content)}")


def figure(title: str, explanation: str, svg: Html, numbers: Html) -> Html:
    """Return a plot with its explanation, and the table of its numbers folded away."""
    caption = f"<figcaption><strong>{escape(title)}</strong> {escape(explanation)}</figcaption>"
    return Html(f'<figure class="card">{caption}\n{svg}\n{folded(plain("The numbers"), numbers)}</figure>')


def folded(summary: Html, *content: Html) -> Html:
    """Return content that opens on demand."""
    return Html(f"<details><summary>{summary}</summary>\n{join(content)}</details>")


def listing(items: Iterable[Html]) -> Html:
    """Return a list."""
    return Html("<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>")


def facts(pairs: Iterable[tuple[str, Html]]) -> Html:
    """Return names and values."""
    return Html(
        "<dl>" + "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in pairs) + "</dl>"
    )


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Html]], words: int = 1) -> Html:
    """Return a table that scrolls inside its own box.

    words: how many columns, from the first, hold words; the others hold numbers and are set flush right.
    """
    heads = "".join(
        f'<th scope="col"{"" if at < words else NUMBER}>{escape(column)}</th>' for at, column in enumerate(columns)
    )
    body = "\n".join(f"<tr>{_cells(row, words)}</tr>" for row in rows)
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


NUMBER = ' class="number"'


def _cells(row: Sequence[Html], words: int) -> str:
    first = f'<th scope="row">{row[0]}</th>'
    return first + "".join(f"<td{'' if at < words else NUMBER}>{cell}</td>" for at, cell in enumerate(row[1:], start=1))
