"""A server as a real process: what it learns, what it keeps, how it stops, and whom it refuses."""

import contextlib
import http.client
import random
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serve.server import Server, feedback


@contextmanager
def serving(
    model: Path,
    folder: Path,
    key: str | None = None,
    environment: dict[str, str] | None = None,
    arguments: tuple[str, ...] = (),
) -> Iterator[Server]:
    """Run a server for a while."""
    server = Server(model, folder / "store", folder / "log", key=key, environment=environment, arguments=arguments)
    try:
        yield server.wait()
    finally:
        server.stop()


def test_a_feedback_changes_the_next_list_and_is_still_known_after_a_restart(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server:
        before = server.ask("GET", "/api/recommend/u001")[1]
        assert server.ask("POST", "/api/feedback", [feedback("u001", before[0])])[:2] == (200, {"RowAffected": 1})
        after = server.ask("GET", "/api/recommend/u001")[1]
        assert before[0] not in after
        newcomer = server.ask("GET", "/v1/recommend/newcomer")[1]
        assert newcomer["source"] == "popular"
        assert newcomer["note"]
        assert len(newcomer["items"]) == 10
        for item in ("1000", "1001", "1002"):
            server.ask("POST", "/v1/events", {"user_id": "newcomer", "item_id": item})
        learned = server.ask("GET", "/v1/recommend/newcomer")[1]
        assert learned["source"] == "model"
        own_group = [item for item in learned["items"][:5] if 1000 <= int(item["item_id"]) < 1011]
        assert len(own_group) == 5, "items of the group that was met"
    assert server.process.returncode == 0
    with serving(model, tmp_path) as server:
        assert server.ask("GET", "/api/recommend/u001")[1] == after
        again = server.ask("GET", "/v1/recommend/newcomer")[1]
        assert again["items"] == learned["items"]


@pytest.mark.parametrize("n_rounds", [2, pytest.param(15, marks=pytest.mark.slow)])
def test_a_killed_server_has_lost_nothing_that_it_acknowledged_and_counts_nothing_twice(
    n_rounds: int, model: Path, tmp_path: Path
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    rng = random.Random(seed)
    acknowledged: list[str] = []
    sent = 0
    for _ in range(n_rounds):
        server = Server(model, tmp_path / "store", tmp_path / "log").wait()
        killer = threading.Timer(rng.uniform(0.05, 0.4), server.process.kill)
        killer.start()
        try:
            while True:
                name = f"e{sent}"
                sent += 1
                event = {"event_id": name, "user_id": "u001", "item_id": str(1000 + sent % 44)}
                # The second of each pair was sent before: an answer that got lost on the way, and so repeated.
                for _ in range(2):
                    status, _, _ = server.ask("POST", "/v1/events", event)
                    assert status == 200
                acknowledged.append(name)
        except (OSError, http.client.HTTPException):  # cut off before, or within, an answer
            pass
        killer.join()
        server.process.wait(30)
    server = Server(model, tmp_path / "store", tmp_path / "log").wait()
    found: list[str] = []
    after, is_end = 0, False
    while not is_end:
        page = server.ask("GET", f"/v1/events?after={after}&limit=100")[1]
        found += [event["event_id"] for event in page["events"]]
        after, is_end = page["next"], page["is_end"]
    server.stop()
    assert acknowledged
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found)), "none twice"


