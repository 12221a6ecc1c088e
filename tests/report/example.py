"""A made-up comparison, rich enough to show every part of the report. The titles are real films, the numbers are drawn."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
import polars as pl

from edgewise.evaluate.result import Comparison, EmbeddingMap, Evaluation, ModelResult, PairTest, Sample
from edgewise.types import Doubles

FILMS = {
    "Drama": ("The Shawshank Redemption", "Forrest Gump", "Schindler's List", "Good Will Hunting", "The Godfather", "American Beauty"),
    "Comedy": ("Groundhog Day", "The Big Lebowski", "Monty Python and the Holy Grail", "Dumb & Dumber", "Annie Hall", "Clerks"),
    "Action": ("Terminator 2: Judgment Day", "Die Hard", "The Matrix", "Speed", "True Lies", "The Fugitive"),
    "Sci-Fi": ("Blade Runner", "Alien", "Star Wars: Episode IV", "2001: A Space Odyssey", "12 Monkeys", "Contact"),
    "Animation": ("Toy Story", "Spirited Away", "Aladdin", "The Lion King", "Finding Nemo", "Princess Mononoke"),
    "Horror": ("The Shining", "Psycho", "The Exorcist", "Scream", "The Thing", "A Nightmare on Elm Street"),
    "Documentary": ("Hoop Dreams", "Bowling for Columbine", "Super Size Me", "Crumb", "Grizzly Man", "Man on Wire"),
    "Romance": ("Titanic", "Before Sunrise", "Casablanca", "Sense and Sensibility", "Pretty Woman", "Amélie"),
    "Thriller": ("Seven (a.k.a. Se7en)", "The Usual Suspects", "Pulp Fiction", "Fargo", "Memento", "Heat"),
    "Western": ("Unforgiven", "Tombstone", "High Noon", "Django", "True Grit", "Rio Bravo"),
}  # fmt: skip

GENRES_ZH = {
    "Drama": "剧情", "Comedy": "喜剧", "Action": "动作", "Sci-Fi": "科幻", "Animation": "动画", "Horror": "恐怖",
    "Documentary": "纪录片", "Romance": "爱情", "Thriller": "惊悚", "Western": "西部",
}  # fmt: skip

MODELS: tuple[tuple[str, str, str, float, float, float], ...] = (
    ("popularity", "Popularity", "The most popular items for everyone.", 0.148, 0.02, 210),
    ("content", "Content-based", "TF-IDF of genres and years; cosine to the user's mean item.", 0.092, 0.6, 240),
    ("user-knn", "User-kNN", "Herlocker et al., SIGIR 1999.", 0.252, 1.1, 310),
    ("item-knn", "Item-kNN", "Deshpande and Karypis, TOIS 2004.", 0.268, 0.9, 320),
    ("rp3beta", "RP3beta", "Paudel et al., TIIS 2017.", 0.274, 1.4, 330),
    ("ease", "EASE^R", "Steck, WWW 2019 (arXiv:1905.03375).", 0.288, 12.8, 1340),
    ("als", "ALS", "Hu, Koren and Volinsky, ICDM 2008.", 0.259, 4.2, 280),
    ("bpr", "BPR", "Rendle et al., UAI 2009 (arXiv:1205.2618).", 0.221, 21.0, 290),
    ("graph-filter", "Graph filter", "Shen et al., GF-CF, CIKM 2021 (arXiv:2108.07567).", 0.303, 3.1, 410),
    ("lightgcn", "LightGCN", "He et al., SIGIR 2020 (arXiv:2002.02126).", 0.306, 214.0, 620),
)
"""Name, title, paper, NDCG@20, seconds to fit, MB."""

N_USERS, N_ITEMS, K = 671, 9066, 20


def example(*, seed: int = 7, n_map: int = 2400, hopeless: bool = True) -> Comparison:
    """Build the comparison.

    Args:
        seed: one seed, one comparison.
        n_map: points of the embedding map.
        hopeless: add a model that could not take part.
    """
    rng = np.random.default_rng(seed)
    hard = rng.normal(0.0, 0.21, N_USERS)
    models = {row[0]: model(rng, *row, hard=hard) for row in MODELS}
    if hopeless:
        models["slim"] = failed_model()
    winner = max(MODELS, key=lambda row: _mean(models[row[0]]))[0]
    return Comparison(
        task="items",
        k=(10, K),
        seed=42,
        main_metric="ndcg@20",
        data=data(),
        degrees={"users": degrees(rng, N_USERS, 20, 1.9), "items": degrees(rng, N_ITEMS, 1, 0.62)},
        timeline=timeline(rng),
        models=models,
        significance=significance(models),
        winner=winner,
        samples=samples(rng, [row[0] for row in MODELS]),
        embedding_map=embedding_map(rng, n_map),
        labels=pl.DataFrame(
            {
                "key": ["column.genre", *(f"genre.{name}" for name in GENRES_ZH)],
                "en": ["genre", *GENRES_ZH],
                "zh": ["类型", *GENRES_ZH.values()],
            }
        ),
        machine={
            "cpus": 2, "memory_gb": 24.0, "python": "3.11.9", "platform": "Linux-6.1 x86_64, Intel Xeon 2.6 GHz",
            "versions": {"edgewise": "0.1.0", "numpy": "2.1.0", "polars": "2.1.0", "torch": "2.9.0"},
        },
        command="edgewise compare --data movielens.csv --split time --models popularity,item-knn,ease,graph-filter,lightgcn --k 10,20 --seed 42 --report report.html",
    )  # fmt: skip


def model(
    rng: np.random.Generator, name: str, title: str, paper: str, ndcg: float, fit_s: float, mb: float, *, hard: Doubles
) -> ModelResult:
    """Draw one model's figures: users differ in how hard they are, in the same way for all models."""
    own = rng.normal(0.0, 0.09, hard.size)
    per_user: dict[str, Doubles] = {}
    overall: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for metric, factor in (("ndcg", 1.0), ("recall", 0.92), ("precision", 0.63), ("mrr", 1.45), ("hit_rate", 2.35)):
        for k in (10, K):
            values = np.clip((ndcg + hard + own - (hard + own).mean()) * factor * (0.86 if k == 10 else 1.0), 0.0, 1.0)
            per_user[f"{metric}@{k}"] = values
            mean, error = float(values.mean()), float(values.std() / np.sqrt(values.size))
            overall[f"{metric}@{k}"] = mean
            intervals[f"{metric}@{k}"] = (mean - 1.96 * error, mean + 1.96 * error)
    personal = ndcg / 0.31
    overall |= {
        f"coverage@{K}": 0.006 if name == "popularity" else 0.09 + 0.3 * personal * (1 - 0.5 * (name == "ease")),
        f"gini@{K}": 0.996 if name == "popularity" else 0.97 - 0.2 * personal,
        f"novelty@{K}": 1.6 if name == "popularity" else 2.4 + 2.2 * (1.1 - personal) * (1 + (name == "content")),
        f"popularity_bias@{K}": 0.31 if name == "popularity" else 0.22 * personal - 0.05 - 0.12 * (name == "content"),
        f"intra_list_diversity@{K}": 0.81 if name == "popularity" else 0.74 - 0.2 * (name == "content"),
    }
    base = overall[f"ndcg@{K}"]
    segments = {
        "users: few (20–58 interactions)": {"n": 223.0, "ndcg@20": base * (0.62 if name != "item-knn" else 0.86)},
        "users: some (59–140 interactions)": {"n": 224.0, "ndcg@20": base * 0.97},
        "users: many (141–2391 interactions)": {"n": 224.0, "ndcg@20": base * 1.38},
        "users: none (no interactions in training)": {
            "n": 38.0,
            "ndcg@20": 0.151 if name in ("popularity", "content") else 0.0,
        },
        "items: head (the 412 most popular)": {"n": 633.0, "ndcg@20": base * 1.6},
        "items: tail (the 8142 others)": {"n": 511.0, "ndcg@20": base * 0.16 * (name != "popularity")},
        "items: cold (nobody met them in training)": {"n": 187.0, "ndcg@20": 0.031 * (name == "content")},
    }
    evaluation = Evaluation(
        np.arange(hard.size), per_user, overall, segments, np.zeros((hard.size, K), dtype=np.int64), 0.3 + ndcg
    )
    return ModelResult(
        name, title, paper, config(name), evaluation, intervals, fit_s, mb, curve(rng, name, ndcg),
        ["stopped at epoch 52: no better for 10 epochs"] if name == "lightgcn" else [],
        is_baseline=name not in ("graph-filter", "lightgcn"),
    )  # fmt: skip


