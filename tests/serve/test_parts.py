"""Keys, limits and roles by themselves."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import ConfigError
from edgewise.serve import asked
from edgewise.serve.asked import encoded
from edgewise.serve.gate import needed_role
from edgewise.serve.keys import Keys, Role, keys_of
from edgewise.serve.limits import RateLimit, is_deeper


def test_keys_come_from_the_environment_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the shop\nread:c\n\nwrite: d \n")
    names = {"EDGEWISE_API_KEY": "a", "EDGEWISE_API_KEYS": "write:b, admin:e", "EDGEWISE_API_KEYS_FILE": str(file)}
    keys = keys_of(names)
    roles = [keys.role_of(key) for key in (b"a", b"b", b"c", b"d", b"e", b"f", b"", None)]
    assert roles == [Role.ADMIN, Role.WRITE, Role.READ, Role.WRITE, Role.ADMIN, None, None, None]


def test_a_wrong_entry_is_told_without_the_key() -> None:
    with pytest.raises(ConfigError, match="EDGEWISE_API_KEYS, entry 2: expected role:key") as error:
        keys_of({"EDGEWISE_API_KEYS": "read:a,boss:t0ken"})
    assert "t0ken" not in str(error.value)


def test_without_keys_everybody_may_do_everything() -> None:
    assert Keys().role_of(None) is Role.ADMIN


@pytest.mark.parametrize(
    ("request_line", "role"),
    [
        ("GET /v1/recommend/7", Role.READ),
        ("POST /v1/recommend", Role.READ),
        ("POST /api/session/recommend/films", Role.READ),
        ("GET /v1/users/7/similar", Role.READ),
        ("GET /v1/users/7", Role.READ),
        ("GET /v1/neighbourhood/user/7", Role.READ),
        ("POST /v1/events", Role.WRITE),
        ("DELETE /api/item/7", Role.WRITE),
        ("DELETE /api/feedback/7/8", Role.WRITE),
        ("DELETE /api/user/7", Role.ADMIN),
        ("DELETE /v1/users/a%2Fb", Role.ADMIN),
        ("GET /v1/users/7/export", Role.ADMIN),
        ("POST /v1/models/x/current", Role.ADMIN),
    ],
)
def test_each_request_needs_a_role(request_line: str, role: Role) -> None:
    assert needed_role(*request_line.split()) is role


def test_a_bucket_empties_and_fills_again() -> None:
    limit = RateLimit(per_s=2.0, burst=3)
    assert [limit.wait_s("a", now=0.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert limit.wait_s("b", now=0.0) == 0.0, "another caller has a bucket of their own"
    assert [limit.wait_s("a", now=1.0) for _ in range(3)] == [0.0, 0.0, 0.5]  # two tokens came in a second
    assert RateLimit(0.0, 1).wait_s("a") == 0.0


def test_depth_counts_brackets_outside_of_texts() -> None:
    assert not is_deeper(b'[{"a": ["]", "[[[[[", "\\"[[[["]}]', 3)
    assert is_deeper(b'[{"a": [1]}]', 2)
    assert not is_deeper(b"[" + b"{}," * 100 + b"{}]", 2)
    assert is_deeper(b'"]]]]]]" ' + b"[" * 4, 3), "a text that closes what was never open hides nothing"


def depth_of(value: Any) -> int:
    if isinstance(value, list | dict):
        return 1 + max(map(depth_of, value.values() if isinstance(value, dict) else value), default=0)
    return 0


@given(
    st.recursive(
        st.none() | st.integers() | st.text(st.sampled_from('a[]{}"\\\n\u4f60')),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(st.sampled_from('[{"\\')), inner, max_size=4)
        ),
    ),
    st.booleans(),
)
def test_depth_is_that_of_the_value(value: Any, is_ascii: bool) -> None:
    body = json.dumps(value, ensure_ascii=is_ascii).encode()
    depth = depth_of(value)
    assert not is_deeper(body, depth)
    assert depth == 0 or is_deeper(body, depth - 1)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(values, max_size=4), st.integers(0, 300), st.dictionaries(st.text(max_size=3), values, max_size=3))
def test_a_large_answer_is_written_in_parts_and_is_the_same(some: list[Any], n: int, about: dict[str, Any]) -> None:
    rows = [some, *({"n": number, "some": some} for number in range(n))]
    for value in (rows, {**about, "rows": rows, "end": True}):
        assert encoded(value) == json.dumps(value, separators=(",", ":")).encode()


def test_no_more_than_a_part_of_a_large_answer_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    class Noting(json.JSONEncoder):
        def encode(self, o: Any) -> str:
            written.append(len(o) if isinstance(o, list) else 1)
            return super().encode(o)

    monkeypatch.setattr(asked, "_JSON", Noting(separators=(",", ":")))
    events = [{"event_id": str(number)} for number in range(10_001)]
    assert json.loads(encoded({"events": events, "next": 3})) == {"events": events, "next": 3}
    assert max(written) == 100
    assert sum(written) == 10_001 + 3
