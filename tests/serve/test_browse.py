"""Looking things up: search, histories, friends, neighbourhoods, versions, and what a key may do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from edgewise.data import Dataset
from edgewise.models import build
from edgewise.serve.browse import Browser
from edgewise.serve.service import Service
from edgewise.store import Event, StoredItem, StoreFolder
from tests.serve.server import Server

TITLES = {1: "Toy Story", 2: "<img src=x onerror=alert(1)>", 3: "红楼梦", 4: None, 5: "Story of Us"}


def books() -> Dataset:
    """Make a data set with titles, attributes and friends: u1 and u2 met 1, 2 and 3; u3 met 3, 4, 5; u4 met 5."""
    pairs = [
        ("u1", 1),
        ("u1", 2),
        ("u1", 3),
        ("u2", 1),
        ("u2", 2),
        ("u2", 3),
        ("u3", 3),
        ("u3", 4),
        ("u3", 5),
        ("u4", 5),
    ]
    events = pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row").with_columns(
        value=pl.Series([5.0, 3.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    )
    items = pl.DataFrame({"item_id": list(TITLES), "title": list(TITLES.values()), "price": [1.5, None, 2.0, 3.0, 4.0]})
    users = pl.DataFrame({"user_id": ["u1", "u2", "u3", "u4"], "age": [30, 40, None, 50]})
    social = pl.DataFrame({"user_id": ["u1", "u3"], "friend_id": ["u3", "u4"]})
    return Dataset.from_frame(events, items=items, users=users, social=social)


@pytest.fixture(scope="module")
def titled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a model of `books` with figures."""
    folder = tmp_path_factory.mktemp("titled") / "model"
    build("item-knn").fit(books()).save(
        folder, metrics={"recall@20": 0.5, "intervals": {"recall@20": [0.4, 0.6]}, "config": {}}
    )
    return folder


@pytest.fixture
def service(titled: Path, tmp_path: Path) -> Iterator[Service]:
    folder = StoreFolder.open(tmp_path / "store")
    folder.models.swap(folder.models.add(titled))
    store = folder.events()
    service = Service(store, folder.models, follow_s=60)
    service.start()
    yield service
    service.close()
    store.close()


@pytest.fixture
def browser(service: Service) -> Browser:
    return Browser(service)


def liked(user: str, item: str, place: int, **more: Any) -> Event:
    return Event(
        f"{user}-{item}-{place}", user, item, type=more.pop("type", "like"), timestamp=1_700_000_000_000 + place, **more
    )


def ids(rows: list[dict[str, Any]], key: str = "id") -> list[str]:
    return [row[key] for row in rows]


def test_search_finds_titles_and_ids_items_first(browser: Browser) -> None:
    assert ids(browser.search("story", None, 5)) == ["5", "1"], "a title that begins with it comes first"
    assert ids(browser.search("U", None, 5)) == ["5", "u1", "u2", "u3", "u4"]
    assert ids(browser.search("u", "user", 2)) == ["u1", "u2"]
    assert browser.search("红楼", "item", 5) == [
        {"kind": "item", "id": "3", "title": "红楼梦", "n_met": 3, "is_exact": False}
    ]
    assert browser.search("u3", None, 5)[0] == {"kind": "user", "id": "u3", "title": "u3", "n_met": 3, "is_exact": True}
    assert browser.search("nothing of this name", None, 5) == []


def test_search_finds_who_came_after_training_and_nobody_who_was_erased(browser: Browser, service: Service) -> None:
    service.accept([liked("newcomer", "1", 0), liked("u1", "99", 1)])
    assert ids(browser.search("newc", None, 5)) == ["newcomer"]
    assert browser.search("newcomer", None, 5)[0]["n_met"] == 1
    assert ids(browser.search("99", "item", 5)) == ["99"], "an item that the model does not know, by its id"
    service.erase_user("newcomer")
    service.erase_user("u2")
    service.erase_item("1")
    assert browser.search("newc", None, 5) == []
    assert ids(browser.search("u", "user", 5)) == ["u1", "u3", "u4"]
    assert ids(browser.search("story", "item", 5)) == ["5"]