def failed_model() -> ModelResult:
    """Make a model that could not take part."""
    reason = "the item-item matrix needs 6.7 GB, and 3.1 GB are free; use item-knn, or raise --memory"
    return ModelResult(
        "slim",
        "SLIM",
        "Ning and Karypis, ICDM 2011.",
        {"l1": 1.0},
        None,
        {},
        float("nan"),
        float("nan"),
        failure=reason,
        is_baseline=True,
    )


def config(name: str) -> dict[str, Any]:
    """Return some settings."""
    settings: dict[str, dict[str, Any]] = {
        "lightgcn": {"embedding_dim": 64, "n_layers": 3, "learning_rate": 0.001, "l2": 1e-4, "loss": "bpr", "epochs": 200, "start": "random"},
        "bpr": {"factors": 64, "learning_rate": 0.05, "iterations": 60},
        "item-knn": {"neighbours": 100, "shrink": 20, "similarity": "cosine"},
    }  # fmt: skip
    return settings.get(name, {})


def curve(rng: np.random.Generator, name: str, ndcg: float) -> list[dict[str, float]]:
    """Draw a learning curve for those that learn by epochs; the validation metric of one is seen every fifth."""
    epochs = {"lightgcn": 62, "bpr": 60}.get(name, 0)
    entries = []
    for epoch in range(1, epochs + 1):
        loss = 0.69 * float(np.exp(-epoch / 14)) + 0.12 + float(rng.normal(0, 0.004))
        entry = {"epoch": float(epoch), "loss": loss, "seconds": 3.4}
        if name == "lightgcn" or epoch % 5 == 0:
            fade = 0.0006 * max(0, epoch - 52) if name == "lightgcn" else 0.0
            entry["ndcg@20"] = (ndcg - 0.01) * (1 - float(np.exp(-epoch / 16))) - fade + float(rng.normal(0, 0.0012))
        entries.append(entry)
    return entries


