"""A server whose events are in PostgreSQL or Redis: what it learns, what it keeps, and what it does while they are away."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.server import Server, feedback
from tests.store.servers import DatabaseServer, PostgresServer, RedisServer

every_server = pytest.mark.parametrize("kind", [PostgresServer, RedisServer])


@pytest.fixture
def database(kind: type[PostgresServer | RedisServer]) -> Iterator[DatabaseServer]:
    found = kind()
    try:
        found.start()
        yield found
    finally:
        found.remove()


def started(model: Path, folder: Path, database: DatabaseServer) -> Server:
    folder.mkdir(exist_ok=True)
    return Server(model, folder / "store", folder / "log", environment={"EDGEWISE_STORE_URL": database.url})


@pytest.mark.slow
@every_server
def test_events_in_a_database_change_the_next_list_and_outlive_server_and_database(
    database: DatabaseServer, model: Path, tmp_path: Path
) -> None:
    server = started(model, tmp_path / "a", database).wait()
    try:
        before = server.ask("GET", "/api/recommend/u001")[1]
        assert server.ask("POST", "/api/feedback", [feedback("u001", before[0])])[:2] == (200, {"RowAffected": 1})
        after = server.ask("GET", "/api/recommend/u001")[1]
        assert before[0] not in after
        assert not (tmp_path / "a" / "store" / "events.db").exists()

        database.kill()
        for place in range(3):
            status, told, headers = server.ask("POST", "/api/feedback", [feedback("u001", after[0], place)])
            assert (status, headers["retry-after"]) == (503, "1")
            assert "cannot be reached" in told["error"]
            assert server.ask("GET", "/api/recommend/u001")[:2] == (200, after), "lists go on"
            assert server.ask("GET", "/api/user/u001")[0] in (200, 503)
        database.start()
        assert server.ask("POST", "/api/feedback", [feedback("u001", after[0])])[0] == 200
        later = server.ask("GET", "/api/recommend/u001")[1]
        assert after[0] not in later

        server.kill()
        server = started(model, tmp_path / "a", database).wait()
        assert server.ask("GET", "/api/recommend/u001")[1] == later
        assert "Traceback" not in server.log.read_text()
    finally:
        server.kill()


@pytest.mark.slow
@every_server
def test_a_second_server_of_one_database_is_refused_in_words(
    database: DatabaseServer, model: Path, tmp_path: Path
) -> None:
    first = started(model, tmp_path / "a", database).wait()
    second = started(model, tmp_path / "b", database)
    try:
        assert second.process.wait(60) == 2
        assert f"is served by process {first.process.pid} on" in " ".join(second.log.read_text().split())
        assert first.ask("POST", "/api/feedback", [feedback("u001", "1000")])[0] == 200
        assert first.stop() == 0
        second = started(model, tmp_path / "b", database).wait()
        assert second.ask("GET", "/api/feedback/like/u001/1000")[0] == 200
    finally:
        first.kill()
        second.kill()


@pytest.mark.slow
@every_server
def test_what_was_acknowledged_is_there_once_when_the_database_is_killed_under_load(
    database: DatabaseServer, model: Path, tmp_path: Path
) -> None:
    server = started(model, tmp_path / "a", database).wait()
    try:
        acknowledged: list[str] = []
        sent, n_refused, until, killed = 0, 0, time.monotonic() + 60, 0
        while len(acknowledged) < 500 and time.monotonic() < until:
            ids = [f"e{sent + place}" for place in range(5)]
            body = [{"event_id": some_id, "user_id": "u002", "item_id": "1001"} for some_id in ids]
            if server.ask("POST", "/v1/events", body)[0] == 200:
                acknowledged += ids
                sent += 5
            else:
                n_refused += 1  # and sent again, as it was
                if n_refused % 5 == 0 and database.process is None:
                    database.start()
            if len(acknowledged) > 200 * (killed + 1) and killed < 2:
                database.kill()
                killed += 1
        after, found = 0, []
        while (page := server.ask("GET", f"/v1/events?after={after}&limit=500")[1])["events"]:
            found += [entry["event_id"] for entry in page["events"]]
            after = page["next"]
        assert killed == 2
        assert n_refused >= 2
        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found)
        assert len(found) <= len(acknowledged) + 5
    finally:
        server.kill()
