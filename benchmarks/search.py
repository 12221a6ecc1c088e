"""How long the service takes to find a user or an item by name.

python benchmarks/search.py [--users 1000000 --items 100000]

Ids and titles are made up: users of seven digits, titles of two to seven words. For each way of asking, the median and the slowest of 50
different searches, one thread.
"""

import argparse
import time
from itertools import islice

import numpy as np

from edgewise.rng import make_rng
from edgewise.serve.finding import Finder

N_SEARCHES, N_FOUND = 50, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    args = parser.parse_args()
    rng = make_rng(0, "search")
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, size=int(size))) for size in rng.integers(3, 9, 20_000)]
    titles = [
        " ".join(words[place] for place in rng.integers(len(words), size=int(n)))
        for n in rng.integers(2, 8, args.items)
    ]
    user_ids = [str(1_000_000 + place) for place in range(args.users)]
    started = time.perf_counter()
    users = Finder(user_ids, None, rng.integers(1, 500, args.users))
    made = time.perf_counter()
    items = Finder([str(place) for place in range(args.items)], titles, rng.integers(1, 500, args.items))
    print(f"made in {made - started:.2f} s (users) and {time.perf_counter() - made:.2f} s (items)")
    picked = [words[place] for place in rng.integers(len(words), size=N_SEARCHES)]
    ids = [user_ids[place] for place in rng.integers(args.users, size=N_SEARCHES)]
    ways = {
        "users, three digits": (users, [text[:3] for text in ids]),
        "users, all digits": (users, ids),
        "users, nobody": (users, [f"{text}x" for text in ids]),
        "items, three letters": (items, [word[:3] for word in picked]),
        "items, a word": (items, picked),
        "items, nothing": (items, [f"{word}qq" for word in picked]),
    }
    for way, (finder, texts) in ways.items():
        times = []
        for text in texts:
            start = time.perf_counter()
            list(islice(finder.find(text), N_FOUND))
            times.append((time.perf_counter() - start) * 1000)
        print(f"{way:22} {np.median(times):7.2f} ms, at most {max(times):7.2f} ms")


if __name__ == "__main__":
    main()
