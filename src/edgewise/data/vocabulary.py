"""The one home of names: what columns and kinds of events are called in logs, English and Chinese, and what we call them.

Every list is in order of preference: where a header offers several names for one thing, the one that stands first wins.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import polars as pl


@dataclass(frozen=True)
class Name:
    """What one thing is called: on screen in two languages, and in the files of others."""

    en: str
    zh: str
    aliases: tuple[str, ...] = ()


EVENT_NAMES: dict[str, Name] = {
    "user_id": Name(
        "User",
        "用户",
        (
            *("user_id", "user", "uid", "user_no", "user_name", "customer_id", "customer", "cust_id", "client_id"),
            *("client", "buyer_id", "buyer", "member_id", "member", "person_id", "person", "visitor_id", "visitor"),
            *("reviewer_id", "reviewer", "reader_id", "reader", "viewer_id", "viewer", "listener_id", "player_id"),
            *("student_id", "subscriber_id", "account_id", "account", "device_id", "cookie_id"),
            *("用户ID", "用户编号", "用户", "用户名", "会员ID", "会员编号", "会员", "顾客ID", "顾客", "客户ID"),
            *("客户编号", "客户", "买家ID", "买家", "读者ID", "读者", "访客ID", "访客", "账号ID", "账号"),
        ),
    ),
    "item_id": Name(
        "Item",
        "物品",
        (
            *(
                "item_id",
                "item",
                "iid",
                "item_no",
                "product_id",
                "product",
                "product_no",
                "stock_code",
                "sku_id",
                "sku",
            ),
            *("asin", "parent_asin", "goods_id", "movie_id", "movie", "film_id", "film", "book_id", "book", "isbn"),
            *("content_id", "article_id", "article", "news_id", "news", "document_id", "doc_id", "post_id", "paper_id"),
            *("track_id", "song_id", "music_id", "album_id", "artist_id", "artist", "video_id", "video", "photo_id"),
            *("game_id", "app_id", "course_id", "job_id", "recipe_id", "anime_id", "business_id", "venue_id", "poi_id"),
            *("restaurant_id", "hotel_id", "listing_id", "ad_id", "business"),
            *("物品ID", "物品编号", "物品", "商品ID", "商品编号", "商品", "内容ID", "内容编号", "文章ID", "文章编号"),
            *("文章", "新闻ID", "新闻", "电影ID", "电影", "影片ID", "图书ID", "图书", "书籍ID", "视频ID", "视频"),
            *("歌曲ID", "歌曲", "音乐ID", "课程ID", "课程", "项目ID", "产品ID", "产品编号", "产品", "帖子ID", "店铺ID"),
        ),
    ),
    "type": Name(
        "Behaviour",
        "行为",
        (
            *("type", "event_type", "event", "event_name", "behavior_type", "behaviour_type", "behavior", "behaviour"),
            *("action_type", "action", "interaction_type", "interaction", "feedback_type", "feedback"),
            *("行为类型", "行为", "事件类型", "事件", "操作类型", "操作", "交互类型", "动作"),
        ),
    ),
    "value": Name(
        "Strength",
        "强度",
        (
            *("value", "rating", "ratings", "score", "stars", "star", "rate", "weight", "strength", "preference"),
            *("overall", "play_count", "plays", "listen_count", "click_count", "count"),
            *("评分", "打分", "得分", "分数", "星级", "权重", "强度", "次数", "播放次数", "点击次数"),
        ),
    ),
    "timestamp": Name(
        "Time",
        "时间",
        (
            *("timestamp", "ts", "time_stamp", "unix_time", "unix_timestamp", "unix_review_time", "event_time"),
            *("date_time", "time", "date", "created_at", "create_time", "created", "click_time", "action_time"),
            *(
                "visit_time",
                "purchase_time",
                "invoice_date",
                "order_date",
                "purchase_date",
                "review_time",
                "review_date",
            ),
            *("时间戳", "行为时间", "事件时间", "发生时间", "点击时间", "浏览时间", "购买时间", "下单时间", "交易时间"),
            *("创建时间", "日期时间", "时间", "日期"),
        ),
    ),
    "session_id": Name(
        "Session",
        "会话",
        (
            *("session_id", "session", "sid", "visit_id", "basket_id", "basket", "invoice_no", "invoice", "order_id"),
            *("order_no", "会话ID", "会话编号", "会话", "订单ID", "订单编号", "订单号"),
        ),
    ),
}
"""The columns of an interaction, in the order of `EVENT_COLUMNS`."""

STRENGTH_NAMES: dict[str, Name] = {
    "read_seconds": Name(
        "Time spent",
        "阅读时长",
        (
            *("read_seconds", "read_time", "reading_time", "read_duration", "reading_duration", "dwell_time", "dwell"),
            *("time_spent", "watch_time", "watch_duration", "view_duration", "play_time", "play_duration", "duration"),
            *("阅读时长", "阅读时间", "停留时长", "停留时间", "观看时长", "观看时间", "浏览时长", "播放时长", "时长"),
        ),
    ),
    "like": Name("Liked", "点赞", ("like", "liked", "is_like", "is_liked", "点赞", "是否点赞", "喜欢", "是否喜欢")),
}
"""What stands in for a strength in a log that has no column of values."""

QUANTITY = Name(
    "Quantity",
    "数量",
    ("quantity", "qty", "units", "n_units", "amount", "数量", "件数", "购买数量"),
)
"""How much was bought: no strength unless somebody says so, and below zero where something came back."""

SOCIAL_NAMES: dict[str, Name] = {
    "user_id": Name(
        "User",
        "用户",
        (
            *EVENT_NAMES["user_id"].aliases,
            *(
                "source_id",
                "source",
                "src",
                "from_id",
                "from",
                "follower_id",
                "follower",
                "trustor",
                "truster",
                "node_1",
            ),
            *("user_1", "u", "关注者"),
        ),
    ),
    "friend_id": Name(
        "Friend",
        "好友",
        (
            *("friend_id", "friend", "target_id", "target", "target_user_id", "dst", "to_id", "to", "followee_id"),
            *("followee", "trustee", "node_2", "user_2", "other_user_id", "v", "好友ID", "好友", "朋友ID", "朋友"),
            *("被关注者", "目标用户ID"),
        ),
    ),
    "weight": Name("Weight", "权重", ("weight", "value", "strength", "trust", "权重", "强度")),
    "timestamp": EVENT_NAMES["timestamp"],
}
"""The columns of a friendship."""

ATTRIBUTE_NAMES: dict[str, Name] = {
    "category": Name("Category", "类别", ("category", "categories", "cat", "类别", "分类", "类目", "品类")),
    "genres": Name("Genres", "题材", ("genres", "genre", "题材", "体裁")),
    "tags": Name("Tags", "标签", ("tags", "tag", "标签")),
    "keywords": Name("Keywords", "关键词", ("keywords", "关键词", "关键字")),
    "price": Name("Price", "价格", ("price", "unit_price", "价格", "单价", "售价")),
    "brand": Name("Brand", "品牌", ("brand", "品牌")),
    "author": Name("Author", "作者", ("author", "authors", "作者")),
    "description": Name("Description", "描述", ("description", "plot", "abstract", "描述", "简介", "摘要")),
    "text": Name("Text", "正文", ("text", "body", "正文")),
    "language": Name("Language", "语言", ("language", "language_code", "lang", "语言")),
    "year": Name("Year", "年份", ("year", "release_year", "年份")),
    "published_at": Name("Published", "发布时间", ("published_at", "publish_time", "发布时间", "发表时间", "上架时间")),
    "url": Name("Link", "链接", ("url", "link", "链接", "网址")),
    "age": Name("Age", "年龄", ("age", "年龄")),
    "gender": Name("Gender", "性别", ("gender", "sex", "性别")),
    "location": Name("Location", "地理位置", ("location", "地理位置", "位置", "地点", "所在地")),
    "city": Name("City", "城市", ("city", "城市")),
    "region": Name("Region", "地区", ("region", "地区", "区域")),
    "country": Name("Country", "国家", ("country", "国家")),
    "occupation": Name("Occupation", "职业", ("occupation", "profession", "职业")),
    "education": Name("Education", "学历", ("education", "学历")),
    "interests": Name("Interests", "兴趣", ("interests", "interest", "hobbies", "兴趣", "爱好", "兴趣爱好")),
    "zip_code": Name("Postcode", "邮编", ("zip_code", "zip", "postcode", "postal_code", "邮编", "邮政编码")),
    "registered_at": Name("Registered", "注册时间", ("registered_at", "register_time", "注册时间", "注册日期")),
}
"""Attributes of users and items that have a name in both languages; every other keeps the name it has."""

TITLE = Name(
    "Title",
    "标题",
    (
        *("title", "name", "item_name", "product_name", "movie_title", "book_title", "headline", "original_title"),
        *(
            "标题",
            "名称",
            "商品名称",
            "物品名称",
            "商品名",
            "文章标题",
            "新闻标题",
            "电影名",
            "电影名称",
            "片名",
            "书名",
        ),
    ),
)
"""What an item is called on screen; a table of users has no such column, since names of people are not titles."""

EVENT_TYPES: dict[str, Name] = {
    "view": Name("View", "浏览", ("views", "pv", "click", "clicks", "visit", "browse", "浏览", "点击", "查看", "访问")),
    "like": Name("Like", "点赞", ("likes", "liked", "thumbs_up", "upvote", "点赞", "赞", "喜欢")),
    "favourite": Name(
        "Favourite",
        "收藏",
        ("favorite", "fav", "collect", "bookmark", "wishlist", "add_to_favorites", "save", "收藏", "加入收藏"),
    ),
    "cart": Name("Add to cart", "加购", ("add_to_cart", "add_cart", "basket", "加购", "加购物车", "加入购物车")),
    "purchase": Name(
        "Purchase",
        "购买",
        ("buy", "bought", "order", "pay", "transaction", "checkout", "conversion", "购买", "下单", "支付", "成交"),
    ),
    "read": Name("Read", "阅读", ("reading", "阅读")),
    "rate": Name("Rate", "评分", ("rating", "评分", "打分")),
    "follow": Name("Follow", "关注", ("followed", "subscribe", "关注", "订阅")),
    "share": Name("Share", "分享", ("repost", "forward", "retweet", "分享", "转发")),
    "comment": Name("Comment", "评论", ("comment_created", "review", "reply", "评论", "评价")),
    "play": Name("Play", "播放", ("listen", "watch", "播放", "观看")),
    "unlike": Name("Unlike", "取消点赞", ("undo_like", "remove_like", "取消点赞", "取消赞")),
    "unfavourite": Name(
        "Unfavourite", "取消收藏", ("unfavorite", "unfav", "unbookmark", "remove_favorite", "取消收藏")
    ),
    "uncart": Name(
        "Remove from cart", "移出购物车", ("remove_from_cart", "remove_cart", "remove", "取消加购", "移出购物车")
    ),
    "refund": Name("Refund", "退货", ("return", "cancel", "cancelled", "退货", "退款", "取消订单")),
    "unfollow": Name("Unfollow", "取消关注", ("unsubscribe", "取消关注", "取关")),
    "interaction": Name("Interaction", "互动", ("互动", "交互")),
}
"""The kinds of events with a built-in name; every other keeps the name it has."""

UNDOES = {"unlike": "like", "unfavourite": "favourite", "uncart": "cart", "refund": "purchase", "unfollow": "follow"}
"""Kinds of events that take back an earlier one."""

YES = ("1", "1.0", "true", "t", "yes", "y", "是", "有", "对", "已点赞", "真")
NO = ("0", "0.0", "false", "f", "no", "n", "否", "无", "没有", "不", "未点赞", "假")

BLANK = ("", "na", "n/a", "nan", "null", "none", "nil", "nat", "\\n", "-", "--", "?", "缺失", "无数据")
"""What people write in a cell that has no number or time in it, in lower case. Ids are not touched: "NA" may be one."""

_RECBOLE_SUFFIX = re.compile(r":(token|token_seq|float|float_seq)$")
_UNIT_IN_BRACKETS = re.compile(r"[(\[].*[)\]]$")
_UNIT_AFTER = re.compile(r"_(ms|msec|us|s|sec|secs|seconds|min|mins|minutes|h|hours)$", re.IGNORECASE)
_NOT_A_LETTER = re.compile(r"[\s_\-.#]+")


def plain(name: str) -> str:
    """Reduce a name to what matters for comparing: no case, spaces, underscores, RecBole type or unit in brackets.

    >>> plain("User_ID:token"), plain("阅读时长（分钟）"), plain(" event Type ")
    ('userid', '阅读时长', 'eventtype')
    """
    text = unicodedata.normalize("NFKC", name).strip().strip("\ufeff\"'").lower()
    text = _UNIT_IN_BRACKETS.sub("", _RECBOLE_SUFFIX.sub("", text))
    return _NOT_A_LETTER.sub("", text)


def without_recbole_type(name: str) -> str:
    """Return a column name without RecBole's `:token`, surrounding spaces and byte-order mark."""
    return _RECBOLE_SUFFIX.sub("", name.strip().strip("\ufeff").strip())


