"""The service without HTTP: what is known is what a replay of the log gives."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from edgewise.serve.service import Service
from edgewise.store import Event, StoredItem, StoreFolder


@pytest.fixture
def service(folder: StoreFolder) -> Iterator[Service]:
    store = folder.events()
    service = Service(store, folder.models, follow_s=60)
    service.start()
    yield service
    service.close()
    store.close()


def replayed(folder: StoreFolder) -> dict[str, tuple[list[str], list[str]]]:
    """Start another service on the same store and tell what it knows."""
    store = folder.events()
    service = Service(store, folder.models, follow_s=60)
    service.start()
    lists = {user: service.recommend(user, 44) for user in USERS}
    service.close()
    store.close()
    return {user: (found.ids, [found.source]) for user, found in lists.items()}


USERS = ["u000", "u001", "new", "newer"]


@pytest.mark.parametrize("seed", range(3))
def test_after_any_mixture_of_events_and_erasures_the_state_equals_a_replay(
    seed: int, service: Service, folder: StoreFolder
) -> None:
    rng = random.Random(seed)
    for place in range(60):
        user, item = rng.choice(USERS), str(1000 + rng.randrange(44))
        match rng.randrange(10):
            case 0:
                service.erase_events(user, item)
            case 1:
                service.erase_events(user, item, "like")
            case 2:
                service.erase_item(item)
            case 3:
                service.put_items([StoredItem(item, is_hidden=rng.random() < 0.5)])
            case 4 if rng.random() < 0.3:
                service.erase_user(user)
            case _:
                kind = rng.choice(["like", "view", "unlike"])
                at = rng.choice([place, service.clock.now()])  # old ones of erased users are left out
                service.accept([Event(f"e{place % 50}", user, item, type=kind, timestamp=at)])
    now = {user: service.recommend(user, 44) for user in USERS}
    assert {user: (found.ids, [found.source]) for user, found in now.items()} == replayed(folder)


def test_an_event_sent_twice_counts_once(service: Service) -> None:
    event = Event("e", "new", "1000", type="like", timestamp=1)
    assert service.accept([event]) == [True]
    assert service.accept([event]) == [False]
    assert service.accept([Event("f", "new", "1000", type="unlike", timestamp=2)]) == [True]
    assert service.recommend("new", 3).source == "popular", "one like, taken back"


def test_events_erased_and_stored_beside_it_are_followed(service: Service, folder: StoreFolder) -> None:
    other = folder.events()
    other.append([Event("a", "new", "1000", timestamp=1), Event("b", "new", "1011", timestamp=2)])
    other.erase_events("new", "1011")
    other.append([Event("c", "new", "1001", timestamp=3)])
    other.close()
    service.follow()
    found = service.recommend("new", 5)
    assert found.source == "model"
    assert all(1002 <= int(item) < 1011 for item in found.ids)


def test_a_wish_for_more_than_there_is_gives_what_there_is(service: Service) -> None:
    assert len(service.recommend("stranger", 500).ids) == 44
    assert service.popular(500, offset=100).ids == []
    assert service.similar_items("no such item", 5).note == "item-knn does not know this item"


def test_of_an_erased_user_no_reason_is_left(service: Service) -> None:
    assert service.explain("u000", "1003", 3)["reasons"]
    service.erase_user("u000")
    assert service.explain("u000", "1003", 3) == service.explain("a stranger", "1003", 3) | {
        "user_id": "u000",
        "text": "The model does not know user 'u000', so there is nothing to explain.",
    }
    service.accept([Event("e", "u000", "1000", timestamp=service.clock.now())])
    assert [reason["item_id"] for reason in service.explain("u000", "1003", 3)["reasons"]] == [1000]


class Counted(dict[str, StoredItem]):
    """Counts how often all of it is gone through."""

    n = 0

    def values(self) -> Any:
        self.n += 1
        return super().values()


def test_the_latest_are_put_in_order_once_until_something_is_told(service: Service) -> None:
    day = 86_400_000
    items = [StoredItem(str(item), timestamp=day * (item - 900), categories=("new",)) for item in (1005, 1007, 9000)]
    service.put_items(
        [*items, StoredItem("9001", timestamp=day * 9000), StoredItem("9002", is_hidden=True, timestamp=day * 9999)]
    )
    told = service._items = Counted(service._items)
    assert service.latest(9).ids == ["9001", "9000", "1007", "1005"]
    assert service.latest(9, category="new").ids == ["9000", "1007", "1005"]
    told.n = 0
    assert service.latest(2, offset=1).ids == ["9000", "1007"]
    assert service.latest(1).scores == [day * 9000 / 1000]
    assert told.n == 0
    service.put_items([StoredItem("1005", timestamp=day * 10_000)])
    assert service.latest(2).ids == ["1005", "9001"]
    service.erase_item("9001")
    assert service.latest(9).ids == ["1005", "9000", "1007"]


@pytest.mark.parametrize("user", ["u000", "new"])
def test_reasons_speak_of_the_user_by_name(service: Service, user: str) -> None:
    service.accept([Event("e", user, "1001", type="like", timestamp=1), Event("f", user, "1002", timestamp=2)])
    found = service.explain(user, "1003", 3)
    assert found["user_id"] == user
    assert f"suits user {user} because" in found["text"]
    assert "Asked as about a newcomer of whom the same is known, it is number" in found["text"]
    assert found["rank"] is None


def test_an_old_event_sent_again_does_not_bring_an_erased_user_back(service: Service) -> None:
    old = Event("e1", "gone", "1000", type="like", timestamp=1_700_000_000_000)
    about = Event("e2", "other", None, type="follow", timestamp=1_700_000_000_000, target_user_id="gone")
    assert service.accept([old, about]) == [True, True]
    service.erase_user("gone")
    assert service.accept([old, about, replace(old, event_id="e3")]) == [False, False, False]
    assert service.store.of_user("gone") == service.store.of_user("other") == []
    assert service.store.user("gone") is None
    at_once = replace(old, event_id="e4", timestamp=service.clock.now())  # as one that says no time
    assert service.accept([at_once, old]) == [True, False], "the person came back"
    service.erase_user("gone")
    assert service.accept([at_once]) == [False], "erased twice, the later time holds"
