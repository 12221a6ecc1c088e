"""The dictionary: complete on both sides, used, and safe to stand in attributes."""

import re
import string
from importlib import resources

from edgewise.report.texts import TEXTS, list_names, metric_title, say

SOURCE = "\n".join(
    file.read_text(encoding="utf-8")
    for folder in ("edgewise.report", "edgewise.report.sections")
    for file in resources.files(folder).iterdir()
    if file.name.endswith(".py") and file.name != "texts.py"
)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_sides_take_the_same_values() -> None:
    for key, (english, chinese) in TEXTS.items():
        if key != "names.more":  # English counts the others, Chinese counts all
            assert fields(english) == fields(chinese), key
        assert '"' not in english + chinese, f"{key}: a double quote would end an attribute"
        assert set(re.findall(r"<[^>]*>", english + chinese)) <= {"<b>", "</b>"}, key


def test_chinese_is_chinese() -> None:
    same = {"page.language", "page.language_hint", "data.timeline_tip", "cost.y", "method.python"}
    for key, (_, chinese) in TEXTS.items():
        assert key.startswith("metric.") or key in same or re.search(r"[\u4e00-\u9fff]", chinese), key


def test_every_key_in_the_code_exists_and_every_text_is_used() -> None:
    asked = set(re.findall(r'say\(\s*"([a-z_]+\.[\w.\-]+)"', SOURCE))
    assert asked <= TEXTS.keys()
    made = (
        "models.",
        "data.",
        "split.",
        "segment.",
        "phrase.",
        "segments.",
        "beyond.",
        "map.",
        "metric.",
        "about.",
        "kind.",
        "method.",
        "headline.",
        "evidence.",
        "names.",
        "why.by-",
    )
    unused = {key for key in TEXTS if f'"{key.removesuffix("@error")}"' not in SOURCE and not key.startswith(made)}
    assert not unused


def test_values_are_escaped_and_may_be_bilingual() -> None:
    text = say("headline.none", data="<i>")
    assert "&lt;i&gt;" in text.en
    assert say("names.two", a=say("map.other"), b="x").zh == "其他 与 x"


def test_metrics_stay_recognisable() -> None:
    assert metric_title("recall@20") == ("Recall@20", "召回率@20")
    assert metric_title("hr@10") == ("Hit rate@10", "命中率@10")
    assert metric_title("something@5") == ("something@5", "something@5")


def test_names_are_joined_as_in_a_sentence() -> None:
    assert list_names(["A"]).en == "A"
    assert list_names(["A", "B", "C"]).en == "A, B and C"
    assert list_names(["A", "B", "C", "D"]) == ("A and 3 others", "A 等 4 个")
