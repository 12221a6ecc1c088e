"""An event from outside is checked once, and what is wrong with it is said in words."""

import contextlib
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import DataError
from edgewise.store.event import Event, SteadyClock, event_of, events_of_json, hashed_id, record_of

NOW = 1_800_000_000_000


def read(**parts: Any) -> Event:
    return event_of({"user_id": "u", "item_id": "i", **parts}, now=NOW)


def test_a_whole_record_is_taken_as_it_is() -> None:
    record = {
        "event_id": "e",
        "user_id": "u",
        "item_id": "i",
        "type": "read",
        "value": 12,
        "timestamp": 1_700_000_000_000,
    }
    found = event_of(record | {"session_id": "s", "target_user_id": "t", "colour": "red"}, now=NOW)
    assert found == Event(
        "e", "u", "i", timestamp=1_700_000_000_000, type="read", value=12.0, session_id="s", target_user_id="t"
    )
    assert record_of(found) == record | {
        "timestamp": "2023-11-14T22:13:20.000Z",
        "session_id": "s",
        "target_user_id": "t",
    }


def test_what_is_not_told_has_a_default_and_null_is_not_told() -> None:
    bare = read()
    assert (bare.type, bare.value, bare.timestamp, bare.session_id, bare.target_user_id) == (
        "view",
        1.0,
        NOW,
        None,
        None,
    )
    nothing = read(type=None, value=None, timestamp=None, session_id=None, target_user_id=None, event_id=None)
    assert record_of(nothing) | {"event_id": ""} == record_of(bare) | {"event_id": ""}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("buy", "purchase"), ("加购", "cart"), ("LIKE", "like"), (" swipe ", "swipe"), ("退款", "refund")],
)
def test_types_are_known_by_their_usual_names(name: str, kind: str) -> None:
    assert read(type=name).type == kind


@pytest.mark.parametrize(
    "time",
    [
        1_717_143_960,
        1_717_143_960.0,
        1_717_143_960_000,
        1_717_143_960_000_000,
        "1717143960",
        "1717143960.000",
        "2024-05-31T08:26:00Z",
        "2024-05-31 10:26:00+02:00",
        "2024-05-31T08:26:00.000000999z",
        "20240531082600",
        "20240531T082600Z",
        "2024-W22-5T08:26",
    ],
)
def test_times_are_numbers_or_iso_8601(time: float | str) -> None:
    assert read(timestamp=time).timestamp == 1_717_143_960_000


def test_milliseconds_are_kept() -> None:
    assert read(timestamp=1_717_143_960_123).timestamp == 1_717_143_960_123
    assert read(timestamp=1_717_143_960.123).timestamp == 1_717_143_960_123
    assert read(timestamp="2024-05-31T08:26:00.123Z").timestamp == 1_717_143_960_123
    assert read(timestamp=0).timestamp == 0


def test_integers_become_text() -> None:
    assert read(user_id=42, item_id=-(2**63)).user_id == "42"
    assert read(item_id=-(2**63)).item_id == "-9223372036854775808"


def test_an_event_without_id_has_the_hash_of_what_it_is_and_so_counts_once() -> None:
    one, again, other_type, later = (
        read(**{"timestamp": 5, **more}) for more in ({}, {"value": 3}, {"type": "cart"}, {"timestamp": 6})
    )
    text = b'["view","u","i",5000]'
    assert one.event_id == again.event_id == hashlib.sha256(text).hexdigest()[:32]
    assert len({one.event_id, other_type.event_id, later.event_id}) == 3
    assert read(timestamp=5, type="buy").event_id == read(timestamp="1970-01-01T00:00:05Z", type="购买").event_id
    assert hashed_id("a", "b", None, 5, "c") != hashed_id("a", "b", "c", 5)


def test_an_event_without_id_and_time_has_the_given_id_or_a_fresh_one() -> None:
    assert read().event_id != read().event_id
    assert event_of({"user_id": "u", "item_id": "i", "timestamp": 5}, now=NOW, default_id="t/0/7").event_id == "t/0/7"
    assert event_of({"user_id": "u", "item_id": "i", "event_id": "own"}, now=NOW, default_id="t/0/7").event_id == "own"