def test_a_history_has_events_first_then_training_by_strength(browser: Browser, service: Service) -> None:
    service.accept(
        [
            liked("u1", "5", 0),
            liked("u1", "4", 1),
            liked("u1", "4", 2, type="unlike"),
            liked("u1", "99", 3, type="view"),
        ]
    )
    user = browser.user("u1", 10, 0)
    assert (user["is_known"], user["n_training"], user["n_events"], user["n_since"], user["n_counted"]) == (
        True,
        3,
        4,
        4,
        4,
    )
    assert user["attributes"] == {"age": 30}
    assert [(row["item_id"], row["type"], row["counts"]) for row in user["history"]] == [
        ("99", "view", False),
        ("4", "unlike", False),
        ("4", "like", False),
        ("5", "like", True),
        ("1", None, True),
        ("3", None, True),
        ("2", None, True),
    ]
    assert user["history"][0]["timestamp"] == "2023-11-14T22:13:20.003Z"
    assert user["history"][4] | {"title": "", "value": 0} == user["history"][4] | {"title": "", "value": 0}
    assert user["history"][4]["title"] == "Toy Story"
    assert user["next"] is None


def test_pages_of_a_history_join_to_the_whole(browser: Browser, service: Service) -> None:
    service.accept([liked("u1", str(place), place) for place in (4, 5)])
    whole = browser.user("u1", 100, 0)["history"]
    for n in (1, 2, 3):
        rows: list[dict[str, Any]] = []
        cursor: int | None = 0
        while cursor is not None:
            page = browser.user("u1", n, cursor)
            rows += page["history"]
            cursor = page["next"]
        assert rows == whole


def test_of_somebody_unknown_nothing_is_told(browser: Browser, service: Service) -> None:
    told = browser.user("nobody", 10, 0)
    assert (told["is_known"], told["history"], told["attributes"], told["next"]) == (False, [], {}, None)
    service.erase_user("u1")
    erased = browser.user("u1", 10, 0)
    assert (erased["is_known"], erased["history"], erased["attributes"]) == (False, [], {})


def test_an_item_has_title_attributes_and_counts(browser: Browser, service: Service) -> None:
    service.put_items([StoredItem("3", is_hidden=True, categories=("book",))])
    service.accept([liked("u4", "3", 0)])
    item = browser.item("3")
    assert (item["title"], item["n_people"], item["n_events"], item["may_be_shown"]) == ("红楼梦", 3, 1, False)
    assert item["attributes"] == {"price": 2.0, "categories": ["book"]}
    assert browser.item("4")["title"] == "4", "without a title: the id"
    assert browser.item("99")["is_known"] is False


def test_friends_are_those_of_training_and_those_followed_since(browser: Browser, service: Service) -> None:
    assert ids(browser.friends("u3", 5)["users"], "user_id") == ["u4", "u1"], "who has most in common first"
    service.accept(
        [
            Event("f1", "u3", None, type="follow", target_user_id="u2", timestamp=1),
            Event("f2", "u3", None, type="unfollow", target_user_id="u4", timestamp=2),
        ]
    )
    friends = browser.friends("u3", 5)
    assert friends["source"] == "friends"
    assert {row["user_id"]: (row["n_shared"], row["since_training"]) for row in friends["users"]} == {
        "u2": (1, True),
        "u1": (1, False),
    }


def test_without_friends_those_who_met_the_same_stand_in_and_it_is_said(browser: Browser) -> None:
    friends = browser.friends("u2", 5)
    assert friends["source"] == "similar"
    assert ids(friends["users"], "user_id") == ["u1", "u3"]
    assert friends["users"][0]["score"] == 1.0
    assert browser.friends("nobody", 5)["users"] == []


def joined(drawing: dict[str, Any], one: str, other: str) -> str | None:
    places = {node["id"]: place for place, node in enumerate(drawing["nodes"])}
    ends = sorted((places[one], places[other]))
    return next((edge["kind"] for edge in drawing["edges"] if [edge["from"], edge["to"]] == ends), None)


def test_around_a_user_are_items_met_people_and_the_list(browser: Browser, service: Service) -> None:
    service.accept([liked("u2", "4", 0)])
    drawing = browser.around_user("u2", 8, 6)
    roles = {node["id"]: node["role"] for node in drawing["nodes"]}
    assert roles == {
        "u2": "centre",
        "4": "met",
        "1": "met",
        "2": "met",
        "3": "met",
        "5": "listed",
        "u1": "person",
        "u3": "person",
    }
    assert drawing["nodes"][1]["id"] == "4", "what happened last comes first"
    assert joined(drawing, "u2", "4") == "event"
    assert joined(drawing, "u2", "1") == "met"
    assert joined(drawing, "u2", "5") == "listed"
    assert joined(drawing, "u2", "u1") == "similar"
    assert joined(drawing, "u3", "5") == "met"
    assert joined(drawing, "u1", "5") is None
    assert browser.around_user("u3", 2, 6)["source"] == "friends"
    assert len(browser.around_user("u2", 1, 1)["nodes"]) == 4