def rank_of(name: str, known: Name) -> int | None:
    """Return the place of a column name among the aliases of `known`, with or without a unit; None where it is not one.

    >>> rank_of("userID", EVENT_NAMES["user_id"]), rank_of("colour", EVENT_NAMES["user_id"])
    (0, None)
    """
    ranks = _ranks(known)
    return ranks.get(plain(name), ranks.get(plain(_UNIT_AFTER.sub("", name))))


@cache
def _ranks(known: Name) -> dict[str, int]:
    return {plain(alias): place for place, alias in reversed(list(enumerate(known.aliases)))}


def is_known(name: str) -> bool:
    """Say whether a name is one that a column of a log, a friendship or an attribute table usually has."""
    return plain(name) in _ALL_PLAIN


def standard_type(name: str) -> str:
    """Return the built-in name of a kind of event; the name as it is, without outer spaces, where there is none.

    >>> [standard_type(name) for name in ("VIEW", "buy", "加购", "addtocart", "COMMENT CREATED", "swipe")]
    ['view', 'purchase', 'cart', 'cart', 'comment', 'swipe']
    """
    return _TYPE_OF.get(plain(name), name.strip())


def standard_attribute(name: str, kind: str) -> str:
    """Return what we call an attribute column of a table of `kind` "user" or "item"; unknown names stay.

    >>> standard_attribute("年龄", "user"), standard_attribute("movie_title:token_seq", "item"), standard_attribute("Mood", "item")
    ('age', 'title', 'Mood')
    """
    own = without_recbole_type(name)
    if kind == "item" and rank_of(own, TITLE) is not None:
        return "title"
    return _ATTRIBUTE_OF.get(plain(own), own)


