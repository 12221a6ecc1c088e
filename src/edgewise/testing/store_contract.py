"""What every store of events must do. Parametrise a test with `CHECKS`, and give each a function that opens one and the same store."""

import threading
from collections.abc import Callable
from typing import TypeAlias

from edgewise.errors import DataError, StoreError
from edgewise.store.event import Erased, Event, subject_of
from edgewise.store.objects import StoredItem, StoredUser
from edgewise.store.protocol import MAX_PAYLOAD, DeadLetter, EventStore, Offset

import pytest  # isort: skip - the suite is for tests, which have it

Open: TypeAlias = Callable[[], EventStore]
"""Opens the store of this test, empty at first; called again after `close`, or beside it, it opens the same one."""

Check: TypeAlias = Callable[[Open], None]

ODD_IDS = ("42", "Ünïcode 用户 🙂", "with 'quotes' and \"more\"", "a/b?c=d&e", " padded ", "x" * 512, "NA", "%_*")


def event(number: int, user_id: str = "u", item_id: str | None = "i", **parts: object) -> Event:
    """Make an event with the id e<number>, a second later for each number."""
    told: dict[str, object] = {"timestamp": 1_700_000_000_000 + 1000 * number, **parts}
    return Event(f"e{number}", user_id, item_id, **told)  # type: ignore[arg-type]


def an_event_comes_back_as_it_went_in(open_store: Open) -> None:
    """Every part, odd ids and the extremes of numbers included."""
    store = open_store()
    events = [
        event(1, type="read", value=12.5, session_id="s1", target_user_id=None),
        event(2, item_id=None, type="follow", target_user_id="other"),
        event(3, value=-1e-300, timestamp=0),
        event(4, value=1e300, timestamp=253_402_300_799_999),
        *(event(10 + place, odd, odd, session_id=odd) for place, odd in enumerate(ODD_IDS)),
    ]
    assert store.append(events) == [True] * len(events)
    assert [entry for _, entry in store.since(0, 100)] == events
    for odd in ODD_IDS:
        assert (
            [found.user_id for found in store.of_user(odd)] == [odd] == [found.item_id for found in store.of_item(odd)]
        )
    store.close()


def an_event_sent_twice_counts_once(open_store: Open) -> None:
    """The first stays, whether the second comes in the same call, a later one, or after reopening."""
    store = open_store()
    first, again = event(1, value=1.0), event(1, "someone else", value=2.0)
    assert store.append([first, again, event(2)]) == [True, False, True]
    assert store.append([again, event(3)]) == [False, True]
    store.close()
    store = open_store()
    assert store.append([again]) == [False]
    assert store.of_user("u") == [first, event(2), event(3)]
    assert store.of_user("someone else") == []
    assert store.append([]) == []
    store.close()


def the_log_is_read_in_order_and_in_parts(open_store: Open) -> None:
    """Numbers grow from 1, parts join without gap or overlap, and `last_seq` is the end."""
    store = open_store()
    assert (store.last_seq, store.since(0, 10)) == (0, [])
    for start in range(0, 30, 10):
        store.append([event(number) for number in range(start, start + 10)])
    found, seq = [], 0
    while part := store.since(seq, 7):
        found += part
        seq = part[-1][0]
    assert [number for number, _ in found] == list(range(1, 31))
    assert [entry for _, entry in found] == [event(number) for number in range(30)]
    assert store.last_seq == seq == 30
    store.close()


def a_history_is_in_the_order_of_time(open_store: Open) -> None:
    """Late events stand where they belong; at one time the order of arrival counts; a limit keeps the latest."""
    store = open_store()
    store.append([event(5), event(1), event(9), event(3)])
    store.append([Event("tie a", "u", "i", timestamp=event(5).timestamp), event(2), event(7, "other")])
    ids = ["e1", "e2", "e3", "e5", "tie a", "e9"]
    assert [found.event_id for found in store.of_user("u")] == ids
    assert [found.event_id for found in store.of_user("u", 3)] == ids[-3:]
    assert [found.event_id for found in store.of_user("u", after=2)] == ["e2", "e3", "tie a", "e9"], (
        "by number, not by time"
    )
    assert [found.event_id for found in store.of_user("u", 1, after=4)] == ["tie a"]
    assert [found.event_id for found in store.of_item("i", 4)] == ["e5", "tie a", "e7", "e9"]
    assert store.of_user("nobody") == []
    assert [found.event_id for found in store.of_user("u", after=3)] == ["e2", "e3", "tie a"]
    assert [found.event_id for found in store.of_user("u", 2, after=3)] == ["e3", "tie a"]
    assert store.of_user("u", after=7) == store.of_user("u", 0) == []
    store.close()


