"""The page as text: complete, self-contained, escaped, in two languages, the same every time."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edgewise.errors import DataError
from edgewise.evaluate.result import Comparison, Evaluation, ModelResult
from edgewise.report import render_report, write_report
from edgewise.report.html import VOID
from edgewise.report.texts import TEXTS
from tests.report.example import example, failed_model, hostile, significance

HOSTILE = '</script><img src=x onerror="window.pwned=1">\'"&amp;'

SECTIONS = ("models", "pairs", "cost", "learning", "data", "segments", "beyond", "map", "samples", "method")


class Reader(HTMLParser):
    """Reads a page, checks that what opens also closes, and keeps what tests ask about."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> repeats an attribute"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def ids(self) -> list[str]:
        return [attrs["id"] for _, attrs in self.tags if attrs.get("id")]  # type: ignore[misc]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return example(n_map=300)


@pytest.fixture(scope="module")
def page(comparison: Comparison) -> str:
    return render_report(comparison)


def test_the_page_is_well_formed_and_has_every_section(page: str) -> None:
    reader = Reader(page)
    ids = reader.ids()
    assert len(ids) == len(set(ids))
    assert [name for name in ids if name in SECTIONS] == list(SECTIONS)
    assert page.startswith("<!doctype html>")


def test_the_page_loads_nothing(page: str) -> None:
    outside_script = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"https?://|url\((?!#)|@import|<link|src=", outside_script)
    assert not re.search(r"https?://|fetch\(|import\(|XMLHttpRequest", page)


def test_only_our_script_may_run(page: str) -> None:
    reader = Reader(page)
    [policy] = [attrs["content"] for tag, attrs in reader.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", policy)
    assert not [name for _, attrs in reader.tags for name in attrs if name.startswith("on")]


def test_the_same_comparison_gives_the_same_page(comparison: Comparison, page: str) -> None:
    assert render_report(comparison) == page
    assert render_report(example(n_map=300)) == page


def test_a_map_of_ten_thousand_items_stays_below_a_megabyte() -> None:
    assert len(render_report(example(n_map=10_000)).encode()) < 1_000_000


def test_hostile_texts_stay_text() -> None:
    page = render_report(hostile(HOSTILE))
    reader = Reader(page)
    assert not [tag for tag, _ in reader.tags if tag == "img"]
    assert not [name for _, attrs in reader.tags for name in attrs if name.startswith("on")]
    assert HOSTILE in "".join(reader.text)
    [island] = re.findall(r'<script type="application/json" id="map-data">(.*?)</script>', page, flags=re.DOTALL)
    assert not set("<>&") & set(island)
    assert json.loads(island)["titles"][0] == HOSTILE[:160]


def test_every_interface_text_is_there_in_both_languages(page: str) -> None:
    assert "Who beats whom" in page
    assert "两两比较" in page
    assert 'class="en"' in page
    assert 'class="zh"' in page
    assert "剧情" in page, "labels of the data are bilingual too"
    for english, chinese in TEXTS.values():
        assert english.strip()
        assert chinese.strip()


def test_names_of_the_data_take_both_languages_from_its_labels(page: str) -> None:
    [island] = re.findall(r'id="map-data">(.*?)</script>', page)
    assert ["Drama", "剧情"] in json.loads(island)["names"]


def test_failed_models_are_listed_with_the_reason(page: str) -> None:
    assert "SLIM" in page
    assert "could not take part: the item-item matrix needs 6.7 GB" in page


def test_settings_command_and_seed_are_told(page: str, comparison: Comparison) -> None:
    text = "".join(Reader(page).text)
    assert comparison.command in text
    assert "learning_rate" in text
    assert "torch 2.9.0" in text


def cases() -> Iterator[tuple[str, Comparison]]:
    base = example(n_map=60)
    one = replace(base, models={"lightgcn": base.models["lightgcn"]}, significance=[], winner="lightgcn")
    yield "one model", one
    yield "every model failed", replace(one, models={"slim": failed_model()}, winner="", samples=[], embedding_map=None)
    yield "no model at all", replace(one, models={}, winner="", samples=[], embedding_map=None)
    yield "no times", replace(base, timeline=base.timeline.clear())
    yield "no columns in the time line", replace(base, timeline=pl.DataFrame())
    yield (
        "hours",
        replace(
            base,
            timeline=base.timeline.with_columns(
                pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 2), "12m", eager=True)
                .head(base.timeline.height)
                .alias("period")
            ),
        ),
    )
    yield "one period", replace(base, timeline=base.timeline.head(1))
    yield "no map and no samples", replace(base, embedding_map=None, samples=[])
    place = base.embedding_map
    assert place is not None
    yield "a map without categories", replace(base, embedding_map=replace(place, categories=[""] * 60, column=""))
    yield "a map of one place", replace(base, embedding_map=replace(place, x=np.zeros(60), y=np.full(60, np.nan)))
    yield "a map on one spot", replace(base, embedding_map=replace(place, x=np.zeros(60), y=np.zeros(60)))
    yield "no labels", replace(base, labels=pl.DataFrame({"key": [], "en": [], "zh": []}))
    yield (
        "a label without Chinese",
        replace(base, labels=pl.DataFrame({"key": ["genre"], "en": ["genre"], "zh": [None]})),
    )
    yield "nothing known of the data", replace(base, data={}, degrees={}, machine={}, command="")
    yield "empty degrees", replace(base, degrees={"users": np.empty(0, np.int64), "items": np.zeros(3, np.int64)})
    yield "equal degrees", replace(base, degrees={"users": np.full(5, 3), "items": np.ones(9, np.int64)})
    yield "not a number anywhere", replace(base, models={name: without_figures(m) for name, m in base.models.items()})
    yield "one not a number", replace(base, models={**base.models, "als": without_figures(base.models["als"])})
    yield "all equal", all_equal(base)
    yield "zeros", replace(base, models={name: scaled(m, 0.0) for name, m in base.models.items()})
    yield "twenty models", twenty(base)
    yield "no significance", replace(base, significance=[])
    yield "no epochs", replace(base, models={n: replace(m, curve=[]) for n, m in base.models.items()})
    yield (
        "a curve of one loss",
        replace(
            base,
            models={
                n: replace(m, curve=[{"epoch": 1.0, "loss": 1.0}, {"epoch": 2.0, "loss": 1.0}])
                for n, m in base.models.items()
            },
        ),
    )
    yield (
        "a curve with gaps",
        replace(
            base,
            models={
                n: replace(m, curve=[{"epoch": 1.0}, {"epoch": 2.0, "ndcg@20": float("nan")}, {"loss": 0.5}])
                for n, m in base.models.items()
            },
        ),
    )
    yield "long titles", replace(base, models={n: replace(m, title="W" * 200) for n, m in base.models.items()})
    yield "samples without lists", replace(base, samples=[replace(base.samples[0], liked=[], lists={"lightgcn": []})])


