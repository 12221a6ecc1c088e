"""What reading, cleaning, splitting and the leakage check say in English, said in Chinese; other lines stay as they are."""

import re

from edgewise.report.html import Both

_WORDS = {
    "user": "用户",
    "item": "物品",
    "test": "测试集",
    "validation": "验证集",
    "Filled in": "补全",
    "Merged": "合并",
    "Dropped": "去掉",
    "seconds": "秒",
    "milliseconds": "毫秒",
    "microseconds": "微秒",
    "nanoseconds": "纳秒",
    "minute": "分钟",
    "day": "天",
    "Timestamp": "时间戳",
}

_ROWS: tuple[tuple[str, str], ...] = (
    (r"without a user id or an item id", "缺少用户 ID 或物品 ID 的行"),
    (r"without a type", "没有行为类型的行"),
    (r"without a time", "没有时间的行"),
    (r"without a value", "没有数值的行"),
    (r"from before 1970 or from the future", "时间早于 1970 年或在未来的行"),
    (r"of another type", "其他行为类型的行"),
    (r"with a value that is not a finite number", "数值不是有限数的行"),
    (r"with a negative value", "数值为负的行"),
    (r"with a value below (\S+)", "数值低于 {0} 的行"),
    (r"with a value above (\S+?)(?:, far from the others)?", "数值高于 {0} 的行"),
    (r"with a value far above others of their type", "数值远高于同类行为的行"),
    (r"that repeat an earlier row in every column read", "与之前某行完全相同的行"),
    (r"taken back by a later event, or that take one back", "被之后的行为撤销、或用来撤销的行"),
    (r"of ([\d,]+) users? with more than ([\d,]+) events in a (minute|day)", "{0} 个一{2}内行为超过 {1} 次的用户的行"),
    (r"of a \S+ that has others", "重复的用户与物品组合的行"),
    (r"of users with fewer than (\d+) items(?:, in.*)?", "物品少于 {0} 个的用户的行"),
    (r"of items with fewer than (\d+) users(?:, in.*)?", "用户少于 {0} 个的物品的行"),
    (
        r"of users with fewer than (\d+) items or items with fewer than (\d+) users(?:, in.*)?",
        "物品少于 {0} 个的用户、或用户少于 {1} 个的物品的行",
    ),
)
"""Which rows a step of cleaning found."""