@pytest.mark.slow
def test_a_second_server_on_one_store_is_refused_and_told_who_has_it(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server:
        second = Server(model, tmp_path / "store", tmp_path / "second")
        assert second.process.wait(30) == 2
        assert f"is served by process {server.process.pid} already" in second.log.read_text()
        assert server.ask("GET", "/api/recommend/u001")[0] == 200


def test_a_full_disk_refuses_events_in_words_and_lists_go_on(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server:
        assert server.ask("POST", "/v1/events", {"event_id": "a", "user_id": "x", "item_id": "1000"})[0] == 200
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (100, hard))
        status, answer, headers = server.ask("POST", "/v1/events", {"event_id": "b", "user_id": "x", "item_id": "1001"})
        assert status == 503
        assert "nothing of this call was stored" in answer["error"]
        assert headers["retry-after"] == "1"
        assert server.ask("GET", "/v1/recommend/x")[1]["source"] == "model"
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert server.ask("POST", "/v1/events", {"event_id": "b", "user_id": "x", "item_id": "1001"})[0] == 200
        found = server.ask("GET", "/v1/users/x/export")[1]["events"]
        assert [event["event_id"] for event in found] == ["a", "b"]


@pytest.mark.slow
def test_a_swap_under_load_fails_no_request(model: Path, other_model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server:
        import_model(other_model, tmp_path / "store")
        versions = [found["version"] for found in server.ask("GET", "/v1/models")[1]["models"]]
        assert len(versions) == 2
        seen: set[str] = set()
        failed: list[int] = []
        done = threading.Event()

        def load() -> None:
            while not done.is_set():
                status, _, headers = server.ask("GET", "/api/recommend/u002")
                if status != 200:
                    failed.append(status)
                seen.add(headers["x-edgewise-model"])

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        for version in versions * 2:
            time.sleep(0.1)
            assert server.ask("POST", f"/v1/models/{version}/current")[0] == 200
        time.sleep(0.1)
        done.set()
        for thread in threads:
            thread.join()
        assert not failed
        assert seen == set(versions)
        assert (tmp_path / "store" / "current").read_text().strip() == versions[-1]


@pytest.mark.slow
def test_a_pointer_moved_by_another_process_is_followed(model: Path, other_model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server:
        version = import_model(other_model, tmp_path / "store", swap=True)
        for _ in range(100):
            if server.ask("GET", "/v1/recommend/u002")[1]["model"] == version:
                break
            time.sleep(0.05)
        assert server.ask("GET", "/v1/recommend/u002")[1]["model"] == version


def test_events_written_beside_it_are_followed(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server:
        before = server.ask("GET", "/api/recommend/u003")[1]
        code = (
            "import sys; from pathlib import Path; from edgewise.store import Event, SqliteStore;"
            "store = SqliteStore(Path(sys.argv[1])); store.append([Event('e', 'u003', sys.argv[2], timestamp=1)]); store.close()"
        )
        store = str(tmp_path / "store" / "events.db")
        subprocess.run([sys.executable, "-c", code, store, before[0]], check=True, timeout=60)
        for _ in range(100):
            if before[0] not in server.ask("GET", "/api/recommend/u003")[1]:
                break
            time.sleep(0.05)
        assert before[0] not in server.ask("GET", "/api/recommend/u003")[1]


def test_requests_under_way_are_finished_before_it_stops(model: Path, tmp_path: Path) -> None:
    server = Server(model, tmp_path / "store", tmp_path / "log").wait()
    events = [{"event_id": f"e{place}", "user_id": f"u{place}", "item_id": "1000"} for place in range(4000)]
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(server.ask("POST", "/v1/events", events)[0]))
    thread.start()
    time.sleep(0.03)
    assert server.stop() == 0
    thread.join()
    assert answers == [200]
    assert not (tmp_path / "store" / "lock.pid").exists()


@pytest.mark.slow
def test_erased_users_are_forgotten_also_after_a_restart(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server:
        server.ask("POST", "/api/feedback", [feedback("u004", "1000"), feedback("secret-person", "1000")])
        assert server.ask("GET", "/v1/recommend/u004")[1]["source"] == "model"
        for user in ("u004", "secret-person"):
            assert server.ask("DELETE", f"/api/user/{user}")[0] == 200
            assert server.ask("GET", f"/api/user/{user}")[0] == 404
            assert server.ask("GET", f"/v1/recommend/{user}")[1]["source"] == "popular"
            assert server.ask("GET", f"/v1/users/{user}/export")[1]["events"] == []
        near = server.ask("GET", "/v1/users/u000/similar?k=60")[1]["users"]
        assert near
        assert "u004" not in [user["user_id"] for user in near]
    for file in (tmp_path / "store").iterdir():
        if file.is_file():
            assert b"secret-person" not in file.read_bytes()
    with serving(model, tmp_path) as server:
        assert server.ask("GET", "/v1/recommend/u004")[1]["source"] == "popular"
        server.ask("POST", "/v1/events", [{"user_id": "u004", "item_id": item} for item in ("1000", "1001")])
        assert server.ask("GET", "/v1/recommend/u004")[1]["source"] == "model", "who comes back is a newcomer"


@pytest.mark.slow
def test_a_hidden_or_deleted_item_is_not_shown_also_after_a_restart(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server:
        hidden, deleted = server.ask("GET", "/api/recommend/u005")[1][:2]
        assert server.ask("PATCH", f"/api/item/{hidden}", {"IsHidden": True})[0] == 200
        assert server.ask("DELETE", f"/api/item/{deleted}")[0] == 200
        assert not {hidden, deleted} & set(server.ask("GET", "/api/recommend/u005?n=44")[1])
    with serving(model, tmp_path) as server:
        assert not {hidden, deleted} & set(server.ask("GET", "/api/recommend/u005?n=44")[1])
        server.ask("PATCH", f"/api/item/{hidden}", {"IsHidden": False})
        server.ask("POST", "/api/item", {"ItemId": deleted, "Timestamp": "2024-05-31"})
        assert {hidden, deleted} <= set(server.ask("GET", "/api/recommend/u005?n=44")[1])
        assert server.ask("GET", "/api/latest")[1][0] == {"Id": deleted, "Score": 1717113600.0}


@pytest.mark.slow
def test_roles_allow_what_they_say_and_no_key_is_logged(model: Path, tmp_path: Path) -> None:
    keys = {"EDGEWISE_API_KEYS": "read:r3ader,write:wr1ter,admin:adm1n"}
    with serving(model, tmp_path, environment=keys) as server:
        asked = [
            ("GET", "/api/recommend/u001", None),
            ("POST", "/api/feedback", [feedback("u001", "1000")]),
            ("DELETE", "/api/user/u009", None),
        ]
        allowed = {"r3ader": (200, 403, 403), "wr1ter": (200, 200, 403), "adm1n": (200, 200, 200)}
        for key, expected in allowed.items():
            found = tuple(server.ask(method, path, body, key=key)[0] for method, path, body in asked)
            assert found == expected, key
        assert server.ask("GET", "/api/recommend/u001?write-back-type=view", key="r3ader")[0] == 403
        for wrong in ("", "r3ade", "r3aderr", "R3ADER", "\xff"):
            assert server.ask("GET", "/api/recommend/u001", key=wrong)[0] == 401, wrong
        assert server.ask("GET", "/api/recommend/u001")[0] == 401
        assert server.ask("GET", "/metrics")[0] == 401
        assert server.ask("GET", "/api/health/live")[0] == 200
        bearer = {"Authorization": "Bearer r3ader"}
        assert server.ask("GET", "/api/recommend/u001", headers=bearer)[0] == 200
    log = server.log.read_text()
    assert not any(key in log for key in ("r3ade", "wr1ter", "adm1n"))


def test_what_a_caller_says_of_its_address_does_not_count(model: Path, tmp_path: Path) -> None:
    few = ("--set", "service.rate_per_s=0.001", "--set", "service.rate_burst=400")
    with serving(model, tmp_path, arguments=few) as server:
        statuses = {
            server.ask("GET", "/api/health/live", headers={"X-Forwarded-For": f"10.0.{place // 200}.{place % 200}"})[0]
            for place in range(401)
        }
        assert statuses == {200, 429}


@pytest.mark.slow
def test_without_a_key_only_this_machine_is_served(model: Path, tmp_path: Path) -> None:
    refused = Server(model, tmp_path / "store", tmp_path / "log", arguments=("--host", "0.0.0.0"))
    assert refused.process.wait(60) == 2
    assert "Set EDGEWISE_API_KEY" in refused.log.read_text()
    with serving(model, tmp_path) as server:
        assert server.ask("GET", "/api/recommend/u001", headers={"Host": "evil.example"})[0] == 403
        assert server.ask("POST", "/api/feedback", [], headers={"Origin": "http://evil.example"})[0] == 403


def import_model(model: Path, store: Path, *, swap: bool = False) -> str:
    """Add a model to a store as another process would."""
    code = (
        "import sys; from pathlib import Path; from edgewise.store import StoreFolder;"
        "models = StoreFolder.open(Path(sys.argv[1])).models; version = models.add(Path(sys.argv[2]));"
        "sys.argv[3:] and models.swap(version); sys.stdout.write(version)"
    )
    command = [sys.executable, "-c", code, str(store), str(model), *(["swap"] if swap else [])]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("head", [b"", b"GET /api/health/live HTTP/1.1\r\nHost: x", b"GET /\r\n"])
def test_a_head_that_does_not_come_ends_the_connection(head: bytes, model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path, arguments=("--set", "service.head_timeout_s=0.3")) as server:
        with socket.create_connection(("127.0.0.1", server.port), 20) as client:
            client.sendall(head)
            answer = client.recv(1000)
            assert answer == b"" or b" 400 " in answer
        with socket.create_connection(("127.0.0.1", server.port), 20) as client:
            for _ in range(3):  # more requests than the first come as slowly as they like in between
                client.sendall(b"GET /api/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                answer = b""
                while not answer.endswith(b"}"):
                    answer += (part := client.recv(1000))
                    assert part
                assert b" 200 " in answer
                time.sleep(0.4)


def test_a_head_without_end_is_refused(model: Path, tmp_path: Path) -> None:
    with serving(model, tmp_path) as server, socket.create_connection(("127.0.0.1", server.port), 20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(ConnectionError):
            for number in range(1000):
                client.sendall(f"X-{number}: {'y' * 1000}\r\n".encode())
        with contextlib.suppress(ConnectionError):
            assert b" 400 " in client.recv(1000)
        assert server.ask("GET", "/api/health/live")[0] == 200