def offsets_move_with_the_events(open_store: Open) -> None:
    """Of each group, topic and partition the last offset is kept, also where a call has no events."""
    store = open_store()
    assert store.offsets("g") == {}
    store.append([event(1)], offsets=[Offset("g", "t", 0, 5), Offset("g", "t", 1, 7), Offset("h", "t", 0, 1)])
    store.append([], offsets=[Offset("g", "t", 0, 3)])
    store.close()
    store = open_store()
    assert store.offsets("g") == {("t", 0): 3, ("t", 1): 7}
    assert store.offsets("h") == {("t", 0): 1}
    store.close()


def a_call_is_stored_whole_or_not_at_all(open_store: Open) -> None:
    """One part that cannot be stored keeps the others out."""
    store = open_store()
    for unfit in ({"value": None}, {"session_id": "\ud800"}, {"timestamp": 2**63}):
        with pytest.raises(DataError, match="cannot hold"):
            store.append([event(1), event(2, **unfit)], offsets=[Offset("g", "t", 0, 5)])
    assert (store.last_seq, store.offsets("g")) == (0, {})
    assert store.append([event(1)]) == [True]
    store.close()


def an_erased_user_is_gone(open_store: Open) -> None:
    """Events by and about them, the object, and letters that name them; followers are told by hash; others stay."""
    store = open_store()
    store.append(
        [event(1, "gone"), event(2, "stays"), event(3, "stays", None, target_user_id="gone"), event(4, "gone")]
    )
    store.put_users([StoredUser("gone", labels={"town": "port"}), StoredUser("stays")])
    bad, other = (
        DeadLetter(f"t/0/{number}", "no item_id", payload, 7)
        for number, payload in enumerate((b'{"user_id": "gone"}', b'{"user_id": "go'))
    )
    store.append([], dead_letters=[bad, other])
    assert store.erase_user("gone") == 3
    assert store.of_user("gone") == []
    assert store.user("gone") is None
    assert store.export_user("gone") == {"user": None, "events": []}
    assert [letter for _, letter in store.dead_letters(0, 10)] == [other]
    assert store.of_user("stays") == [event(2, "stays")]
    assert store.user("stays") == StoredUser("stays")
    entries = store.since(0, 10)
    assert [seq for seq, _ in entries] == [2, 5]
    told = entries[-1][1]
    assert isinstance(told, Erased)
    assert (told.kind, told.subject) == ("user", subject_of("gone"))
    assert store.erase_user("gone") == 0
    store.close()


def numbers_are_not_used_again(open_store: Open) -> None:
    """A follower that stands behind an erased entry misses nothing that comes later."""
    store = open_store()
    store.append([event(1, "gone"), event(2, "gone")])
    seen = store.last_seq
    store.erase_user("gone")
    store.close()
    store = open_store()
    store.append([event(3)])
    kinds = [type(entry) for _, entry in store.since(seen, 10)]
    assert kinds == [Erased, Event]
    store.close()


def what_was_erased_does_not_come_back_by_replay(open_store: Open) -> None:
    """If asked for: events from before the erasure are left out, later ones and other people's are stored."""
    store = open_store()
    store.append([event(1, "gone")])
    store.erase_user("gone")
    told = store.since(0, 10)[-1][1]
    assert isinstance(told, Erased)
    later = event(2, "gone", timestamp=told.at + 1)
    replayed = [event(1, "gone"), later, event(3, "stays"), event(4, "stays", None, target_user_id="gone")]
    assert store.append(replayed, keep_erased_out=True) == [False, True, True, False]
    assert store.append([event(1, "gone")]) == [True]
    store.erase_user("gone")
    assert store.append([event(1, "gone", "unmet")], keep_erased_out=True, register=True) == [False]
    assert (store.users(None, 10), store.items(None, 10)) == ([], []), "nor does the id by way of an object"
    store.close()


def parts_of_a_history_can_be_erased(open_store: Open) -> None:
    """What a user did with an item, of one type or all; an item with all that was done with it."""
    store = open_store()
    store.append([event(1), event(2, type="like"), event(3, item_id="other"), event(4, "v"), event(5, type="like")])
    assert store.erase_events("u", "i", "like") == 2
    assert store.erase_events("u", "i", "like") == 0
    assert store.of_user("u") == [event(1), event(3, item_id="other")]
    assert store.erase_events("u", "i") == 1
    store.put_items([StoredItem("i"), StoredItem("other")])
    assert store.erase_item("i") == 1
    assert (store.of_item("i"), store.item("i"), store.item("other")) == ([], None, StoredItem("other"))
    told = [entry for _, entry in store.since(0, 20) if isinstance(entry, Erased)]
    user, item = subject_of("u"), subject_of("i")
    assert [(entry.kind, entry.subject, entry.item, entry.type) for entry in told] == [
        ("some", user, item, "like"),
        ("some", user, item, None),
        ("item", item, None, None),
    ]
    store.close()


