"""The Python blocks of the pages on ratings run, and both pages show the same code and commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"en": DOCS / "ratings.md", "zh": DOCS / "zh" / "ratings.md"}


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.S)


@pytest.mark.parametrize("language", list(PAGES))
def test_the_blocks_run_one_after_the_other(language: str) -> None:
    blocks = _blocks(PAGES[language], "python")
    assert blocks
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(blocks)],
        cwd=DOCS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "item_id" in done.stdout


def test_both_pages_show_the_same() -> None:
    for kind in ("python", "bash"):
        english, chinese = ([re.sub(r"\s*#.*", "", block) for block in _blocks(page, kind)] for page in PAGES.values())
        assert english == chinese
    figures = [re.findall(r"\d\.\d{3,}", page.read_text()) for page in PAGES.values()]
    assert figures[0] == figures[1]
