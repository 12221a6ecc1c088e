"""Kill `edgewise fit` with -9 at random moments: its folder is the old model, the new one, or not there; never between.

python tests/soak/kill_while_writing.py --rounds 100 --seed 0
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edgewise.models import load
from edgewise.testing.planted import planted_tastes


def main() -> None:
    """Run the rounds; exits with 1 at the first folder that is neither old nor new."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        log, folder = Path(place) / "log.csv", Path(place) / "model"
        planted_tastes().train.to_frame().write_csv(log)
        words = [
            sys.executable,
            "-m",
            "edgewise.cli",
            "fit",
            "--data",
            str(log),
            "--model",
            "popularity",
            "--out",
            str(folder),
        ]
        started = time.monotonic()
        subprocess.run(words, check=True, capture_output=True)
        whole = time.monotonic() - started
        outcomes = {"finished first": 0, "killed": 0}
        for _ in range(arguments.rounds):
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0.5 * whole, 1.1 * whole))  # the writing is at the end
            outcomes["finished first" if process.poll() is not None else "killed"] += 1
            process.kill()
            process.wait()
            # Between the two renames of a replacement the name is free for a moment; what is there must be whole.
            if folder.exists():
                load(folder)
        sys.stdout.write(f"seed {arguments.seed}: {outcomes}; the folder was whole every time\n")


if __name__ == "__main__":
    main()