def significance(models: dict[str, ModelResult], metric: str = "ndcg@20") -> list[PairTest]:
    """Test all pairs with the normal approximation and Holm's correction."""
    raw = []
    for a, b in combinations([m for m in models.values() if m.evaluation is not None], 2):
        assert a.evaluation is not None
        assert b.evaluation is not None
        better, worse = (a, b) if _mean(a) >= _mean(b) else (b, a)
        assert better.evaluation is not None
        assert worse.evaluation is not None
        gap = better.evaluation.per_user[metric] - worse.evaluation.per_user[metric]
        mean, error = float(gap.mean()), float(gap.std() / np.sqrt(gap.size))
        p = 2 * (1 - NormalDist().cdf(mean / error)) if error > 0 else 1.0
        raw.append((p, better.name, worse.name, mean, error))
    tests, floor = [], 0.0
    for i, (p, better_name, worse_name, mean, error) in enumerate(sorted(raw)):
        floor = max(floor, min(1.0, p * (len(raw) - i)))
        low, high = mean - 1.96 * error, mean + 1.96 * error
        tests.append(PairTest(metric, better_name, worse_name, mean, low, high, p, floor, floor < 0.05))
    return tests


def why(user: str, title: str, liked: Sequence[str]) -> dict[str, Any]:
    """Make an explanation with every kind of reason, as `explain_pair` gives it."""
    reasons = [
        {"kind": "history", "item_id": 5, "title": liked[0], "contribution": 0.83},
        {"kind": "history", "item_id": 6, "title": liked[1] * 3, "contribution": 0.41},
        {"kind": "friend", "user_id": "u-77", "title": "friend u-77", "contribution": 0.2},
        {
            "kind": "attribute",
            "name": "occupation",
            "value": "artist",
            "title": "occupation: artist",
            "contribution": 0.05,
        },
    ]
    of_item = [
        {"kind": "item attribute", "name": "genre", "value": "Drama", "title": "genre: Drama", "contribution": 0.3}
    ]
    fidelity = {"rank": 1, "without": 1204, "alone": 2, "without_random": None, "n": 4}
    return {
        "user_id": user, "item_id": "1", "title": title, "source": "lightgcn", "score": 4.2, "method": "perturbation", "exact": False,
        "rest": None, "reasons": reasons, "item_reasons": of_item, "fidelity": fidelity, "text": "",
    }  # fmt: skip


def samples(rng: np.random.Generator, names: Sequence[str]) -> list[Sample]:
    """Draw lists for three users."""
    titles = [f"{title} ({1960 + i % 45})" for i, title in enumerate(t for films in FILMS.values() for t in films)]
    found = []
    for user in ("17", "294", "u-0x5F3A-very-long-user-id"):
        shuffled = [titles[i] for i in rng.permutation(len(titles))]
        liked, rest = shuffled[:16], shuffled[16:]
        lists = {}
        for name in names:
            rows = []
            for i in range(10):
                title = rest[int(rng.integers(len(rest)))]
                reasons = [] if name == "popularity" else [liked[int(j)] for j in rng.permutation(16)[:2]]
                hit = bool(rng.random() < 0.22)
                rows.append({"item_id": str(i), "title": title, "score": 1.0 - i / 20, "reasons": reasons, "hit": hit})
            lists[name] = rows
        found.append(Sample(user, liked, lists, why(user, rest[0], liked)))
    return found


