"""Finding by name: what comes first, what does not count, and that a scan misses nothing."""

import random

import numpy as np

from edgewise.serve.finding import Finder, plain

IDS = ["7", "70", "17", "x", "y", "z"]
TITLES = ["Star Wars", "A Star Is Born", "Bistarter", "星球大战", "x", "STAR TREK"]
WEIGHTS = np.array([5, 50, 500, 1, 1, 9])


def found(text: str) -> list[str]:
    return [IDS[place] for place in Finder(IDS, TITLES, WEIGHTS).find(text)]


def test_beginnings_come_before_words_before_parts_and_of_each_the_weightier_first() -> None:
    assert found("star") == ["z", "7", "70", "17"]


def test_ids_come_before_titles() -> None:
    assert found("7") == ["70", "7", "17"]


def test_case_width_and_outer_spaces_do_not_count() -> None:
    assert found("  ＳＴＡＲ　wars ") == ["7"]
    assert plain("ＡＢＣ　ß") == "abc ss"


def test_chinese_is_found_anywhere_in_a_title() -> None:
    assert found("大战") == ["x"]


def test_nothing_is_sought_by_nothing_and_line_breaks_find_no_neighbours() -> None:
    assert found("") == found("  ") == []
    assert found("7\n70") == found("7\x1fstar") == []


def test_ids_alone_can_be_searched_and_an_empty_side_finds_nothing() -> None:
    assert list(Finder(IDS, None, WEIGHTS).find("7")) == [1, 0, 2]
    assert list(Finder([], None, np.array([], dtype=np.int64)).find("7")) == []


def test_a_scan_finds_what_looking_at_each_finds() -> None:
    rng = random.Random(0)
    titles = ["".join(rng.choice("ab \nü") for _ in range(rng.randrange(8))) for _ in range(300)]
    ids = [str(place) for place in range(300)]
    finder = Finder(ids, titles, np.arange(300))
    for text in ("a", "ab", "b ", "ü", "1", "29", "aa b", "zz"):
        sought = plain(text).strip()
        every = {place for place in range(300) if sought in plain(titles[place]) or sought in ids[place]}
        assert set(finder.find(text)) == every
        assert len(list(finder.find(text))) == len(every)
