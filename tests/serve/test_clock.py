"""A machine whose clock is set back while the server runs, and before it is started again."""

import os
from pathlib import Path

from tests.serve.server import Server

SHIFTED = """
import os, time
from pathlib import Path

place, now_ns = Path(os.environ["TEST_CLOCK"]), time.time_ns
time.time_ns = lambda: now_ns() + int(place.read_text()) * 1_000_000_000
time.time = lambda: time.time_ns() / 1_000_000_000
"""
DAY_S = 86_400


def test_a_clock_that_is_set_back_loses_nothing_and_orders_nothing_anew(model: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SHIFTED)
    clock = tmp_path / "clock"
    clock.write_text("0")
    paths = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"TEST_CLOCK": str(clock), "PYTHONPATH": paths}

    def started() -> Server:
        return Server(model, tmp_path / "store", tmp_path / "log", environment=environment).wait()

    def send(user: str, item: str, number: int) -> None:
        event = {"event_id": f"e{number}", "user_id": user, "item_id": item, "type": "like"}
        assert server.ask("POST", "/v1/events", event)[:2] == (200, {"accepted": 1, "new": 1, "last_seq": number})
        assert item not in server.ask("GET", f"/api/recommend/{user}?n=44")[1]

    def log() -> list[tuple[str, str]]:
        events = server.ask("GET", "/v1/events")[1]["events"]
        return [(event["event_id"], event["timestamp"]) for event in events]

    server = started()
    send("new", "1000", 1)
    send("gone", "1001", 2)
    clock.write_text(str(-DAY_S))
    send("new", "1001", 3)
    times = [at for _, at in log()]
    assert times == sorted(times), "the server's own time does not go back"
    assert server.ask("DELETE", "/api/user/gone")[0] == 200  # takes a number of the log
    assert server.ask("GET", "/v1/recommend/gone")[1]["source"] == "popular"
    send("gone", "1002", 5)
    known = {user: server.ask("GET", f"/v1/recommend/{user}")[1]["items"] for user in ("new", "gone")}
    before = log()
    assert server.stop() == 0
    clock.write_text(str(-2 * DAY_S))
    server = started()
    assert log() == before
    assert {user: server.ask("GET", f"/v1/recommend/{user}")[1]["items"] for user in known} == known
    send("new", "1003", 6)
    assert log()[-1][1] < before[0][1], "a server that was started anew goes by the clock"
    assert [name for name, _ in log()] == ["e1", "e3", "e5", "e6"], "the log is in the order of arrival"
    server.kill()
    server = started()
    assert [name for name, _ in log()] == ["e1", "e3", "e5", "e6"]
    server.stop()