def embedding_map(rng: np.random.Generator, n: int) -> EmbeddingMap:
    """Draw a cloud for each genre; some items have none."""
    genres = list(FILMS)
    share = np.array([26, 20, 14, 9, 6, 7, 5, 8, 4, 1.5])
    genre = rng.choice(len(genres), n, p=share / share.sum())
    centres = np.array(
        [
            [np.cos(a) * r, np.sin(a) * r]
            for a, r in zip(np.linspace(0, 5.6, 10), [3, 4.2, 5, 5.4, 5, 4.4, 5, 3.6, 4.8, 5], strict=True)
        ]
    )
    spread = rng.normal(size=(n, 2)) * np.array([1.7, 1.4, 1.1, 0.8, 0.6, 0.7, 0.5, 1.2, 0.9, 0.4])[genre][:, None]
    place = centres[genre] + spread
    names = [genres[g] for g in genre]
    titles = [f"{FILMS[name][i % 6]} · {i}" for i, name in enumerate(names)]
    unknown = set(np.flatnonzero(rng.random(n) < 0.03).tolist())
    categories = ["" if i in unknown else name for i, name in enumerate(names)]
    counts = (rng.pareto(0.9, n) * 2 + 1).clip(1, 400).astype(np.int64)
    return EmbeddingMap(
        place[:, 0], place[:, 1], titles, categories, counts, "genre", "PCA to 32 dimensions, then t-SNE"
    )


def timeline(rng: np.random.Generator) -> pl.DataFrame:
    """Draw twenty years of months, the last fifth of the events in the test."""
    rows: list[tuple[date, int, str]] = []
    for month in range(120):
        start = date(2006, 1, 1) + timedelta(days=round(30.44 * month))
        n = int(500 + 300 * np.sin(month / 7) + rng.gamma(2, 220))
        if month == 97:
            rows += [(start, n // 2, "train"), (start, n - n // 2, "test")]
        else:
            rows.append((start, n, "train" if month < 97 else "test"))
    return pl.DataFrame(rows, schema={"period": pl.Date, "n": pl.Int64, "split": pl.String}, orient="row")


def degrees(rng: np.random.Generator, n: int, least: int, exponent: float) -> Any:
    """Draw counts that fall off by a power law."""
    return np.minimum(np.floor(least * (1 + rng.pareto(exponent, n))), 2391).astype(np.int64)


def data() -> dict[str, Any]:
    """Return what is known of the data set."""
    return {
        "name": "MovieLens latest-small", "n_users": N_USERS, "n_items": N_ITEMS, "n_interactions": 100_004,
        "density": 100_004 / (N_USERS * N_ITEMS), "n_train": 80_003, "n_test": 20_001, "n_test_users": 709,
        "n_new_users": 38, "n_new_items": 512, "split": "time", "split_notes": ["the cut lies at 2009-03-14 08:21 UTC", "38 test users and 512 test items are new"], "fingerprint": "sha256:4be1…a07c",
        "cleaning": [
            "read 100,004 rows from movielens.csv",
            "ratings below 3.5 are not counted as liked: 38,163 rows left out",
            "exact repeats merged: 0",
        ],
        "leakage": ["512 test items are absent from training: no model can find them, unless it reads their attributes"],
        "first": "1995-01-09T11:46:49+00:00", "last": "2016-10-16T17:57:24+00:00",
    }  # fmt: skip


def hostile(text: str) -> Comparison:
    """Put a text wherever data can reach the page."""
    base = example(n_map=40)
    models = {
        name: replace(
            m,
            title=f"{m.title} {text}",
            paper=text,
            notes=[text],
            config={**m.config, text: text},
            failure=text if m.failure else None,
        )
        for name, m in base.models.items()
    }
    place = base.embedding_map
    assert place is not None
    rows = [{"item_id": text, "title": text, "score": 1.0, "reasons": [text], "hit": True}]
    return replace(
        base,
        models=models,
        data={
            **base.data,
            "name": text,
            "split": text,
            "cleaning": [text],
            "leakage": [text],
            "fingerprint": text,
            "first": text,
            "last": text,
        },
        samples=[Sample(text, [text], dict.fromkeys(models, rows)), Sample(text, [text], {"lightgcn": rows})],
        embedding_map=replace(place, titles=[text] * 40, categories=[text, "a"] * 20, column=text, method=text),
        labels=pl.DataFrame({"key": [f"column.{text}"], "en": [text], "zh": [text]}),
        machine={"cpus": text, "platform": text, "versions": {text: text}},
        command=text,
    )


def _mean(result: ModelResult) -> float:
    return result.evaluation.overall["ndcg@20"] if result.evaluation is not None else float("nan")
