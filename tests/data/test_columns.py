"""Finding columns: by mapping, by usual names, or with a word that helps."""

import pytest

from edgewise.data.columns import Columns, find_columns, find_social_columns, id_columns
from edgewise.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("userId movieId rating timestamp", "userId movieId - rating timestamp -"),
        ("user item behavior timestamp", "user item behavior - timestamp -"),
        (
            "InvoiceNo StockCode Description Quantity InvoiceDate UnitPrice CustomerID",
            "CustomerID StockCode - - InvoiceDate InvoiceNo",
        ),
        (
            "timestamp eventType contentId personId sessionId userAgent",
            "personId contentId eventType - timestamp sessionId",
        ),
        ("用户ID 商品ID 行为类型 时间戳", "用户ID 商品ID 行为类型 - 时间戳 -"),
        ("USER_ID Item-Id Event_Type", "USER_ID Item-Id Event_Type - - -"),
        ("SessionId ItemId Time", "SessionId ItemId - - Time SessionId"),
    ],
)
def test_headers_of_real_logs(header: str, names: str) -> None:
    parts = ("user_id", "item_id", "type", "value", "timestamp", "session_id")
    expected = {part: name for part, name in zip(parts, names.split(), strict=True) if name != "-"}
    assert find_columns(header.split()).names == expected


def test_a_mapping_comes_first_and_frees_the_usual_name_for_nothing_else() -> None:
    found = find_columns(["user", "buyer", "item"], {"user_id": "buyer"})
    assert found.names == {"user_id": "buyer", "item_id": "item"}
    assert found.unused == ("user",)


def test_a_mapping_may_differ_in_case_and_underscores() -> None:
    assert find_columns(["Kunden-Nr", "item"], {"user_id": "kunden_nr"}).names["user_id"] == "Kunden-Nr"


def test_an_empty_mapping_leaves_a_column_out() -> None:
    assert "value" not in find_columns(["user", "item", "rating"], {"value": ""}).names


def test_the_more_certain_name_wins_and_the_choice_is_told() -> None:
    found = find_columns(["user_name", "user_id", "item_id", "time", "timestamp"])
    assert found.names == {"user_id": "user_id", "item_id": "item_id", "timestamp": "timestamp"}
    assert found.notes == (
        "user_id was read from 'user_id'; 'user_name' would have done as well.",
        "timestamp was read from 'timestamp'; 'time' would have done as well.",
    )


def test_sessions_stand_in_for_users_and_the_only_id_left_for_items() -> None:
    found = find_columns(["SessionId", "ThingID", "colour"])
    assert found.names == {"session_id": "SessionId", "user_id": "SessionId", "item_id": "ThingID"}
    assert "each session ('SessionId') was taken for a user" in found.notes[0]
    assert "the only column left that holds ids" in found.notes[1]


def test_strengths_of_other_kinds_are_found_only_without_a_value() -> None:
    assert find_columns(["用户ID", "内容ID", "阅读时长(分钟)", "点赞"]).names == {
        "user_id": "用户ID",
        "item_id": "内容ID",
        "read_seconds": "阅读时长(分钟)",
        "like": "点赞",
    }
    assert find_columns(["user", "item", "rating", "like"]).unused == ("like",)


_CLOSE = (
    r"no column of users was found. The header has 'usr', 'item_id'; usual names are user_id, user, uid.*用户ID.* The closest is "
    r"'usr'. Say which it is: --set data.user_id=usr, or columns=\{'user_id': 'usr'\}"
)


@pytest.mark.parametrize(
    ("header", "mapping", "message"),
    [
        (
            ["usr", "item_id"],
            None,
            _CLOSE,
        ),
        (["user", "itm"], None, "no column of items was found. .*The closest is 'itm'. .*--set data.item_id=itm"),
        (["foo", "bar"], None, r"no column of users .*Say which it is: --set data.user_id=NAME, or columns="),
        (["a;b;c"], None, "Is the separator right\\? The whole line was taken for one column"),
        (
            ["user", "item"],
            {"item_id": "itme"},
            "item_id is mapped to the column 'itme', which is not there. The header has 'user', 'item'. Did you mean 'item'",
        ),
    ],
)
def test_what_is_not_found_is_explained(header: list[str], mapping: dict[str, str] | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        find_columns(header, mapping)


def test_a_mapping_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown setting 'customer'; there are user_id, item_id, type"):
        find_columns(["customer", "item"], {"customer": "user_id"})
    with pytest.raises(ConfigError, match="time_unit = 'hours'"):
        find_columns(["user", "item"], {"time_unit": "hours"})


def test_settings_are_the_mapping() -> None:
    assert find_columns(["a", "b"], Columns(user_id="a", item_id="b")).names == {"user_id": "a", "item_id": "b"}


@pytest.mark.parametrize(
    ("header", "user", "friend"),
    [
        ("userID friendID", "userID", "friendID"),
        ("source_id target_id weight", "source_id", "target_id"),
        ("node_1 node_2", "node_1", "node_2"),
        ("用户ID 好友ID", "用户ID", "好友ID"),
        ("trustor trustee", "trustor", "trustee"),
    ],
)
def test_friendships(header: str, user: str, friend: str) -> None:
    names = find_social_columns(header.split()).names
    assert (names["user_id"], names["friend_id"]) == (user, friend)


def test_friendships_without_friends_are_refused() -> None:
    with pytest.raises(DataError, match=r"no column of friends was found. The header has 'user', 'age'"):
        find_social_columns(["user", "age"])


def test_the_id_of_a_table_is_a_usual_name_then_id_then_the_first_column() -> None:
    assert id_columns(["id", "book_id", "title"], "item") == ["book_id", "id"]
    assert id_columns(["colour", "title"], "item") == ["colour"]
