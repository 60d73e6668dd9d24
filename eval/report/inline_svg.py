"""A plot as SVG that can stand inside a page: colours are the page's, ids are its own, and nothing is fetched."""

import re
import warnings
from collections.abc import Callable
from html import escape
from io import StringIO

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from eval.report.markup import Html

#: CSS pixels; matplotlib draws 96 of them to the inch, and writes points, of which there are 72.
WIDTH, HEIGHT = 360, 260
PIXELS_PER_INCH = 96

#: Colours to draw with, and the page's variables that take their place: one file serves light and dark.
INK, SOFT, LINE = "#01a0b1", "#02a0b1", "#03a0b1"
GOOD, BAD, QUIET = "#04a0b1", "#05a0b1", "#06a0b1"
CARD = "#07a0b1"
VARIABLES = {
    INK: "--ink",
    SOFT: "--soft",
    LINE: "--line",
    GOOD: "--good",
    BAD: "--bad",
    QUIET: "--quiet",
    CARD: "--card",
}

STYLE: dict[RcKeyType, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "firstline",
    "font.family": "DejaVu Sans",
    "font.size": 9.25,
    "text.parse_math": False,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": False,
    "figure.facecolor": "none",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.edgecolor": "none",
    "legend.facecolor": CARD,
    "legend.fontsize": 9.25,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "hatch.linewidth": 0.8,
}
NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def inline_svg(name: str, label: str, draw: Callable[[Axes], None], height: int = HEIGHT) -> Html:
    """Draw a plot and return its SVG element.

    name: of letters and digits, different for every plot of a page: its ids begin with it. label: what the plot shows,
    for those who do not see it. height: CSS pixels; the width is `WIDTH`.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        # The browser has glyphs that the font used for measuring has not.
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTH / PIXELS_PER_INCH, height / PIXELS_PER_INCH), layout="constrained")
        draw(figure.subplots())
        written = StringIO()
        figure.savefig(written, format="svg", metadata=NO_METADATA)
    return _for_page(written.getvalue(), name, label)


def _for_page(svg: str, name: str, label: str) -> Html:
    body = svg[svg.index("<svg") :]
    opening, body = body.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    head = f'<svg {box.group() if box else ""} role="img" aria-label="{escape(label)}">'
    used = set(re.findall(r'(?:href="|url\()#([\w-]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', body).replace("url(#", f"url(#{name}-")
    body = re.sub(r"'DejaVu Sans'(?:, [^;\"]*)?", "system-ui, sans-serif", body)
    for color, variable in VARIABLES.items():
        body = body.replace(color, f"var({variable})")
    return Html(head + re.sub(r">\s+<", "><", body).strip())
