"""Real PostgreSQL and Redis servers for tests: started in a folder of their own, stopped, killed with -9 and started again."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import psycopg
import redis

from tests.needs import lacking


class DatabaseServer(ABC):
    """One process; `start` after `kill` recovers what is on the disk."""

    command: Sequence[str]
    url: str

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"edgewise-{name}-"))
        self.log = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._user: str | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, cwd=self.folder, user=self._user, start_new_session=True
            )
        until = time.monotonic() + 60
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(self.log.read_text()[-3000:])
            time.sleep(0.02)

    @abstractmethod
    def answers(self) -> bool:
        """Whether it can be used."""

    def stop(self) -> None:
        """Stop in order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill with -9, with all that belongs to it."""
        self._end(signal.SIGKILL)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
            self.process.wait(60)
        self.process = None


class PostgresServer(DatabaseServer):
    def __init__(self, *settings: str) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        found = str(programs[-1]) if programs else shutil.which("postgres")
        if found is None:
            lacking("PostgreSQL is not installed (apt-get install postgresql)")
        super().__init__("postgres")
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        self.data = self.folder / "data"
        self.data.mkdir()
        if self._user:
            self.folder.chmod(0o755)
            for path in (self.folder, self.data):
                shutil.chown(path, self._user, self._user)
        self.log.touch()
        initdb = [
            str(Path(found).with_name("initdb")),
            "-D",
            str(self.data),
            "-A",
            "trust",
            "-U",
            "edgewise",
            "-E",
            "UTF8",
        ]
        subprocess.run([*initdb, "--locale=C", "--no-sync"], check=True, capture_output=True, user=self._user)
        options = ["listen_addresses=", "shared_buffers=32MB", *settings]
        self.command = [found, "-D", str(self.data), "-k", str(self.folder)]
        self.command += [word for option in options for word in ("-c", option)]
        self.url = f"postgresql://edgewise@/postgres?host={self.folder}"

    def start(self) -> None:
        for path in self.folder.glob(
            ".s.PGSQL.*"
        ):  # a killed server leaves them, and its number may be another's by now
            path.unlink()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        super().start()

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False

    def kill(self) -> None:
        """Kill the server and the processes of its connections, each of which leads a group of its own."""
        if self.process is not None and self.process.poll() is None:
            groups = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
            ).stdout.split()
            self.process.kill()
            for number in map(int, groups):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        super().kill()


class RedisServer(DatabaseServer):
    def __init__(self, *settings: str) -> None:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found is None:
            lacking("neither Valkey nor Redis is installed (apt-get install redis-server)")
        super().__init__("redis")
        self.port = _free_port()
        options = settings or ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        self.command = [found, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), *options]
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.exceptions.AuthenticationError:  # it wants a password, so it is there
            return True
        except redis.exceptions.ConnectionError:
            return False


def _free_port() -> int:
    """Find a port that no client is given as its own: one that calls a closed port again and again would be its own server."""
    for port in random.SystemRandom().sample(range(20_000, 30_000), 100):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports are taken")
