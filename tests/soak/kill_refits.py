"""Kill refits of a store with -9 at random moments, again and again, while events arrive; the current version is always whole.

python tests/soak/kill_refits.py --rounds 100 --seed 0

After each round the current version must load, and know exactly the events up to the entry that it says it has learned. In the
end a refit that is left alone must leave nothing of the others behind.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgewise.models import build, load
from edgewise.store import Event, SqliteStore, StoreFolder
from edgewise.testing.planted import planted_tastes


def main() -> None:
    """Kill as often as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    sys.stdout.write(f"seed {arguments.seed}\n")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        build("als", {"embedding_dim": 8}).fit(planted_tastes().train).save(place / "model")
        folder = StoreFolder.open(place / "store")
        folder.models.swap(folder.models.add(place / "model"))
        store = folder.events()
        command = [sys.executable, "-m", "edgewise.cli", "refit", str(folder.path), "--full", "--json", "-"]

        def happen(number: int) -> None:
            store.append([Event(f"e{number}", f"new{number % 50}", str(2000 + number), timestamp=number + 1)])

        happen(0)
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        whole, n_swapped = time.monotonic() - started, 0
        for round_ in range(1, arguments.rounds + 1):
            happen(round_)
            before = folder.models.current
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.7, 1.05) * whole)
            process.kill()
            process.wait()
            check(folder, store)
            n_swapped += folder.models.current != before
        subprocess.run(command, check=True, capture_output=True)
        check(folder, store)
        left = [path.name for path in (folder.path / "models").iterdir() if path.name not in folder.models.versions()]
        assert not left, left
        assert not (folder.path / ".refit").exists()
        store.close()
    sys.stdout.write(f"{arguments.rounds} rounds, {n_swapped} of which came to the swap\n")


def check(folder: StoreFolder, events: SqliteStore) -> None:
    """Compare the current version with the log up to where it says it has learned it."""
    version = folder.models.current
    assert version is not None
    covered = folder.models.covered(version, events)
    n_pairs = load(folder.models.path(version)).catalogue.seen.nnz
    assert n_pairs == planted_tastes().train.interactions.nnz + covered, (n_pairs, covered)


if __name__ == "__main__":
    main()
