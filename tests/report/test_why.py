import pytest

from edgewise.report.sections.why import why_figure

from .example import why

TITLES = ["Metropolis (1927)", "<script>alert(1)</script>"]


def test_every_reason_is_drawn_once_for_each_width_with_its_amount() -> None:
    drawn = why_figure(why("17", "Heat (1995)", TITLES))
    assert drawn is not None
    assert drawn.count("<svg") == 2
    for kind in ("history", "friend", "attribute", "item-attribute"):
        assert f'class="reason {kind}"' in drawn
    assert drawn.count('class="reason ') == 2 * 5
    assert ">0.830<" in drawn
    assert "number 1,204" in drawn
    assert "好友 u-77" in drawn


def test_titles_cannot_become_code() -> None:
    drawn = why_figure(why("<b>", "<i>", TITLES))
    assert drawn is not None
    assert not {"<script", "<b>", "<i>"} & set(drawn.split())
    assert "&lt;script" in drawn
    assert "<script" not in drawn


@pytest.mark.parametrize(
    "fidelity", [None, {"rank": None, "without": None, "alone": None, "without_random": None, "n": 3}]
)
def test_without_fidelity_the_drawing_stays(fidelity: object) -> None:
    drawn = why_figure(why("17", "Heat (1995)", TITLES) | {"fidelity": fidelity})
    assert drawn is not None
    assert "would be number" not in drawn


def test_the_thicker_line_belongs_to_the_stronger_reason() -> None:
    drawn = why_figure(why("17", "Heat (1995)", TITLES) | {"item_reasons": []})
    assert drawn is not None
    widths = [float(part.split('"')[0]) for part in drawn.split('class="edge strong" stroke-width="')[1:]]
    assert widths[:4] == sorted(widths[:4], reverse=True)
    assert widths[0] > 2 * widths[2]


def test_nothing_is_drawn_without_reasons() -> None:
    assert why_figure(why("17", "Heat (1995)", TITLES) | {"reasons": [], "item_reasons": []}) is None
