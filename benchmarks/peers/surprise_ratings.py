"""Surprise's SVD and SVD++ on given folds of ratings: RMSE and MAE over all of them.

    python surprise_ratings.py FOLDS.npz

FOLDS.npz holds users, items, ratings, fold (of each rating), and valid (True for a tenth of the ratings outside fold 0). Settings
are the library's own, and the best of a small grid on `valid` with the other ratings outside fold 0. Prints one JSON line.
"""

import json
import sys
import time

import numpy as np
from surprise import SVD, Dataset, Reader, SVDpp

GRIDS = {
    "SVD": (
        SVD,
        [
            {"n_factors": n, "n_epochs": epochs, "lr_all": 0.005, "reg_all": reg}
            for n in (50, 200)
            for epochs in (40, 80)
            for reg in (0.08, 0.12)
        ],
    ),
    "SVD++": (
        SVDpp,
        [{"n_factors": n, "n_epochs": epochs, "lr_all": 0.007, "reg_all": reg} for n, epochs, reg in ((20, 30, 0.05), (20, 40, 0.1), (50, 40, 0.1))],
    ),
}  # fmt: skip


def errors(algorithm, table: np.lib.npyio.NpzFile, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Fit on some ratings; return prediction less rating for others."""
    import pandas

    columns = {name: table[name] for name in ("users", "items", "ratings")}
    frame = pandas.DataFrame({name: values[train] for name, values in columns.items()})
    scale = (float(table["ratings"].min()), float(table["ratings"].max()))
    algorithm.fit(Dataset.load_from_df(frame, Reader(rating_scale=scale)).build_full_trainset())
    rows = zip(*(values[test].tolist() for values in columns.values()), strict=True)
    return np.array([algorithm.predict(user, item).est - rating for user, item, rating in rows])


def main() -> None:
    """Choose settings, then go through the folds."""
    table = np.load(sys.argv[1])
    fold, valid = table["fold"], table["valid"]
    found = {}
    for name, (kind, grid) in GRIDS.items():
        tried = []
        for settings in grid:
            error = errors(kind(random_state=0, **settings), table, (fold != 0) & ~valid, valid)
            tried.append((float(np.sqrt((error**2).mean())), settings))
        best = min(tried, key=lambda pair: pair[0])[1]
        for settings in ({}, best):
            started = time.perf_counter()
            parts = [
                errors(kind(random_state=0, **settings), table, fold != number, fold == number)
                for number in np.unique(fold)
            ]
            seconds = time.perf_counter() - started
            all_errors = np.concatenate(parts)
            label = f"Surprise {name} ({', '.join(f'{k}={v:g}' for k, v in settings.items()) or 'its defaults'})"
            found[label] = {
                "rmse": float(np.sqrt((all_errors**2).mean())),
                "mae": float(np.abs(all_errors).mean()),
                "seconds": seconds,
            }
            print(label, found[label], file=sys.stderr, flush=True)
    print(json.dumps(found))


main()