def an_export_holds_everything(open_store: Open) -> None:
    """The object and all events, by and about the user."""
    store = open_store()
    store.append([event(1), event(2, "v", None, type="follow", target_user_id="u"), event(3, "v")])
    store.append([event(4, "w", None, type="follow", target_user_id="w")])
    assert [record["event_id"] for record in store.export_user("w")["events"]] == ["e4"], "by and about: once"
    store.put_users([StoredUser("u", labels=["a"], subscribe=("x",), comment="hello")])
    told = store.export_user("u")
    assert told["user"] == {"user_id": "u", "labels": ["a"], "subscribe": ["x"], "comment": "hello"}
    assert [record["event_id"] for record in told["events"]] == ["e1", "e2"]
    assert told["events"][1]["target_user_id"] == "u"
    assert "session_id" not in told["events"][0]
    store.close()


def objects_come_back_as_they_went_in(open_store: Open) -> None:
    """Put, replaced, changed in parts; what cannot be kept is refused and changes nothing."""
    store = open_store()
    user = StoredUser("u", {"deep": [1, None, {"名": "值"}]}, ("a", "b"), "line\nline")
    item = StoredItem("i", True, ("c",), 1_700_000_000_000, ["x", 2.5], "text")
    store.put_users([user, *map(StoredUser, ODD_IDS)])
    store.put_items([item, *map(StoredItem, ODD_IDS)])
    assert (store.user("u"), store.item("i"), store.user("i"), store.item("u")) == (user, item, None, None)
    assert store.patch_item("i", {"is_hidden": False, "labels": None}) == StoredItem(
        "i", False, ("c",), 1_700_000_000_000, None, "text"
    )
    assert store.patch_user("u", {"comment": ""}) == StoredUser("u", user.labels, ("a", "b"), "")
    assert store.patch_user("nobody", {"comment": ""}) is None
    with pytest.raises(
        DataError, match="'colour' cannot be changed; there are is_hidden, categories, timestamp, labels, comment"
    ):
        store.patch_item("i", {"colour": "red"})
    with pytest.raises(DataError, match="is_hidden is 'no'; expected true or false"):
        store.patch_item("i", {"is_hidden": "no"})
    with pytest.raises(DataError, match="labels cannot be kept as JSON"):
        store.put_users([StoredUser("good"), StoredUser("u", labels=float("nan"))])
    assert store.user("good") is None
    store.put_users([StoredUser("u")])
    store.close()
    store = open_store()
    assert store.user("u") == StoredUser("u")
    assert [store.item(odd) for odd in ODD_IDS] == [StoredItem(odd) for odd in ODD_IDS]
    store.close()


def pages_hold_every_object_once(open_store: Open) -> None:
    """In one order, each page behind the last id of the one before."""
    store = open_store()
    store.put_users([StoredUser(f"u{number}") for number in range(25)])
    store.put_items([StoredItem(f"i{number}") for number in range(5)])
    ids: list[str] = []
    while page := store.users(ids[-1] if ids else None, 10):
        ids += [user.user_id for user in page]
    assert ids == sorted(f"u{number}" for number in range(25))
    assert [item.item_id for item in store.items(None, 100)] == [f"i{number}" for number in range(5)]
    store.close()


def events_register_who_is_new(open_store: Open) -> None:
    """If asked for; an object that is there stays as it is, and an event that is there already makes none."""
    store = open_store()
    store.put_users([StoredUser("known", comment="kept")])
    store.append([event(1, "unseen")])
    store.append([event(2, "known", "x"), event(3, "new", None, target_user_id="friend")], register=True)
    assert store.append([event(2, "another", "y"), event(3, "another", "y")], register=True) == [False, False]
    assert [user.user_id for user in store.users(None, 10)] == ["friend", "known", "new"]
    assert store.user("known") == StoredUser("known", comment="kept")
    assert [item.item_id for item in store.items(None, 10)] == ["x"]
    store.close()


