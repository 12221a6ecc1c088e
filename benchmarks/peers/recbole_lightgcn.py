"""RecBole's LightGCN on a LightGCN-format split: seconds an epoch, seconds to rank everyone. Runs in RecBole's own environment.

    python recbole_lightgcn.py TRAIN TEST --epochs 2 --batch-size 2048 [--steps 60]

With --steps, so many batches of one epoch are trained, by RecBole's own loop, and nothing is ranked. Prints one JSON line. Settings: 64 dimensions, 3 layers, BPR, learning rate 1e-3, as in the model's paper.
"""

import argparse
import gzip
import itertools
import json
import logging
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def write_atomic_file(source: Path, target: Path) -> None:
    with gzip.open(source, "rt") if source.suffix == ".gz" else source.open() as lines, target.open("w") as out:
        out.write("user_id:token\titem_id:token\n")
        for line in lines:
            user, *items = line.split()
            out.writelines(f"{user}\t{item}\n" for item in items)


class Some:
    """The first batches of a loader, which is otherwise itself."""

    def __init__(self, loader: object, n_batches: int) -> None:
        self._loader, self._n_batches = loader, n_batches

    def __iter__(self) -> Iterator[object]:
        return itertools.islice(iter(self._loader), self._n_batches)

    def __len__(self) -> int:
        return self._n_batches

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=2048)
    parser.add_argument("--steps", type=int, help="train so many batches and rank nothing")
    arguments = parser.parse_args()

    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.model.general_recommender import LightGCN
    from recbole.trainer import Trainer
    from recbole.utils import init_seed

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "log"
        place.mkdir()
        write_atomic_file(arguments.train, place / "log.train.inter")
        write_atomic_file(arguments.test, place / "log.test.inter")
        write_atomic_file(arguments.test, place / "log.valid.inter")  # the protocol wants one; it is never ranked
        config = Config(
            model="LightGCN",
            dataset="log",
            config_dict={
                "data_path": folder, "benchmark_filename": ["train", "valid", "test"], "load_col": {"inter": ["user_id", "item_id"]},
                "embedding_size": 64, "n_layers": 3, "train_batch_size": arguments.batch_size, "eval_batch_size": 2_000_000,
                "learning_rate": 1e-3, "use_gpu": False, "gpu_id": "", "metrics": ["Recall", "NDCG"], "topk": [20], "valid_metric": "NDCG@20",
                "eval_args": {"order": "RO", "group_by": "user", "mode": "full", "split": {"RS": [0.8, 0.1, 0.1]}},
                "show_progress": False, "checkpoint_dir": folder,
            },
        )  # fmt: skip
        init_seed(0, reproducibility=True)
        logging.disable(logging.INFO)
        dataset = create_dataset(config)
        train_data, _, test_data = data_preparation(config, dataset)
        model = LightGCN(config, train_data.dataset)
        trainer = Trainer(config, model)
        if arguments.steps:
            trainer._train_epoch(Some(train_data, 2), 0)  # to warm up
            started = time.perf_counter()
            trainer._train_epoch(Some(train_data, arguments.steps), 0)
            step_s = (time.perf_counter() - started) / arguments.steps
            found = {
                "peer": "RecBole LightGCN",
                "step_s": step_s,
                "epoch_s": step_s * len(train_data),
                "peak_rss_mb": peak_mb(),
            }
            print(json.dumps(found))
            return
        epochs = []
        for epoch in range(arguments.epochs):
            started = time.perf_counter()
            trainer._train_epoch(train_data, epoch)
            epochs.append(time.perf_counter() - started)
        trainer.eval_collector.data_collect(train_data)
        started = time.perf_counter()
        figures = trainer.evaluate(test_data, load_best_model=False)
        evaluate_s = time.perf_counter() - started
    found = {
        "peer": "RecBole LightGCN",
        "epoch_s": epochs,
        "evaluate_s": evaluate_s,
        "peak_rss_mb": peak_mb(),
        "figures": dict(figures),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