def test_around_an_item_are_people_and_what_is_like_it(browser: Browser, service: Service) -> None:
    service.accept([liked("newcomer", "3", 0), liked("u4", "3", 1), liked("u4", "3", 2, type="unlike")])
    drawing = browser.around_item("3", 8, 6)
    roles = {node["id"]: node["role"] for node in drawing["nodes"]}
    assert roles == {
        "3": "centre",
        "1": "like",
        "2": "like",
        "4": "like",
        "5": "like",
        "newcomer": "person",
        "u1": "person",
        "u2": "person",
        "u3": "person",
    }
    assert joined(drawing, "3", "newcomer") == "event"
    assert joined(drawing, "3", "u1") == "met"
    assert joined(drawing, "u1", "1") == "met"
    assert joined(drawing, "3", "4") == "like"
    unknown = browser.around_item("99", 8, 6)
    assert (len(unknown["nodes"]), unknown["edges"], "does not know" in unknown["note"]) == (1, [], True)
    service.erase_user("u1")
    assert "u1" not in ids(browser.around_item("3", 8, 6)["nodes"])


def test_an_unknown_user_stands_alone_with_what_is_popular(browser: Browser) -> None:
    drawing = browser.around_user("nobody", 3, 6)
    assert {node["role"] for node in drawing["nodes"]} == {"centre", "listed"}
    assert drawing["note"] == "the model does not know this user"


def test_versions_come_with_their_figures(browser: Browser) -> None:
    [version] = browser.models()
    assert (version["name"], version["is_current"], version["n_users"], version["n_interactions"]) == (
        "item-knn",
        True,
        4,
        10,
    )
    assert version["metrics"] == {"recall@20": 0.5}
    assert version["intervals"] == {"recall@20": [0.4, 0.6]}


def test_about_names_events_and_columns_in_both_languages(browser: Browser) -> None:
    about = browser.about()
    types = {each["type"]: each for each in about["event_types"]}
    assert types["unlike"] == {"type": "unlike", "en": "Unlike", "zh": "取消点赞", "undoes": "like"}
    assert about["columns"]["price"] == {"en": "Price", "zh": "价格"}
    assert {user["user_id"] for user in about["users"]} <= {"u1", "u2", "u3", "u4"}
    assert about["items"][0] == {"item_id": "3", "title": "红楼梦"}


def test_after_a_swap_the_other_model_is_searched(browser: Browser, service: Service, model: Path) -> None:
    assert browser.search("u000", None, 5) == []
    service.swap(service.models.add(model))
    assert ids(browser.search("u000", None, 5)) == ["u000"]
    assert browser.search("story", None, 5) == []
    assert len(browser.about()["users"]) == 6


def test_an_item_that_arrived_is_found_by_its_title_and_drawn(
    browser: Browser, service: Service, tmp_path: Path
) -> None:
    build("lightgcn", {"embedding_dim": 8, "epochs": 2}).fit(books()).save(tmp_path / "other")
    service.swap(service.models.add(tmp_path / "other"))
    assert browser.search("fresh", "item", 5) == []
    service.put_items([StoredItem("99", labels={"title": "A Fresh Start", "price": 2.0})])
    service.accept([liked("u1", "99", 0), liked("u2", "99", 1)])
    service._let_in()
    assert ids(browser.search("fresh", "item", 5)) == ["99"]
    assert ids(browser.search("story", "item", 5)) == ["5", "1"]
    item = browser.item("99")
    assert (item["title"], item["is_new"], item["n_people"], item["attributes"]) == (
        "A Fresh Start",
        True,
        2,
        {"price": 2.0},
    )
    user = browser.user("u1", 10, 0)
    assert user["n_training"] == 3
    assert ids(user["history"], "item_id") == ["99", "1", "3", "2"]
    assert joined(browser.around_user("u1", 8, 6), "u1", "99") == "event"
    people = [node["id"] for node in browser.around_item("99", 8, 6)["nodes"] if node["role"] == "person"]
    assert sorted(people) == ["u1", "u2"]