_LINES: tuple[tuple[str, str], ...] = (
    (r"Read (.+?) \(([^)]*)\): ([\d,]+) rows? with (.+?)\.", "读取 {0}（{1}），共 {2} 行，各列：{3}。"),
    (
        r"Read (.+?) \(([^)]*)\): ([\d,]+) rows? with (.+?)\. Not used: (.+)\.",
        "读取 {0}（{1}），共 {2} 行，各列：{3}。未使用：{4}。",
    ),
    (r"(\S+): numbers of this size count (\w+)\.", "{0}：这一量级的数字以{1}计。"),
    (r"(\S+): times without a zone were taken as UTC\.", "{0}：没有时区的时间按 UTC 处理。"),
    (r"Kinds of events: (.+)\.", "行为类型：{0}。"),
    (r"Attributes of (user|item)s were taken from the log itself: (.+)\.", "{0}的属性取自日志本身：{1}。"),
    (r"Cleaning kept the only row\.", "清洗保留了仅有的 1 行。"),
    (r"Cleaning kept all ([\d,]+) rows\.", "清洗保留了全部 {0} 行。"),
    (r"Cleaning kept ([\d,]+) of ([\d,]+) rows \((.+?)\)\.", "清洗从 {1} 行中保留了 {0} 行（{2}）。"),
    (r"Given: ([\d,]+) events for training, ([\d,]+) for test\.", "给定文件：{0} 条行为用于训练，{1} 条用于测试。"),
    (
        r"([\d,]+) of ([\d,]+) pairs went to (\w+), a share of each user's, at random\.",
        "从每位用户中随机取一部分，{1} 对中有 {0} 对进入{2}。",
    ),
    (r"The last item of ([\d,]+) users? went to (\w+)\.", "{0} 位用户的最后一个物品进入{1}。"),
    (
        r"([\d,]+) users? with no more than ([\d,]+) items? stayed in training whole\.",
        "{0} 位用户的物品不超过 {1} 个，全部留在训练集。",
    ),
    (
        r"([\d,]+) users? met several items at the last time; of these the later row counts as the last\.",
        "{0} 位用户在最后时刻有多个物品，以靠后的一行为准。",
    ),
    (
        r"([\d,]+) events before (\S+) are for training, ([\d,]+) from then to (\S+) for (\w+) \((.+?)\)\.",
        "{1} 之前的 {0} 条行为用于训练，此后至 {3} 的 {2} 条（{5}）进入{4}。",
    ),
    (
        r"([\d,]+) of ([\d,]+) (user|item)s went to (\w+) with all their events, ([\d,]+) of ([\d,]+)\.",
        "{1} 个{2}中有 {0} 个连同全部行为进入{3}，共 {5} 条行为中的 {4} 条。",
    ),
    (
        r"Fold (\d+) of (\d+) \(from 0\): ([\d,]+) of ([\d,]+) pairs went to (\w+)\.",
        "共 {1} 折中的第 {0} 折（从 0 起）：{3} 对中有 {2} 对进入{4}。",
    ),
    (
        (
            r"In (\w+), ([\d,]+) of ([\d,]+) users? and ([\d,]+) of ([\d,]+) items have no training event; "
            r"([\d,]+) of ([\d,]+) events \((.+?)\) are of a user and an item that have\."
        ),
        "{0}中，{2} 位用户里有 {1} 位、{4} 个物品里有 {3} 个没有训练行为；{6} 条行为里有 {5} 条（{7}）的用户和物品都在训练集中出现过。",
    ),
    (
        r"([\d,]+) of ([\d,]+) (\w+) events \((.+?)\) repeat a pair that training has; they were left out\.",
        "{2}的 {1} 条行为中有 {0} 条（{3}）与训练集的组合重复，已去掉。",
    ),
    (r"Split random: the training part\.", "随机划分：训练部分。"),
    (r"Split leave-last-out: the training part\.", "留出每位用户最后一个物品：训练部分。"),
    (r"Split time: the training part\.", "按时间划分：训练部分。"),
    (r"Split cold-users: the training part\.", "按用户划分：训练部分。"),
    (r"Split cold-items: the training part\.", "按物品划分：训练部分。"),
    (r"Split k-fold: the training part\.", "交叉验证的一折：训练部分。"),
    (
        r"t-SNE of the vectors of the ([\d,]+) most met items in (.+)",
        "以 {1} 的向量，对接触人数最多的 {0} 个物品做 t-SNE 降维",
    ),
    (
        r"(.+?): none of its ids \((.+)\) is in the log\. Is it the right table, and the right column\?",
        "{0}：其中的 ID（{1}）都不在日志里。表和列选对了吗？",
    ),
    (
        r"(.+?): ([\d,]+) of its ([\d,]+) ids \((.+)\) (?:is|are) in the log; the other ([\d,]+) (user|item)s? have no event\.",
        "{0}：{2} 个 ID（{3}）中有 {1} 个在日志里，其余 {4} 个{5}没有行为。",
    ),
    (
        r"(.+?): ([\d,]+) of its ([\d,]+) ids \((.+)\) (?:is|are) in the log, which has ([\d,]+) (?:user|item)s?; the other ([\d,]+) (user|item)s? have no event\. Is .+",
        "{0}：{2} 个 ID（{3}）中只有 {1} 个在日志里（日志有 {4} 个），其余 {5} 个{6}没有行为。表和列选对了吗？",
    ),
    (
        r"([\d,]+) of ([\d,]+) test pairs \((.+?)\) are in the training data too, such as (.+)\. Leave them out of one side: .+",
        "{1} 个测试组合中有 {0} 个（{2}）也在训练数据中，例如{3}。请从一侧去掉：模型见过的，就不需要去找。",
    ),
    (
        r"([\d,]+) of ([\d,]+) training events \((.+?)\) are later than the first test event \((\S+)\); ([\d,]+) of ([\d,]+) test users .+",
        (
            "{1} 条训练行为中有 {0} 条（{2}）晚于第一条测试行为（{3}）；{5} 位测试用户中有 {4} 位在自己的第一条测试行为之后还有训练行为。"
            "实际使用时无人知道未来，按时间划分才能看出届时的效果。"
        ),
    ),
    (
        r"the features by (.+?) were fitted on other data .+",
        "按 {0} 的特征是在其他数据上拟合的，可能包含测试数据；请只用训练部分拟合。",
    ),
    (
        r"Hint: ([\d,]+) users have a twin with the same whole history, ([\d,]+) items in the case of (\S+) and (\S+)\. .+",
        "提示：{0} 位用户有历史完全相同的另一位用户，例如 {2} 与 {3}（{1} 个物品）。若是同一人的两个 ID，请在划分前合并。",
    ),
)

_STEP = r"(Filled in|Merged|Dropped) ([\d,]+) of ([\d,]+) rows \((.+?)\) (.+) \(\[clean\] (.+?)\)\. First: (.+)\."


def told(line: str) -> Both:
    """Return a line in both languages.

    >>> told("Cleaning kept all 100,004 rows.").zh
    '清洗保留了全部 100,004 行。'
    >>> told("Something new.").zh
    'Something new.'
    """
    if step := re.fullmatch(_STEP, line):
        done, number, of, part, found, setting, first = step.groups()
        rows = _said(found, _ROWS) or found
        chinese: str | None = (
            f"{_WORDS[done]} {rows}：{of} 行中的 {number} 行（{_plain(part)}，[clean] {setting}）。首例：{first}。"
        )
    else:
        chinese = _said(line, _LINES)
    return Both(line, chinese or line)


def _said(text: str, table: tuple[tuple[str, str], ...]) -> str | None:
    for pattern, chinese in table:
        if found := re.fullmatch(pattern, text):
            return chinese.format(*(_WORDS.get(word or "", _plain(word or "")) for word in found.groups()))
    return None


def _plain(text: str) -> str:
    text = re.sub(r"user (\S+) with item ([^\s,]+)", r"用户 \1 与物品 \2", text)
    return (
        text.replace("below ", "低于 ").replace("above ", "高于 ").replace(" from ", " 取自 ").replace("' is ", "' 即 ")
    )
