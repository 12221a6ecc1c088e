"""Gorse's own clients against a running server, unchanged."""

import asyncio
import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import gorse
import pytest

from tests.needs import lacking
from tests.serve.server import Server, feedback


@pytest.fixture
def client(shared: Server) -> Any:
    """Give a client of the shared server."""
    return gorse.Gorse(f"http://127.0.0.1:{shared.port}", "k3y", timeout=30)


def test_users_are_kept_as_they_were_sent(client: Any) -> None:
    user = {"UserId": "py1", "Labels": {"age": 30, "tags": ["a", "b"]}, "Subscribe": [], "Comment": "你好"}
    assert client.insert_user(user) == {"RowAffected": 1}
    assert client.get_user("py1") == user
    assert client.insert_users([{"UserId": "py2"}, {"UserId": "py3"}]) == {"RowAffected": 2}
    found: list[str] = []
    users, cursor = client.get_users(2)
    while True:
        found += [user["UserId"] for user in users]
        if not cursor:
            break
        users, cursor = client.get_users(2, cursor)
    assert {"py1", "py2", "py3"} <= set(found)
    assert len(found) == len(set(found))
    assert client.delete_user("py1") == {"RowAffected": 1}
    with pytest.raises(gorse.GorseException) as error:
        client.get_user("py1")
    assert error.value.status_code == 404


def test_items_are_kept_changed_found_and_deleted(client: Any) -> None:
    item = {
        "ItemId": "py-item",
        "IsHidden": True,
        "Categories": ["films", "drama"],
        "Timestamp": "2023-02-01T10:00:00Z",
        "Labels": ["x"],
        "Comment": "a film",
    }
    assert client.insert_item(item) == {"RowAffected": 1}
    assert client.get_item("py-item") == item
    client.update_item("py-item", is_hidden=False, categories=["films"], timestamp="2024-02-01T10:00:00Z", comment="b")
    changed = item | {"IsHidden": False, "Categories": ["films"], "Timestamp": "2024-02-01T10:00:00Z", "Comment": "b"}
    assert client.get_item("py-item") == changed
    items, _ = client.get_items(1000)
    assert "py-item" in [found["ItemId"] for found in items]
    assert client.search_items("Title 1007")[0]["ItemId"] == "1007"
    client.delete_item("py-item")
    with pytest.raises(gorse.GorseException):
        client.get_item("py-item")


def test_feedback_is_listed_paged_and_deleted(client: Any) -> None:
    client.insert_feedback("star", "fred", "1001", "2022-11-20T13:55:27Z", value=2.5)
    client.insert_feedbacks([feedback("fred", "1002", kind="star"), feedback("fred", "1003", kind="read")])
    stars = client.list_feedbacks("star", "fred")
    assert [star["ItemId"] for star in stars] == ["1001", "1002"]
    assert stars[0]["Timestamp"] == "2022-11-20T13:55:27Z"
    assert stars[0]["Value"] == 2.5
    found: list[str] = []
    page, cursor = client.get_feedbacks(1)
    while True:
        found += [row["ItemId"] for row in page if row["UserId"] == "fred"]
        if not cursor:
            break
        page, cursor = client.get_feedbacks(1, cursor)
    assert found == ["1001", "1002", "1003"]
    assert client.delete_feedback("fred", "1001") == {"RowAffected": 1}
    assert [star["ItemId"] for star in client.list_feedbacks("star", "fred")] == ["1002"]


def test_feedback_that_is_put_takes_the_place_of_the_same_with_another_value(shared: Server, client: Any) -> None:
    def put(*values: float, method: str = "PUT") -> float:
        rows = [feedback("putter", "1001", kind="star") | {"Value": value} for value in values]
        assert shared.ask(method, "/api/feedback", rows)[:2] == (200, {"RowAffected": len(values)})
        [row] = client.list_feedbacks("star", "putter")
        return float(row["Value"])

    assert put(2, method="POST") == 2
    assert put(5, method="POST") == 2, "sent again"
    assert put(4) == 4
    assert put(4) == 4
    assert put(2) == 2
    assert put(3, 1) == 1
    events = shared.ask("GET", "/v1/users/putter/export")[1]["events"]
    assert [event["value"] for event in events] == [2, 4, 2, 3, 1]


@pytest.mark.parametrize("time", ["", "0001-01-01T00:00:00Z"])
def test_feedback_without_a_time_is_of_now(time: str, shared: Server) -> None:
    row = feedback("timeless", "1001") | {"Timestamp": time}
    assert shared.ask("POST", "/api/feedback", row)[0] == 200
    assert shared.ask("GET", "/api/feedback/like/timeless/1001")[1]["Timestamp"] > "2024"


def test_recommendations_have_scores_offsets_and_are_written_back(client: Any) -> None:
    first = client.get_recommend("u010", n=6)
    assert len(first) == 6
    assert all(left.score >= right.score for left, right in pairwise(first))
    assert [score.id for score in client.get_recommend("u010", n=3, offset=3)] == [score.id for score in first[3:]]
    shown = client.get_recommend("u010", n=3, write_back_type="read", write_back_delay="10m")
    assert [score.id for score in shown] == [score.id for score in first[:3]]
    assert not {score.id for score in shown} & {score.id for score in client.get_recommend("u010", n=6)}
    assert {row["ItemId"] for row in client.list_feedbacks("read", "u010")} == {score.id for score in shown}


