"""Refits as real processes: killed at any moment, and beside a server that answers meanwhile."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edgewise.models import build, load
from edgewise.store import Event, StoreFolder
from edgewise.testing.planted import planted_tastes
from tests.serve.server import Server, feedback


def command(store: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    env = dict(os.environ) | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    line = [sys.executable, "-m", "edgewise.cli", "refit", str(store), *arguments]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


def finished(store: Path, *arguments: str) -> tuple[int, str, str]:
    process = command(store, *arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


def answering(server: Server) -> str:
    rows = server.ask("GET", "/v1/models")[1]["models"]
    return str(next(row["version"] for row in rows if row["is_current"]))


def event(number: int, user: str, item: int) -> Event:
    return Event(f"e{number}", user, str(item), timestamp=1_700_000_000_000 + number)


@pytest.mark.slow
def test_a_refit_that_is_killed_leaves_the_old_version_or_the_new_one(tmp_path: Path) -> None:
    build("lightgcn", {"embedding_dim": 8, "epochs": 60}).fit(planted_tastes().train).save(tmp_path / "model")
    folder = StoreFolder.open(tmp_path / "store")
    folder.models.swap(folder.models.add(tmp_path / "model"))
    store = folder.events()
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    started = time.monotonic()
    store.append([event(0, "new", 1000)])
    assert finished(folder.path)[0] == 0
    whole = time.monotonic() - started
    for round_ in range(1, 6):
        store.append([event(round_, "new", 1000 + round_)])
        before = folder.models.current
        process = command(folder.path)
        time.sleep(rng.uniform(0.6, 1.05) * whole)
        process.kill()
        process.communicate()
        now = folder.models.current
        assert now is not None, f"seed {seed}"
        model = load(folder.models.path(now))
        covered = folder.models.covered(now, store)
        assert covered == (store.last_seq if now != before else covered), f"seed {seed}"
        seen = model.catalogue.seen[model.catalogue.users.index_of(["new"])].nnz
        assert seen == covered, f"seed {seed}: one item an event"
    code, _, err = finished(folder.path)
    assert code == 0, err
    assert not (folder.path / ".refit").exists()
    assert all(path.name in folder.models.versions() for path in (folder.path / "models").iterdir())
    store.close()


def test_a_refit_that_cannot_write_leaves_the_old_version(tmp_path: Path) -> None:
    build("item-knn").fit(planted_tastes().train).save(tmp_path / "model")
    folder = StoreFolder.open(tmp_path / "store")
    version = folder.models.add(tmp_path / "model")
    folder.models.swap(version)
    store = folder.events()
    store.append([event(1, "new", 1000)])
    store.close()
    line = [sys.executable, "-c", _LIMITED, str(folder.path)]
    done = subprocess.run(line, capture_output=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert b"cannot write" in done.stderr
    assert folder.models.current == version
    assert folder.models.versions() == [version]
    assert not (folder.path / ".refit").exists()


_LIMITED = """
import resource, signal, sys
import edgewise.refit.refit
from edgewise import model_folder
from edgewise.cli.main import main
write = model_folder.write
def limited(*given, **named):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    write(*given, **named)
model_folder.write = limited
sys.exit(main(["refit", sys.argv[1]]))
"""


def test_a_server_takes_up_what_a_refit_beside_it_has_made_and_no_request_fails(model: Path, tmp_path: Path) -> None:
    server = Server(model, tmp_path / "store", tmp_path / "log", arguments=("--set", "service.follow_s=0.02")).wait()
    failures: list[tuple[int, object]] = []
    stop = threading.Event()

    def asking() -> None:
        place = 0
        while not stop.is_set():
            place += 1
            status, body, _ = server.ask("GET", f"/api/recommend/u{place % 60:03d}?n=5")
            if status != 200 or len(body) != 5:
                failures.append((status, body))
            status, body, _ = server.ask(
                "POST", "/api/feedback", [feedback(f"asker{place % 5}", str(1000 + place % 44), place % 3600)]
            )
            if status != 200:
                failures.append((status, body))

    try:
        old = answering(server)
        server.ask("POST", "/api/feedback", [feedback("new", str(item), item - 1000) for item in (1000, 1001, 1002)])
        thread = threading.Thread(target=asking)
        thread.start()
        code, out, err = finished(tmp_path / "store", "--json")
        assert code == 0, err
        done = json.loads(out)
        until = time.monotonic() + 20
        while answering(server) == old and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.2)
        stop.set()
        thread.join()
        assert failures == []
        assert done["is_current"]
        told = server.ask("GET", "/v1/recommend/new?k=44")[1]
        assert told["model"] == done["version"] or done["version"] in str(told)
        items = {row["item_id"] for row in told["items"]}
        assert not items & {"1000", "1001", "1002"}
    finally:
        stop.set()
        server.stop()
    again = Server(model, tmp_path / "store", tmp_path / "log2").wait()  # the same command as before
    try:
        assert answering(again) == done["version"]
    finally:
        again.stop()


@pytest.mark.slow
def test_the_first_model_does_not_come_back_after_it_was_removed(model: Path, tmp_path: Path) -> None:
    Server(model, tmp_path / "store", tmp_path / "log").wait().stop()
    folder = StoreFolder.open(tmp_path / "store")
    store = folder.events()
    store.append([event(1, "new", 1000)])
    store.close()
    assert finished(folder.path, "--keep", "1")[0] == 0
    [version] = folder.models.versions()
    server = Server(model, tmp_path / "store", tmp_path / "log").wait()
    try:
        assert answering(server) == version
        assert folder.models.versions() == [version]
    finally:
        server.stop()
