"""Names: known in two languages, however they are written, and never for two things at once."""

from itertools import combinations

import polars as pl
import pytest

from edgewise.data.dataset import EVENT_COLUMNS
from edgewise.data.vocabulary import (
    ATTRIBUTE_NAMES,
    EVENT_NAMES,
    EVENT_TYPES,
    STRENGTH_NAMES,
    TITLE,
    UNDOES,
    labels_for,
    plain,
    rank_of,
    standard_attribute,
    standard_type,
)


def test_every_event_column_has_a_name() -> None:
    assert tuple(EVENT_NAMES) == EVENT_COLUMNS


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (
            "user_id",
            "user_id user USERID userId uid customer CustomerID personId visitorid reviewerID 用户ID 用户 用户_id",
        ),
        ("item_id", "item movieId product StockCode contentId book_id articleId asin 商品ID 内容ID 物品ID 商品 itemid"),
        ("type", "event eventType behavior behaviour 行为类型 行为 action_type"),
        ("value", "rating weight score stars 评分 rating:float"),
        ("timestamp", "time ts date InvoiceDate Timestamp created_at 时间戳 时间 timestamp:float"),
        ("session_id", "sessionId SessionId session InvoiceNo 会话ID"),
    ],
)
def test_usual_names_are_known(part: str, names: str) -> None:
    for name in names.split():
        assert rank_of(name, EVENT_NAMES[part]) is not None, name
        assert [other for other in EVENT_NAMES if rank_of(name, EVENT_NAMES[other]) is not None] == [part]


@pytest.mark.parametrize("names", [{**EVENT_NAMES, **STRENGTH_NAMES}, {**ATTRIBUTE_NAMES, "title": TITLE}])
def test_no_name_means_two_things(names: dict[str, object]) -> None:
    known = {part: {plain(alias) for alias in name.aliases} for part, name in names.items()}  # type: ignore[attr-defined]
    for one, other in combinations(known, 2):
        assert not known[one] & known[other], (one, other)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[("buy", "purchase"), ("fav", "favourite"), ("addtocart", "cart"), ("Add To Cart", "cart"), ("pv", "view")],
        *[
            ("浏览", "view"),
            ("收藏", "favourite"),
            ("加购", "cart"),
            ("购买", "purchase"),
            ("点赞", "like"),
            ("关注", "follow"),
        ],
        *[
            ("阅读", "read"),
            ("评分", "rate"),
            ("取消点赞", "unlike"),
            ("remove_from_cart", "uncart"),
            (" Swipe ", "Swipe"),
        ],
    ],
)
def test_kinds_of_events_have_one_name(name: str, kind: str) -> None:
    assert standard_type(name) == kind


def test_each_kind_of_event_has_its_own_aliases() -> None:
    seen: dict[str, str] = {}
    for kind, name in EVENT_TYPES.items():
        for alias in {plain(alias) for alias in (kind, *name.aliases)}:
            assert seen.setdefault(alias, kind) == kind, alias
    assert set(UNDOES) | set(UNDOES.values()) <= set(EVENT_TYPES)


@pytest.mark.parametrize(
    ("name", "kind", "standard"),
    [
        *[
            ("年龄", "user", "age"),
            ("性别", "user", "gender"),
            ("地理位置", "user", "location"),
            ("Age", "user", "age"),
        ],
        *[
            ("标题", "item", "title"),
            ("类别", "item", "category"),
            ("价格", "item", "price"),
            ("movie_title:token_seq", "item", "title"),
        ],
        *[
            ("name", "user", "name"),
            ("name", "item", "title"),
            ("zip-code", "user", "zip_code"),
            ("Mood", "item", "Mood"),
        ],
    ],
)
def test_attributes_have_one_name(name: str, kind: str, standard: str) -> None:
    assert standard_attribute(name, kind) == standard


def test_labels_are_in_both_languages_and_keep_the_readers_own_words() -> None:
    labels = labels_for(
        ["user_id", "item_id", "age", "口味", "mood"], ["view", "swipe"], {"item_id": "内容ID", "age": "Age"}
    )
    assert labels.rows() == [
        ("column.user_id", "User", "用户"),
        ("column.item_id", "Item", "内容ID"),
        ("column.age", "Age", "年龄"),
        ("column.口味", "口味", "口味"),
        ("column.mood", "mood", "mood"),
        ("type.view", "View", "浏览"),
        ("type.swipe", "swipe", "swipe"),
    ]
    assert labels.schema == {"key": pl.String, "en": pl.String, "zh": pl.String}
