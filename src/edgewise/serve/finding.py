"""Finding users and items by a part of what they are called, fast enough for each letter that somebody types."""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from edgewise.types import Index

_ENDS = str.maketrans(dict.fromkeys("\n\r\x1f\x85\u2028\u2029", " "))


class Finder:
    """Names, those that matter most first, as one text: a scan of it costs less than an index of its parts would.

    To look through a million ids takes milliseconds, and most searches end long before the end (python benchmarks/search.py).

    Args:
        ids, titles: of each, by dense index; titles may be the ids. weights: how much each matters, such as how many met it.
    """

    def __init__(self, ids: Sequence[str], titles: Sequence[str] | None, weights: Index) -> None:
        order = np.argsort(-weights, kind="stable")
        lines = []
        for place in order.tolist():
            line = plain(ids[place])
            if titles is not None and titles[place] != ids[place]:
                line += "\x1f" + plain(titles[place])
            lines.append(line.encode("utf-8", "replace"))
        sizes = np.fromiter(map(len, lines), dtype=np.int64, count=len(lines))
        self._has_titles = titles is not None
        self._places = order.astype(np.int64)
        self._starts = np.concatenate([[0], np.cumsum(sizes + 1)])  # of the line break before each line
        self._text = b"\n" + b"\n".join(lines) + b"\n"

    def find(self, text: str) -> Iterator[int]:
        """Yield the dense index of all whose id or title has the text in it, each once.

        Ids that begin with it come first, then titles that do, then words in titles, then the rest; of each kind, those that matter
        most. Case, width and outer spaces do not count.
        """
        sought = plain(text).strip().encode("utf-8", "replace")
        if not sought:
            return
        yielded: set[int] = set()
        for before in (b"\n", b"\x1f", b" ", b"") if self._has_titles else (b"\n", b""):
            at = 0
            while (at := self._text.find(before + sought, at)) >= 0:
                line = int(np.searchsorted(self._starts, at + len(before), side="left")) - 1
                if line not in yielded:
                    yielded.add(line)
                    yield int(self._places[line])
                at = int(self._starts[line + 1])  # the next line


def plain(text: str) -> str:
    """Reduce a text to what counts in a search.

    >>> plain("Ｔｏｙ STORY")
    'toy story'
    """
    if text.isascii() and text.isprintable():  # as nearly all ids are
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold().translate(_ENDS)