def test_of_a_refitted_model_what_it_has_learned_is_told_once(titled: Path, tmp_path: Path) -> None:
    folder = StoreFolder.open(tmp_path / "store")
    folder.models.swap(folder.models.add(titled))
    store = folder.events()
    store.append([liked("u1", "1", 0), liked("u1", "5", 1)])
    service = Service(store, folder.models, follow_s=60)
    service.start()
    try:
        service.serving.followed.covered = 1
        user = Browser(service).user("u1", 10, 0)
    finally:
        service.close()
        store.close()
    assert [(row["item_id"], row["is_event"]) for row in user["history"]] == [
        ("5", True),
        ("1", True),
        ("3", False),
        ("2", False),
    ]
    assert (user["n_events"], user["n_since"], user["n_training"]) == (2, 1, 3)


# Over HTTP


def test_the_routes_answer_and_refuse(shared: Server) -> None:
    assert shared.ask("GET", "/v1/search?q=u00&n=3")[1]["found"][0]["kind"] == "user"
    assert shared.ask("GET", "/v1/search?q=")[0] == 400
    assert shared.ask("GET", "/v1/search?q=x&kind=shop")[0] == 400
    assert shared.ask("GET", "/v1/search?q=x&n=0")[0] == 400
    assert shared.ask("GET", "/v1/users/u007?n=2")[1]["next"] == 2
    assert shared.ask("GET", "/v1/users/u007?cursor=-1")[0] == 400
    assert shared.ask("GET", "/v1/items/1000")[1]["title"] == "Title 1000"
    assert shared.ask("GET", "/v1/friends/u007?k=3")[1]["source"] == "similar"
    drawing = shared.ask("GET", "/v1/neighbourhood/user/u007")[1]
    assert {node["role"] for node in drawing["nodes"]} == {"centre", "met", "listed", "person"}
    assert shared.ask("GET", "/v1/neighbourhood/item/1000?n=31")[0] == 400
    assert shared.ask("GET", "/v1/neighbourhood/shop/1000")[0] == 404
    assert shared.ask("GET", "/v1/models")[1]["models"][0]["is_current"] is True
    assert shared.ask("GET", "/v1/about")[1]["role"] == "admin"
    stats = shared.ask("GET", "/v1/stats")[1]
    assert stats["window_s"] == len(stats["series"]) > 0


def test_an_id_with_a_slash_can_be_looked_up(shared: Server) -> None:
    shared.ask("POST", "/v1/events", {"user_id": "a/b c?#", "item_id": "1000"})
    assert shared.ask("GET", "/v1/users/a%2Fb%20c%3F%23")[1]["n_events"] == 1
    assert shared.ask("GET", "/v1/neighbourhood/user/a%2Fb%20c%3F%23")[1]["nodes"][0]["id"] == "a/b c?#"
    assert shared.ask("GET", "/v1/search?q=a/b")[1]["found"][0]["id"] == "a/b c?#"


def test_all_of_them_stand_in_the_openapi_document(shared: Server) -> None:
    paths = shared.ask("GET", "/openapi.json")[1]["paths"]
    for path in (
        "search",
        "users/{user_id}",
        "items/{item_id}",
        "friends/{user_id}",
        "neighbourhood/user/{user_id}",
        "neighbourhood/item/{item_id}",
        "models",
        "about",
        "stats",
    ):
        assert "schema" in paths[f"/v1/{path}"]["get"]["responses"]["200"]["content"]["application/json"]
    assert not [path for path in paths if path.startswith("/page") or path in ("/", "/favicon.ico")]


def test_they_need_a_key_and_one_that_reads_is_enough(titled: Path, tmp_path: Path) -> None:
    server = Server(
        titled, tmp_path / "store", tmp_path / "log", environment={"EDGEWISE_API_KEYS": "read:r,write:w,admin:a"}
    )
    try:
        server.key = "r"
        server.wait()
        for path in (
            "search?q=u",
            "users/u1",
            "items/1",
            "friends/u1",
            "neighbourhood/user/u1",
            "neighbourhood/item/1",
            "models",
            "about",
            "stats",
        ):
            assert server.ask("GET", f"/v1/{path}")[0] == 200
            assert server.ask("GET", f"/v1/{path}", key="wrong")[0] == 401
        assert server.ask("GET", "/v1/about")[1]["role"] == "read"
        assert server.ask("GET", "/v1/users/u1/export")[0] == 403
        assert server.ask("DELETE", "/v1/users/u1", key="w")[0] == 403
        assert server.ask("GET", "/v1/about", key="w")[1]["is_key_needed"] is True
    finally:
        server.stop()