def test_a_category_limits_a_list_to_what_was_told_to_be_in_it(shared: Server, client: Any) -> None:
    for item in ("1020", "1021"):
        assert shared.ask("PUT", f"/api/item/{item}/category/shelf")[0] == 200
    found = client.get_recommend("u012", category="shelf", n=10)
    assert {score.id for score in found} <= {"1020", "1021"}
    assert found
    assert shared.ask("DELETE", "/api/item/1021/category/shelf")[0] == 200
    assert {row["Id"] for row in shared.ask("GET", "/api/popular/shelf")[1]} == {"1020"}
    assert shared.ask("GET", "/api/popular/no-such-shelf")[1] == []


def test_neighbours_and_sessions_are_of_the_same_group(shared: Server, client: Any) -> None:
    near = client.get_neighbors("1000", n=3)
    assert all(1000 <= int(row["Id"]) < 1011 for row in near)
    session = client.session_recommend([feedback("anyone", "1000"), feedback("anyone", "1001")], n=3)
    assert all(1002 <= int(row["Id"]) < 1011 for row in session)
    status, users, headers = shared.ask("GET", "/api/user/u016/neighbors?n=5")
    assert status == 200
    assert len(users) == 5
    assert all(int(row["Id"][1:]) % 4 == 0 for row in users), "u016 is of the group of u000, u004, …"
    assert "nearest there is" in headers["x-edgewise-note"]


def test_the_asynchronous_client_works_as_well(shared: Server) -> None:
    async def ask() -> list[str]:
        client = gorse.AsyncGorse(f"http://127.0.0.1:{shared.port}", "k3y")
        await client.insert_feedback("like", "aio", "1000", "2024-01-01T00:00:00Z")
        return [score.id for score in await client.get_recommend("aio", n=3)]

    found = asyncio.run(ask())
    assert len(found) == 3
    assert "1000" not in found


def test_a_wrong_key_is_refused(shared: Server) -> None:
    with pytest.raises(gorse.GorseException) as error:
        gorse.Gorse(f"http://127.0.0.1:{shared.port}", "wrong").get_recommend("u001")
    assert error.value.status_code == 401


SCRIPT = """
const { Gorse } = require("gorsejs");
const client = new Gorse({ endpoint: process.argv[2], secret: "k3y" });
(async () => {
  const told = {};
  await client.insertUser({ UserId: "js", Labels: ["a"], Comment: "c" });
  told.user = await client.getUser("js");
  await client.upsertItem({ ItemId: "js-item", IsHidden: false, Timestamp: new Date(0), Categories: ["c"] });
  await client.updateItem("js-item", { IsHidden: true });
  told.item = await client.getItem("js-item");
  told.inserted = await client.insertFeedbacks([
    { FeedbackType: "like", UserId: "js", ItemId: "1000", Timestamp: new Date(1e12) },
    { FeedbackType: "like", UserId: "js", ItemId: "1001", Timestamp: new Date(1e12) },
  ]);
  told.upserted = await client.upsertFeedbacks([{ FeedbackType: "like", UserId: "js", ItemId: "1001", Timestamp: new Date(2e12) }]);
  told.one = await client.getFeedback({ type: "like", userId: "js", itemId: "1001" });
  told.all = await client.getUserFeedback("js");
  told.deleted = await client.deleteFeedback({ type: "like", userId: "js", itemId: "1001" });
  told.left = await client.getUserFeedbackByType("js", "like");
  told.recommend = await client.getRecommend({ userId: "js", cursorOptions: { n: 3 } });
  told.popular = await client.getPopular({ cursorOptions: { n: 2 } });
  told.latest = await client.getLatest({ cursorOptions: { n: 2 } });
  told.session = await client.getSessionRecommend([{ FeedbackType: "like", UserId: "x", ItemId: "1000", Timestamp: "" }], { cursorOptions: { n: 2 } });
  told.gone = await client.deleteUser("js");
  await client.getUser("js").catch((error) => { told.status = error.code; });
  process.stdout.write(JSON.stringify(told));
})().catch((error) => { console.error(error); process.exit(1); });
"""


@pytest.mark.slow
def test_gorsejs_works(shared: Server, tmp_path: Path) -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        lacking("node and npm are not installed")
    command = [
        "npm",
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "gorsejs@0.4.8",
        "tslib@2",
    ]  # gorsejs does not name tslib, and needs it
    installed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    if installed.returncode:
        lacking(f"npm cannot install gorsejs: {installed.stderr.strip()[-200:]}")
    (tmp_path / "drive.js").write_text(SCRIPT)
    url = f"http://127.0.0.1:{shared.port}"
    ran = subprocess.run(
        ["node", "drive.js", url], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["user"] == {"UserId": "js", "Labels": ["a"], "Subscribe": [], "Comment": "c"}
    assert told["item"]["IsHidden"] is True
    assert told["item"]["Timestamp"] == "1970-01-01T00:00:00Z"
    assert told["inserted"] == 2
    assert told["upserted"] == 1
    assert told["one"]["Timestamp"] == "2033-05-18T03:33:20Z"
    assert len(told["all"]) == 2
    assert told["deleted"]["RowAffected"] == 2
    assert [row["ItemId"] for row in told["left"]] == ["1000"]
    assert len(told["recommend"]) == 3
    assert [set(row) for row in told["popular"]] == [{"Id", "Score"}] * 2
    assert len(told["session"]) == 2
    assert told["gone"] == 1
    assert told["status"] == 404