def dead_letters_are_kept_with_their_reason(open_store: Open) -> None:
    """In order, cut to a length, bytes as they came."""
    store = open_store()
    letters = [DeadLetter(f"t/0/{number}", "why 为什么", bytes([255, 0, number]), number) for number in range(3)]
    store.append([event(1)], dead_letters=[*letters, DeadLetter("t/0/9", "long", b"x" * (MAX_PAYLOAD + 1), 9)])
    found = store.dead_letters(0, 10)
    assert [letter for _, letter in found[:3]] == letters
    assert len(found[3][1].payload) == MAX_PAYLOAD
    assert store.dead_letters(found[1][0], 1) == found[2:3]
    store.append([], dead_letters=[DeadLetter("t/0/9", "read again", b"x", 10)])
    assert store.dead_letters(0, 10) == found, "one that comes again is there already"
    store.close()


def of_too_many_dead_letters_the_newest_are_kept(open_store: Open) -> None:
    """For a store that is opened with `max_dead_letters=3`."""
    store = open_store()
    letters = [DeadLetter(f"t/0/{number}", "why", b"{", number) for number in range(8)]
    store.append([], dead_letters=letters[:2])
    store.append([], dead_letters=letters[2:6])
    assert [letter for _, letter in store.dead_letters(0, 10)] == letters[3:6]
    store.append([], dead_letters=letters[6:])
    assert [letter for _, letter in store.dead_letters(0, 10)] == letters[5:]
    store.append([], dead_letters=letters[:1])
    assert [letter.source for _, letter in store.dead_letters(0, 10)] == ["t/0/6", "t/0/7", "t/0/0"]
    store.close()


def a_call_tells_how_far_the_log_reaches(open_store: Open) -> None:
    """So that whoever follows knows whether it has come to these events."""
    store = open_store()
    assert store.append([]).seq == 0
    assert store.append([event(1), event(2)]).seq == 2
    assert store.append([event(2), event(3), event(3)]).seq == 3
    assert store.append([event(1)]).seq == 3
    store.erase_user("u")
    assert store.append([event(9, "v")]).seq == store.last_seq == 5
    store.close()


def two_open_stores_see_each_other(open_store: Open) -> None:
    """A consumer writes beside the service: what one has stored the other reads at once, and neither overwrites."""
    one, other = open_store(), open_store()
    for number in range(10):
        (one if number % 2 else other).append([event(number)])
        assert one.last_seq == other.last_seq == number + 1
    assert other.append([event(0)]) == [False]
    assert [entry for _, entry in one.since(0, 100)] == [event(number) for number in range(10)]
    one.close()
    assert other.append([event(99)]) == [True]
    other.close()


def threads_share_a_store(open_store: Open) -> None:
    """Every event of four writers is there once, and three readers see nothing but prefixes of the log."""
    store = open_store()
    n_writers, n_batches, errors = 4, 12, []
    done = threading.Event()

    def write(writer: int) -> None:
        for batch in range(n_batches):
            store.append([event(1000 * writer + 10 * batch + place, f"u{writer}") for place in range(5)])

    def read() -> None:
        length = 0
        while not done.is_set():
            numbers = [seq for seq, _ in store.since(0, 10_000)]
            if numbers != list(range(1, len(numbers) + 1)) or len(numbers) < length or len(numbers) % 5:
                errors.append(numbers)
            length = len(numbers)

    readers = [threading.Thread(target=read) for _ in range(3)]
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(n_writers)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not errors
    for writer in range(n_writers):
        numbers = [1000 * writer + 10 * batch + place for batch in range(n_batches) for place in range(5)]
        assert store.of_user(f"u{writer}") == [event(number, f"u{writer}") for number in numbers]
    store.close()


def a_closed_store_says_so(open_store: Open) -> None:
    """In words, for reading and writing; closing twice does no harm."""
    store = open_store()
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append([event(1)])
    with pytest.raises(StoreError, match="closed"):
        store.of_user("u")


CHECKS: tuple[Check, ...] = (
    an_event_comes_back_as_it_went_in,
    an_event_sent_twice_counts_once,
    the_log_is_read_in_order_and_in_parts,
    a_history_is_in_the_order_of_time,
    offsets_move_with_the_events,
    a_call_is_stored_whole_or_not_at_all,
    an_erased_user_is_gone,
    numbers_are_not_used_again,
    what_was_erased_does_not_come_back_by_replay,
    parts_of_a_history_can_be_erased,
    an_export_holds_everything,
    objects_come_back_as_they_went_in,
    pages_hold_every_object_once,
    events_register_who_is_new,
    dead_letters_are_kept_with_their_reason,
    a_call_tells_how_far_the_log_reaches,
    two_open_stores_see_each_other,
    threads_share_a_store,
    a_closed_store_says_so,
)
