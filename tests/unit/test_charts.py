"""Charts: well-formed, escaped, without anything that the console's policy forbids."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.console.charts import Bar, Line, bar_chart, line_chart

HOSTILE = '<script>alert(1)</script>" onload="alert(1)'


def read(svg: str) -> ET.Element:
    tree = ET.fromstring(svg)
    for element in tree.iter():
        assert element.tag.rpartition("}")[2] in {
            "svg", "title", "desc", "path", "text", "polyline", "polygon", "circle", "rect",
        }  # fmt: skip
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]
    assert tree.attrib["role"] == "img"
    return tree


def test_hostile_names_are_words_and_nothing_else() -> None:
    tree = read(bar_chart(HOSTILE, [Bar(HOSTILE, 0.5, 0.2, 0.8, HOSTILE)]))
    assert tree.findtext("title") == HOSTILE
    read(line_chart(HOSTILE, [HOSTILE], [Line(HOSTILE, [0.5])]))


def test_gaps_part_a_line() -> None:
    tree = read(line_chart("t", list("abcd"), [Line("x", [0.1, None, 0.3, 0.4], [0, None, 0.2, 0.3], [1, None, 1, 1])]))
    assert len(tree.findall("polyline")) == 2
    assert len(tree.findall("polygon")) == 2
    assert len(tree.findall("circle")) == 3


@given(st.lists(st.none() | st.floats(0, 1e9), max_size=60))
def test_any_numbers_are_drawn_within_the_picture(values: list[float | None]) -> None:
    tree = read(line_chart("t", [str(at) for at in range(len(values))], [Line("x", values)]))
    width, height = map(float, tree.attrib["viewBox"].split()[2:])
    for dot in tree.findall("circle"):
        assert 0 <= float(dot.attrib["cx"]) <= width
        assert 0 <= float(dot.attrib["cy"]) <= height


@pytest.mark.parametrize("bars", [[], [Bar("a", 0)], [Bar("a", 1, 1, 1)] * 40])
def test_any_number_of_bars(bars: list[Bar]) -> None:
    assert len(read(bar_chart("t", bars)).findall("rect")) == len(bars)
