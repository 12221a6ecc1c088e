"""The service without HTTP: what is known is what a replay of the log gives."""

import random
from collections.abc import Iterator

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
                service.accept([Event(f"e{place % 50}", user, item, type=kind, timestamp=place)])
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


@pytest.mark.parametrize("user", ["u000", "new"])
def test_reasons_speak_of_the_user_by_name(service: Service, user: str) -> None:
    service.accept([Event("e", user, "1001", type="like", timestamp=1), Event("f", user, "1002", timestamp=2)])
    found = service.explain(user, "1003", 3)
    assert found["user_id"] == user
    assert f"suits user {user} because" in found["text"]
    assert "Asked as about a newcomer of whom the same is known, it is number" in found["text"]
    assert found["rank"] is None