def labels_for(columns: Iterable[str], types: Iterable[str], original_names: Mapping[str, str]) -> pl.DataFrame:
    """Make the text table of a data set: what its columns and kinds of events are called in English and Chinese.

    A Chinese name that the file itself uses is kept for Chinese readers; a name we do not know is its own label.

    Args:
        columns: standard names in use, of the log and the attribute tables.
        types: kinds of events.
        original_names: standard name to the name in the file, where they differ.

    Returns:
        key ("column.age", "type.view"), en, zh; one row a name.
    """
    rows = {}
    for column in columns:
        known = _LABELLED.get(column)
        original = without_recbole_type(original_names.get(column, column))
        en, zh = (known.en, known.zh) if known else (original, original)
        rows[f"column.{column}"] = (en, original if _is_chinese(original) else zh)
    for kind in types:
        known = EVENT_TYPES.get(kind)
        rows[f"type.{kind}"] = (known.en, known.zh) if known else (kind, kind)
    return pl.DataFrame(
        [(key, en, zh) for key, (en, zh) in rows.items()],
        schema={"key": pl.String, "en": pl.String, "zh": pl.String},
        orient="row",
    )


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


_TYPE_OF = {plain(alias): kind for kind, name in EVENT_TYPES.items() for alias in (kind, *name.aliases)}
_ATTRIBUTE_OF = {plain(alias): kind for kind, name in ATTRIBUTE_NAMES.items() for alias in name.aliases}
_LABELLED = {"title": TITLE, **ATTRIBUTE_NAMES, **STRENGTH_NAMES, **SOCIAL_NAMES, **EVENT_NAMES}
_ALL_PLAIN = {plain(alias) for name in _LABELLED.values() for alias in name.aliases}