def test_an_event_about_a_person_needs_no_item() -> None:
    found = event_of({"user_id": "u", "target_user_id": "v", "type": "follow"}, now=NOW)
    assert (found.item_id, found.target_user_id) == (None, "v")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"user_id": None}, r"an event needs user_id; it has 'user_id', 'item_id'\."),
        ({"item_id": None, "productId": 7}, r"an event needs item_id \(or target_user_id, where it is about a person\); there is 'productId': call it 'item_id'"),
        ({"user_id": 1.5}, "user_id is 1.5; expected text or a 64-bit integer"),
        ({"user_id": True}, "user_id is True; expected text"),
        ({"user_id": 2**64}, "user_id is 18446744073709551616; expected text or a 64-bit"),
        ({"user_id": ["u"]}, "user_id is a list; expected text"),
        ({"item_id": {}}, "item_id is an object; expected text"),
        ({"item_id": ""}, "item_id is ''; expected an id that is not blank"),
        ({"item_id": " \u3000"}, "expected an id that is not blank"),
        ({"item_id": "a\x00b"}, r"item_id is 'a\\x00b'; expected text without control characters"),
        ({"item_id": "\ud800"}, "expected text without control characters"),
        ({"session_id": "x" * 513}, r"session_id has 513 characters \('x{60}'…\); expected at most 512"),
        ({"event_id": 10**5000}, "event_id is a huge integer"),
        ({"type": 3}, "type is 3; expected a name such as view"),
        ({"value": "3"}, "value is '3'; expected a finite number"),
        ({"value": float("nan")}, "value is nan; expected a finite"),
        ({"value": 10**400}, "value is a huge integer; expected a finite"),
        ({"value": False}, "value is False; expected"),
        ({"timestamp": "yesterday"}, "timestamp 'yesterday' is not a time from 1970 to 9999; expected one as 2024-05-31T08:26:00Z"),
        ({"timestamp": -1}, "timestamp '-1' is not a time"),
        ({"timestamp": 10**30}, "is not a time"),
        ({"timestamp": float("inf")}, "timestamp 'inf' is not a time"),
        ({"timestamp": "9" * 5000}, "is not a time"),
        ({"timestamp": "1969-12-31T23:59:59Z"}, "is not a time from 1970"),
        ({"timestamp": True}, "timestamp is True; expected a time"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(parts: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(**parts)


@pytest.mark.parametrize("record", [None, 5, "text", ["u", "i"]])
def test_only_an_object_is_an_event(record: Any) -> None:
    with pytest.raises(DataError, match="an event is a JSON object"):
        event_of(record, now=NOW)


def test_json_is_one_event_a_list_or_one_a_line() -> None:
    one, two = '{"user_id": "u", "item_id": 1}', '{"user_id": "用户", "item_id": 2}'
    for body in (f"[{one}, {two}]", f"{one}\n{two}\n", f"\ufeff{one}\r\n\r\n{two}"):
        assert [(event.user_id, event.item_id) for event in events_of_json(body.encode(), now=NOW)] == [
            ("u", "1"),
            ("用户", "2"),
        ]
    assert len(events_of_json(one.encode(), now=NOW)) == 1
    assert events_of_json(b"[]", now=NOW) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "there is no event"),
        (b"\xff\xfe{", "not UTF-8: byte 0 is 0xff"),
        (b"{", "not JSON"),
        (b'{"user_id": NaN}', "NaN is not a JSON number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"user_id": "u", "item_id": "i"}\n{"user_id": ', "not JSON"),
        (b'{"user_id": ' + b"9" * 5000 + b"}", "not JSON: Exceeds the limit"),
        (b'[{"user_id": "u", "item_id": "i"}, {"user_id": "u"}]', "event 2: an event needs item_id"),
        (b"7", "event 1: an event is a JSON object"),
    ],
)
def test_a_body_that_is_no_event_is_refused_in_words(body: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        events_of_json(body, now=NOW)
    assert len(str(caught.value)) < 400


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_values = _scalars | st.lists(_scalars, max_size=2) | st.dictionaries(st.text(max_size=3), _scalars, max_size=2)
_KEYS = ("event_id", "user_id", "item_id", "type", "value", "timestamp", "session_id", "target_user_id", "x")


def _event_or_refusal(record: object) -> Event | str:
    try:
        return event_of(record, now=NOW)  # type: ignore[arg-type]
    except DataError as error:
        return str(error)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(_KEYS, _values)))
def test_a_record_is_an_event_that_json_can_hold_or_is_refused(record: dict[str, Any]) -> None:
    found = _event_or_refusal(record)
    if isinstance(found, str):
        assert 0 < len(found) < 400
    else:
        assert event_of(json.loads(json.dumps(record_of(found), allow_nan=False)), now=0) == found


@given(st.binary())
def test_any_bytes_are_events_or_refused(body: bytes) -> None:
    with contextlib.suppress(DataError):
        assert isinstance(events_of_json(body, now=NOW), list)


def test_the_clock_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([5_000_000, 9_000_000, 3_000_000, 8_999_999, 10_000_000])
    monkeypatch.setattr("edgewise.store.event.time.time_ns", lambda: next(times))
    clock = SteadyClock()
    assert [clock.now() for _ in range(5)] == [5, 9, 9, 9, 10]
