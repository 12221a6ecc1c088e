"""A real server process for tests: started on a free port, asked over HTTP, stopped or killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any


class Server:
    """`edgewise serve` as a process of its own.

    Args:
        model: a model folder. store: the store folder. log: a file for its log.
        key: the one key; None: none. environment: more of it. arguments: more of them.
    """

    def __init__(
        self,
        model: Path,
        store: Path,
        log: Path,
        *,
        key: str | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: tuple[str, ...] = (),
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.log, self.key = log, key
        env = {name: value for name, value in os.environ.items() if not name.startswith("EDGEWISE_API")}
        env |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"} | dict(environment or {})
        env |= {} if key is None else {"EDGEWISE_API_KEY": key}
        command = [sys.executable, "-m", "edgewise.cli", "serve", str(model), "--port", str(self.port)]
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [*command, "--store", str(store), *arguments], stdout=file, stderr=file, env=env
            )

    def wait(self) -> "Server":
        """Wait until it can answer."""
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if self.ask("GET", "/api/health/ready")[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """Send a request; returns status, body (as JSON where it is) and headers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = dict(headers or {})
            key = self.key if key is None else key
            if key is not None:
                sent["X-API-Key"] = key
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            text = answer.read()
            told = {name.lower(): value for name, value in answer.getheaders()}
            is_json = told.get("content-type", "").startswith("application/json")
            return answer.status, json.loads(text) if is_json else text, told
        finally:
            connection.close()

    def stop(self) -> int:
        """Ask it to stop, and wait for it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(30)


def feedback(user: str, item: str, place: int = 0, kind: str = "like") -> dict[str, Any]:
    """Make a feedback as Gorse has it."""
    seconds = f"{place // 60:02d}:{place % 60:02d}"
    return {"FeedbackType": kind, "UserId": user, "ItemId": item, "Timestamp": f"2024-05-31T08:{seconds}Z"}
