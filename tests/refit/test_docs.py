"""The Python blocks of the pages on refits run, and both pages show the same code."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["refit.md", "zh/refit.md"]


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    assert blocks(page)
    for block in blocks(page):
        exec(compile(block, page, "exec"), names)


def test_both_pages_show_the_same_code() -> None:
    bare = [[re.sub(r" *#.*", "", block) for block in blocks(page)] for page in PAGES]
    assert bare[0] == bare[1]
