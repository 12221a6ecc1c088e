"""The files of the page: open to all, of this place alone, and with headers that keep others out."""

import re
import subprocess
import sys
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

from edgewise.serve.webpage import HEADERS
from tests.needs import lacking
from tests.serve.server import Server

PAGE = files("edgewise.serve") / "page"
NAMES = sorted(file.name for file in PAGE.iterdir())


def test_the_page_is_open_without_a_key_and_the_data_is_not(shared: Server) -> None:
    status, body, headers = shared.ask("GET", "/", key="wrong")
    assert status == 200
    assert b"<title>Edgewise</title>" in body
    for name, value in HEADERS.items():
        assert headers[name.lower()] == value
    assert "unsafe" not in headers["content-security-policy"]
    assert shared.ask("GET", "/v1/about", key="wrong")[0] == 401


@pytest.mark.parametrize("name", NAMES)
def test_each_file_has_its_type_and_is_sent_once(shared: Server, name: str) -> None:
    status, body, headers = shared.ask("GET", f"/page/{name}", key="wrong")
    kinds = {
        "html": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
    }
    assert (status, headers["content-type"]) == (200, kinds.get(name.rpartition(".")[2], "image/svg+xml"))
    assert body == (PAGE / name).read_bytes()
    again = shared.ask("GET", f"/page/{name}", headers={"If-None-Match": headers["etag"]})
    assert (again[0], again[1], again[2]["etag"]) == (304, b"", headers["etag"])
    assert shared.ask("GET", f"/page/{name}", headers={"If-None-Match": '"other"'})[0] == 200


def test_browsers_get_their_icon(shared: Server) -> None:
    status, _, headers = shared.ask("GET", "/favicon.ico", key="wrong")
    assert (status, headers["content-type"]) == (200, "image/svg+xml")


@pytest.mark.parametrize("path", ["/page/none.js", "/page/..%2Fservice.py", "/page/%2e%2e%2fservice.py", "/page/"])
def test_nothing_else_is_handed_out(shared: Server, path: str) -> None:
    assert shared.ask("GET", path)[0] == 404


@pytest.mark.parametrize("name", NAMES)
def test_no_file_asks_anything_of_another_place_or_makes_markup_of_data(name: str) -> None:
    text = (PAGE / name).read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"' )]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc", text
    )
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=\"|style=\"", text)


def test_both_languages_have_the_same_texts() -> None:
    text = (PAGE / "texts.js").read_text(encoding="utf-8")
    keys = []
    for name in ("EN", "ZH"):
        block = re.search(rf"const {name} = \{{(.*?)\n\}};", text, re.DOTALL)
        assert block
        keys.append(re.findall(r"(?:^|, |,?\n\s+)\"?([a-zA-Z][\w.\- ]*?)\"?: (?=[\"(])", block[1]))
    assert keys[0] == keys[1]
    assert len(keys[0]) > 100


@pytest.mark.slow
def test_a_wheel_has_the_page(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--wheel-dir", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        lacking(f"no wheel could be built: {built.stderr[-300:]}")
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert {f"edgewise/serve/page/{name}" for name in NAMES} <= set(archive.namelist())
