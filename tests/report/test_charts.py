"""Scales, ticks and labels on their own."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.report.charts import Scale, linear, logarithmic, tick_writer
from edgewise.report.html import Both, Markup, join, json_island, tag
from edgewise.report.labels import place_labels, text_width

finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(finite | st.just(float("nan")), max_size=20))
def test_a_linear_scale_holds_its_values_and_rises(values: list[float]) -> None:
    scale = linear(values, 0, 100)
    assert scale.low < scale.high
    for value in values:
        if np.isfinite(value):
            assert -1e-6 <= scale(value) <= 100 + 1e-6
    assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in scale.ticks(5))


@given(st.lists(st.floats(1e-4, 1e9), min_size=1, max_size=20))
def test_a_logarithmic_scale_holds_its_values_with_a_few_ticks(values: list[float]) -> None:
    scale = logarithmic(values, 0, 100)
    assert all(-1e-6 <= scale(value) <= 100 + 1e-6 for value in values)
    assert 1 <= len(scale.ticks(5)) <= 9


def test_ticks_are_round() -> None:
    assert linear([0.093, 0.31], 0, 1, pad=0).ticks(5) == [0.1, 0.15, 0.2, 0.25, 0.3]
    assert Scale(0.5, 2000, 0, 1, log=True).ticks(6) == [1, 10, 100, 1000]
    write = tick_writer([0.1, 0.15, 0.2])
    assert [write(t) for t in (0.1, 0.15, -0.2)] == ["0.10", "0.15", "−0.20"]


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300)), max_size=25))
def test_labels_never_overlap_nor_leave_the_area(points: list[tuple[float, float]]) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    placed = place_labels(xs, ys, [f"model {i}" for i in range(len(points))], (0, 0, 400, 300))
    for a, b in itertools.combinations([label.box for label in placed], 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert all(x0 >= 0 and y0 >= 0 and x1 <= 400 and y1 <= 300 for x0, y0, x1, y1 in (label.box for label in placed))


def test_a_lonely_point_gets_its_label_at_its_right() -> None:
    [label] = place_labels([100], [100], ["EASE"], (0, 0, 400, 300))
    assert label.anchor == "start"
    assert not label.leader
    assert label.x > 100


def test_chinese_is_wider() -> None:
    assert text_width("图滤波器", 10) == 40
    assert text_width("abcd", 10) < 30


@pytest.mark.parametrize(
    ("built", "html"),
    [
        (tag("p", "<b> & \"'"), "<p>&lt;b&gt; &amp; &quot;&#x27;</p>"),
        (tag("p", Markup("<b>"), None, 3, 2.5), "<p><b>32.5</p>"),
        (tag("a", href='"><script>', data_tip="x", hidden=True, title=None), '<a href="&quot;&gt;&lt;script&gt;" data-tip="x" hidden></a>'),
        (tag("circle", r=1.234567, cx=-0.001), '<circle r="1.23" cx="0"/>'),
        (tag("br"), "<br>"),
        (join(Both("same", "same")), "same"),
        (tag("text", Both("a", "甲")), '<text><tspan class="en">a</tspan><tspan class="zh">甲</tspan></text>'),
        (tag("i", aria_label=Both("a", "甲")), '<i aria-label="a" data-aria-label-zh="甲"></i>'),
    ],
)  # fmt: skip
def test_elements_escape_what_is_not_markup(built: str, html: str) -> None:
    assert built == html


def test_json_cannot_close_its_element() -> None:
    island = json_island("x", ["</script><!--\u2028&"])
    assert island.count("</script>") == 1
    assert "\\u003c/script\\u003e\\u003c!--\\u2028\\u0026" in island


def test_json_refuses_what_is_not_a_number() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        json_island("x", [float("nan")])
