"""The Python blocks of the pages about models and newcomers run, each page from top to bottom."""

import re
from pathlib import Path

import pytest

_DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(
    [
        *_DOCS.glob("models/*.md"),
        *_DOCS.glob("zh/models/*.md"),
        *_DOCS.glob("**/newcomers.md"),
        *_DOCS.glob("**/explanations.md"),
        *_DOCS.glob("**/lists.md"),
        *_DOCS.glob("**/retrieval.md"),
    ]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(_DOCS)))
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert blocks, f"{page.name} shows no code"
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)


def test_every_page_has_its_twin_in_the_other_language() -> None:
    english, chinese = ({page.name for page in (_DOCS / place).glob("*.md")} for place in ("models", "zh/models"))
    assert english == chinese
