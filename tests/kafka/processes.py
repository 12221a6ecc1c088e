"""`edgewise consume` as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class ConsumerProcess:
    """A consumer that can be stopped or killed.

    Args:
        brokers, topic, group, store: as the command has them. log: a file for its log. arguments: more of them.
    """

    def __init__(self, brokers: str, topic: str, store: Path, log: Path, *arguments: str, group: str = "g") -> None:
        self.log = log
        self._begin = log.stat().st_size if log.exists() else 0
        words = ["consume", "--brokers", brokers, "--topic", topic, "--group", group, "--store", str(store)]
        env = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edgewise.cli", *words, *arguments], stdout=file, stderr=file, env=env
            )

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Return the lines of its log that tell of something."""
        text = self.log.read_bytes()[self._begin :].decode()
        return [line for line in map(json.loads, text.splitlines()) if line["message"] == message]

    def wait_for(self, message: str, seconds: float = 30) -> None:
        """Wait until its log tells of something."""
        until = time.monotonic() + seconds
        while not self.lines(message):
            assert self.process.poll() is None, f"the consumer ended:\n{self.log.read_text()[-3000:]}"
            assert time.monotonic() < until, f"no {message!r} in:\n{self.log.read_text()[-3000:]}"
            time.sleep(0.02)

    def stop(self) -> int:
        """Ask it to stop, and wait for it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