def without_figures(model: ModelResult) -> ModelResult:
    if model.evaluation is None:
        return model
    nan = float("nan")
    evaluation = replace(
        model.evaluation,
        overall=dict.fromkeys(model.evaluation.overall, nan),
        segments={name: dict.fromkeys(values, nan) for name, values in model.evaluation.segments.items()},
    )
    return replace(
        model, evaluation=evaluation, intervals=dict.fromkeys(model.intervals, (nan, nan)), fit_s=nan, peak_rss_mb=nan
    )


def scaled(model: ModelResult, factor: float) -> ModelResult:
    evaluation: Evaluation | None = model.evaluation
    if evaluation is None:
        return model
    overall = {name: value * factor for name, value in evaluation.overall.items()}
    return replace(model, evaluation=replace(evaluation, overall=overall), intervals={})


def all_equal(base: Comparison) -> Comparison:
    models = {name: replace(base.models["als"], name=name) for name in ("als", "ease", "lightgcn")}
    return replace(base, models=models, significance=significance(models), winner="lightgcn")


def twenty(base: Comparison) -> Comparison:
    models = dict(base.models)
    for i in range(10):
        models[f"more-{i}"] = replace(
            scaled(base.models["lightgcn"], 1 - i / 20), name=f"more-{i}", title=f"A model with a longer name {i}"
        )
    return replace(base, models=models, significance=significance(models))


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case[0])
def test_no_comparison_breaks_the_page(case: tuple[str, Comparison]) -> None:
    page = render_report(case[1])
    reader = Reader(page)
    text = "".join(reader.text)
    assert "models" in reader.ids()
    assert "method" in reader.ids()
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b(?! of)", text), "what is not a number is a dash"
    numbers = [
        value
        for tag, attrs in reader.tags
        for name, value in attrs.items()
        if name in ("x", "y", "d", "cx", "cy", "style")
    ]
    assert not [value for value in numbers if value and "nan" in value]
    assert (
        len({attrs.get("href") for tag, attrs in reader.tags if tag == "a"} - {f"#{name}" for name in [*reader.ids()]})
        == 0
    )


def test_sections_without_anything_to_show_are_left_out() -> None:
    base = example(n_map=60)
    page = render_report(replace(base, embedding_map=None, samples=[], significance=[]))
    ids = Reader(page).ids()
    assert not {"map", "samples", "pairs"} & set(ids)


def test_writing_is_whole_or_not_at_all(tmp_path: Path, comparison: Comparison, page: str) -> None:
    target = tmp_path / "deep" / "report.html"
    write_report(comparison, target)
    assert target.read_text(encoding="utf-8") == page
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="cannot write"):
        write_report(comparison, tmp_path / "file" / "report.html")
