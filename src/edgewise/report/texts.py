"""Every word of the report that does not come from the data, in English and Chinese, side by side.

`say("headline.none", data="shop.csv")` fills both. Values are escaped on the way in, the templates are not: they may hold
`<b>`, and they hold no double quotes, so that they can stand in attributes.
"""

from typing import Any

from edgewise.report.html import Both, Markup, escape

TEXTS: dict[str, tuple[str, str]] = {
    # The page.
    "page.title": ("{data}: {n} recommenders compared", "{data}：{n} 个推荐模型的比较"),
    "page.kicker": ("Comparison report · {data}", "比较报告 · {data}"),
    "page.contents": ("Contents", "目录"),
    "page.skip": ("Skip to the report", "跳到正文"),
    "page.language": ("中文", "English"),
    "page.language_hint": ("以中文显示", "Show in English"),
    "page.theme": ("Switch between light and dark", "切换浅色与深色"),
    "page.footer": (
        "Made by Edgewise {version}. One file, no network: keep it, send it, print it.",
        "由 Edgewise {version} 生成。单个文件，无需联网，可保存、发送、打印。",
    ),
    "page.script": (
        "Scripts are off: the map, sorting and the switch to Chinese need them; all else is here.",
        "脚本已关闭：地图、排序和语言切换需要脚本，其余内容均可阅读。",
    ),
    # The headline.
    "headline.win": (
        "<b>{winner}</b> recommends best on {data}: {lead} better than {other}, the best simple method{popularity}.",
        "在 {data} 上，<b>{winner}</b> 推荐得最好：比最好的简单方法 {other} 高 {lead}{popularity}。",
    ),
    "headline.shared": (
        "<b>{names}</b> share the lead on {data}: {lead} better than {other}, the best simple method{popularity}.",
        "在 {data} 上，<b>{names}</b> 并列第一：比最好的简单方法 {other} 高 {lead}{popularity}。",
    ),
    "headline.tie": (
        "No evidence that <b>{winner}</b> is better than {other} on {data}{popularity}.",
        "没有证据表明 <b>{winner}</b> 在 {data} 上优于 {other}{popularity}。",
    ),
    "headline.tie_all": (
        "No evidence that <b>{winner}</b> is better than {other}, or even than popularity, on {data}.",
        "没有证据表明 <b>{winner}</b> 在 {data} 上优于 {other}，甚至也没有证据表明它优于热门推荐。",
    ),
    "headline.simple": (
        "A simple method wins on {data}: <b>{winner}</b> is {lead} better than {other}, the best {kind}{popularity}.",
        "在 {data} 上胜出的是简单方法：<b>{winner}</b> 比最好的{kind} {other} 高 {lead}{popularity}。",
    ),
    "headline.simple_tie": (
        "No evidence that any {kind} beats a simple method on {data}: <b>{winner}</b> does at least as well as {other}{popularity}.",
        "没有证据表明有{kind}在 {data} 上胜过简单方法：<b>{winner}</b> 至少不逊于 {other}{popularity}。",
    ),
    "kind.items": ("graph model", "图模型"),
    "kind.other": ("newer model", "新模型"),
    "headline.second": (
        "<b>{winner}</b> recommends best on {data}: {lead} better than {other}, the next best{popularity}.",
        "在 {data} 上，<b>{winner}</b> 推荐得最好：比第二名 {other} 高 {lead}{popularity}。",
    ),
    "headline.only": (
        "<b>{winner}</b> reaches {metric} {value} on {data}. Nothing else took part, so there is nothing to compare it with.",
        "<b>{winner}</b> 在 {data} 上的 {metric} 为 {value}。没有其他模型参加，因此无从比较。",
    ),
    "headline.none": ("No model could be measured on {data}.", "没有模型能在 {data} 上得出结果。"),
    "headline.popularity": (", and {times} times as good as popularity", "，是热门推荐的 {times} 倍"),
    "headline.popularity_tie": (
        "; {winner} is {times} times as good as popularity",
        "；{winner} 是热门推荐的 {times} 倍",
    ),
    "evidence.significant": (
        "The lead over {other} is unlikely to be luck: over {n} test users, {metric} is {difference} higher (95% interval {low} to {high}, p {p} after Holm’s correction for {pairs}).",
        "对 {other} 的领先不太可能出于偶然：在 {n} 名测试用户上，{metric} 高出 {difference}（95% 置信区间 {low} 至 {high}，经 Holm 校正 {pairs} 次比较后 p {p}）。",
    ),
    "evidence.luck": (
        "{winner} is ahead of {other} by {difference} {metric} (95% interval {low} to {high}, p {p} after Holm’s correction for {pairs}): that may be luck. With {n} test users, a true difference under about {detectable} would probably not have been seen.",
        "{winner} 的 {metric} 比 {other} 高 {difference}（95% 置信区间 {low} 至 {high}，经 Holm 校正 {pairs} 次比较后 p {p}）：这可能只是偶然。以 {n} 名测试用户，小于约 {detectable} 的真实差异多半看不出来。",
    ),
    "evidence.untested": (
        "Whether the differences are luck was not tested.",
        "未检验这些差异是否出于偶然。",
    ),
    "evidence.tied": (
        "With these data, {names} cannot be told apart from {winner}.",
        "就这些数据而言，{names} 与 {winner} 分不出高下。",
    ),
    "evidence.simple": (
        "{winner} is itself a simple method: no {kind} did better.",
        "{winner} 本身就是简单方法：没有{kind}胜过它。",
    ),
    "evidence.failed": ("{n} of {all} models could not take part.", "{all} 个模型中有 {n} 个未能参加。"),
    "names.two": ("{a} and {b}", "{a} 与 {b}"),
    "names.more": ("{a} and {n} others", "{a} 等 {all} 个"),
    "names.three": ("{a}, {b} and {c}", "{a}、{b} 与 {c}"),
    "strip.users": ("users", "用户"),
    "strip.items": ("items", "物品"),
    "strip.interactions": ("interactions", "交互"),
    "strip.test_users": ("test users", "测试用户"),
    "strip.part": ("{n} of {all}", "{n}（共 {all}）"),
    "strip.models": ("models", "模型"),
    # The models.
    "models.title": ("The models", "模型一览"),
    "models.nav": ("Models", "模型"),
    "models.lede": (
        "{names} at the top. Dots are means over {n} test users, bars their 95% confidence intervals; the thin vertical line marks the best.",
        "居首的是 {names}。圆点为 {n} 名测试用户的均值，横线为 95% 置信区间；细竖线标出最好者。",
    ),
    "models.lede_none": ("None of the models has a figure to rank by.", "没有模型得出可供排名的数值。"),
    "models.model": ("Model", "模型"),
    "models.fit": ("Fit", "训练"),
    "models.evaluate": ("Evaluate", "评估"),
    "models.memory": ("Peak memory", "峰值内存"),
    "models.simple": ("simple", "简单方法"),
    "models.failed": ("could not take part: {reason}", "未能参加：{reason}"),
    "models.sort": ("Sort by {column}", "按“{column}”排序"),
    "models.all": ("All figures, at every cut-off", "全部数值（各截断位置）"),
    "models.winner": ("best", "最好"),
    "models.tied": ("not told apart from the best", "与最好者分不出高下"),
    "models.baseline": ("best simple method", "最好的简单方法"),
    "models.popularity": ("popularity", "热门推荐"),
    "models.other": ("other", "其他"),
    "models.table": (
        "Models, their metrics with 95% intervals, seconds and memory",
        "各模型的指标（含 95% 置信区间）、用时与内存",
    ),
    "models.cell": (
        "{model}: {metric} {value}, 95% interval {low} to {high}",
        "{model}：{metric} {value}，95% 置信区间 {low} 至 {high}",
    ),
    # Who beats whom.
    "pairs.title": ("Who beats whom", "两两比较"),
    "pairs.nav": ("Duels", "两两比较"),
    "pairs.lede": (
        "Of {pairs}, {n} differ by more than luck explains.",
        "{pairs} 对比较中，有 {n} 对的差异超出偶然所能解释。",
    ),
    "pairs.caption": (
        "Read along a row: by how much its model is ahead of (▲) or behind (▼) the model of the column, in {metric}. Pale cells with ≈ may be luck. Paired test over users, Holm’s correction for {pairs}.",
        "按行阅读：该行模型的 {metric} 比该列模型高（▲）或低（▼）多少。浅色且标有 ≈ 的格子可能只是偶然。按用户配对检验，对全部 {pairs} 对作 Holm 校正。",
    ),
    "pairs.tip": (
        "{better} − {worse}: {difference} {metric} (95% interval {low} to {high}), p {p} corrected",
        "{better} − {worse}：{metric} {difference}（95% 置信区间 {low} 至 {high}），校正后 p {p}",
    ),
    "pairs.beats": ("beats", "胜场"),
    "pairs.table": ("Pairwise differences between models", "模型两两之差"),
    # Accuracy against time.
    "cost.title": ("What accuracy costs", "准确度的代价"),
    "cost.nav": ("Time", "用时"),
    "cost.lede": (
        "{cheap} reaches {share} of the winner’s {metric} in {part} of its time.",
        "{cheap} 只用冠军 {part} 的训练时间，就达到其 {metric} 的 {share}。",
    ),
    "cost.lede_fast": (
        "No model reaches {share} of the winner’s {metric} in half its time or less.",
        "没有模型能用不到一半的训练时间达到冠军 {metric} 的 {share}。",
    ),
    "cost.x": ("seconds to fit, logarithmic →", "训练用时（对数刻度）→"),
    "cost.y": ("↑ {metric}", "↑ {metric}"),
    "cost.caption": (
        "Up and to the left is better. Bars are 95% intervals; the stepped line joins the models that nothing else beats in both time and accuracy. A bare number is a model’s place in the table above.",
        "越靠左上越好。竖线为 95% 置信区间；阶梯线连接在用时与准确度上都没有被超过的模型。单独的数字是该模型在上表中的名次。",
    ),
    "cost.chart": ("Scatter plot: {metric} against seconds to fit", "散点图：{metric} 与训练用时"),
    # Learning curves.
    "curves.title": ("Learning curves", "学习曲线"),
    "curves.nav": ("Learning", "学习"),
    "curves.lede_unfinished": (
        "{names}: still improving at the last epoch. More epochs may help.",
        "{names} 到最后一轮仍在提高，增加轮数或许有益。",
    ),
    "curves.lede_done": (
        "Every model that learns by epochs had its best validation figure before its last epoch.",
        "逐轮训练的模型都在最后一轮之前达到了最好的验证结果。",
    ),
    "curves.lede_loss": ("Loss by epoch; no validation metric was watched.", "各轮的损失；训练时未观察验证指标。"),
    "curves.loss": ("loss", "损失"),
    "curves.validation": ("{metric}, validation", "{metric}（验证集）"),
    "curves.epoch": ("epoch", "轮次"),
    "curves.best": ("best: {value}, epoch {epoch}", "最好：第 {epoch} 轮 {value}"),
    "curves.caption": (
        "The validation scale is the same for all models, so heights compare; each loss has its own scale.",
        "各模型的验证指标使用同一刻度，可直接比较高低；损失各用自己的刻度。",
    ),
    "curves.chart": ("Learning curve of {model}", "{model} 的学习曲线"),
    # The data.
    "data.title": ("What the data look like", "数据概貌"),
    "data.nav": ("Data", "数据"),
    "data.lede": (
        "The most popular 1% of items draw {share} of all training interactions; half of the users have {median} or fewer.",
        "最热门的 1% 物品占全部训练交互的 {share}；一半用户的交互数不超过 {median}。",
    ),
    "data.users": ("users", "用户"),
    "data.items": ("items", "物品"),
    "data.interactions": ("interactions", "交互"),
    "data.density": ("density", "稠密度"),
    "data.train": ("in training", "训练集"),
    "data.test": ("in test", "测试集"),
    "data.test_users": ("test users", "测试用户"),
    "data.new_users": ("new users in test", "测试集新用户"),
    "data.new_items": ("new items in test", "测试集新物品"),
    "data.span": ("time span", "时间范围"),
    "data.degrees_users": ("How active users are", "用户活跃度分布"),
    "data.degrees_items": ("How popular items are", "物品热度分布"),
    "data.degrees_x": ("at least this many interactions →", "交互数不少于 →"),
    "data.degrees_y_users": ("↑ share of users", "↑ 用户占比"),
    "data.degrees_y_items": ("↑ share of items", "↑ 物品占比"),
    "data.median": ("median {n}", "中位数 {n}"),
    "data.degrees_caption": (
        "Both axes are logarithmic. A nearly straight line means a few carry most of the traffic, and most have little to learn from.",
        "两轴均为对数刻度。接近直线表示少数承担了大部分流量，而多数几乎没有可学的数据。",
    ),
    "data.degrees_chart": ("Degree distribution on logarithmic axes", "对数坐标下的度分布"),
    "data.timeline": ("Interactions over time", "交互随时间的变化"),
    "data.timeline_chart": ("Interactions by period, training and test", "各时段交互数：训练集与测试集"),
    "data.timeline_tip": ("{period}: {n} ({split})", "{period}：{n}（{split}）"),
    "data.timeline_caption": ("One bar holds {n} periods.", "每个柱合并 {n} 个时段。"),
    "data.split_train": ("training", "训练集"),
    "data.split_test": ("test", "测试集"),
    "data.how_split": ("How it was split", "如何划分"),
    "data.cleaning": ("What cleaning did", "清洗做了什么"),
    "data.cleaning_none": ("Nothing had to be cleaned.", "无需清洗。"),
    "data.leakage": ("Does the test leak into training?", "测试信息是否泄漏"),
    "data.leakage_none": ("No leak was found.", "未发现泄漏。"),
    "split.random": (
        "Some of each user’s interactions were drawn at random for the test. The future may inform the past, so figures tend to flatter.",
        "从每名用户的交互中随机抽取一部分作测试。未来信息可能用于预测过去，数值往往偏高。",
    ),
    "split.leave-last-out": (
        "The last interaction of each user is the test; all before it is training.",
        "每名用户的最后一次交互作测试，其余用于训练。",
    ),
    "split.time": (
        "All interactions before one moment are training, all after it are the test, as when a model goes live.",
        "某一时刻之前的交互全部用于训练，之后的全部用于测试，与模型上线的情形一致。",
    ),
    "split.cold-users": ("The test users are absent from training.", "测试用户未在训练集中出现。"),
    "split.cold-items": ("The test items are absent from training.", "测试物品未在训练集中出现。"),
    "split.k-fold": (
        "Interactions were cut into folds; each was the test once.",
        "交互被分成若干折，每折轮流作测试。",
    ),
    "split.given": ("The test file was given by the user.", "测试集由使用者给定。"),
    "split.other": ("Split: {split}.", "划分方式：{split}。"),
    # Where models fail.
    "reliability.title": ("Do the probabilities come true?", "概率是否可信？"),
    "reliability.nav": ("Probabilities", "概率"),
    "reliability.lede": (
        "On average, what {winner} says lies {miss} from what came true.",
        "{winner} 给出的概率与实际发生的比例平均相差 {miss}。",
    ),
    "reliability.lede_other": (
        "On average, what {winner} says lies {miss} from what came true; nearest is {other}, with {least}.",
        "{winner} 给出的概率与实际发生的比例平均相差 {miss}；最接近的是 {other}，仅差 {least}。",
    ),
    "reliability.points": ("{value} percentage points", "{value} 个百分点"),
    "reliability.x": ("probability said →", "预测的概率 →"),
    "reliability.y": ("↑ share that came true", "↑ 实际发生的比例"),
    "reliability.tip": (
        "said {said}, came true {true} ({low}–{high}), {n} pairs",
        "预测 {said}，实际 {true}（{low}–{high}），共 {n} 对",
    ),
    "reliability.caption": (
        "Test pairs in bins of equal width by the probability that the model gave. On the dotted line, of all pairs given 70%, 70 in 100 are a yes; above it the model says too little, below it too much. Bars are 95% intervals, for chance alone; the columns at the foot show where its answers lie.",
        "测试组合按模型给出的概率等宽分组。落在虚线上表示：概率为 70% 的组合中，每 100 个恰有 70 个为“是”；在线上方说明给出的概率偏低，在下方说明偏高。竖线为仅计随机波动的 95% 区间，底部的柱形表示预测值的分布。",
    ),
    "reliability.chart": (
        "Reliability diagram of {model}: share that came true against probability said.",
        "{model} 的可靠性图：实际发生的比例与预测概率的对比。",
    ),
    "segments.title": ("Where each model fails", "各模型在何处失手"),
    "segments.nav": ("Weak spots", "弱点"),
    "segments.lede": (
        "{winner} is not ahead everywhere: for {segment}, {model} reaches {value} against its {own}.",
        "{winner} 并非处处领先：对{segment}，{model} 达到 {value}，而它只有 {own}。",
    ),
    "segments.lede_all": (
        "{winner} is ahead in every group; its lowest figure is for {segment}.",
        "{winner} 在每个分组中都领先，数值最低的是{segment}。",
    ),
    "segments.lede_none": ("The same models, group by group.", "同样的模型，逐组来看。"),
    "segments.users": ("Users", "用户"),
    "segments.items": ("Items", "物品"),
    "segments.other": ("Groups", "分组"),
    "segments.n": ("{n} users", "{n} 名用户"),
    "segments.caption": (
        "Each column is shaded from its lowest to its highest figure; ● marks the best of the group. Differences within groups were not tested for significance, and small groups vary a lot.",
        "每列按本列的最低到最高着色，● 标出该组最好者。组内差异未作显著性检验，小组的数值波动较大。",
    ),
    "segments.table": ("Metrics by group of users and items", "按用户与物品分组的指标"),
    "segment.few": ("little history", "历史少"),
    "segment.some": ("some history", "历史中等"),
    "segment.many": ("long history", "历史多"),
    "segment.new": ("new", "新"),
    "segment.cold": ("cold", "冷启动"),
    "segment.warm": ("warm", "有历史"),
    "segment.head": ("head", "热门（头部）"),
    "segment.middle": ("middle", "中部"),
    "segment.tail": ("tail", "长尾"),
    "segment.none": ("no history", "无历史"),
    "segment.unanswered": ("unanswered by the model", "模型答不上来"),
    "segment.detail.interactions": ("{n} interactions", "{n} 次交互"),
    "segment.detail.head": ("the {n} most popular", "最热门的 {n} 个"),
    "segment.detail.tail": ("the {n} others", "其余 {n} 个"),
    "segment.detail.cold": ("nobody met them in training", "训练集中无人接触"),
    "segment.detail.new": ("answered by what is popular", "以热门推荐作答"),
    "segment.detail.none": ("nothing in training", "训练集中没有交互"),
    "phrase.users.few": ("users with little history", "历史少的用户"),
    "phrase.users.some": ("users with some history", "历史中等的用户"),
    "phrase.users.many": ("users with a long history", "历史多的用户"),
    "phrase.users.none": ("users without a history", "没有历史的用户"),
    "phrase.users.new": ("new users", "新用户"),
    "phrase.users.unanswered": ("users whom the model cannot answer", "模型答不上来的用户"),
    "phrase.users.cold": ("cold users", "冷启动用户"),
    "phrase.users.warm": ("users with a history", "有历史的用户"),
    "phrase.items.head": ("items of the head", "热门物品"),
    "phrase.items.middle": ("items of the middle", "中部物品"),
    "phrase.items.tail": ("items of the tail", "长尾物品"),
    "phrase.items.new": ("new items", "新物品"),
    "phrase.items.cold": ("cold items", "冷启动物品"),
    "phrase.items.warm": ("items with a history", "有历史的物品"),
    "phrase.other": ("the group {group}", "分组 {group}"),
    # Where the main metric is an error.
    "headline.win@error": (
        "<b>{winner}</b> predicts best on {data}: its error is {lead} smaller than that of {other}, the best simple method.",
        "在 {data} 上，<b>{winner}</b> 预测得最准：误差比最好的简单方法 {other} 小 {lead}。",
    ),
    "headline.shared@error": (
        "<b>{names}</b> share the lead on {data}: errors {lead} smaller than those of {other}, the best simple method.",
        "在 {data} 上，<b>{names}</b> 并列第一：误差比最好的简单方法 {other} 小 {lead}。",
    ),
    "headline.simple@error": (
        "A simple method wins on {data}: the error of <b>{winner}</b> is {lead} smaller than that of {other}, the best {kind}.",
        "在 {data} 上胜出的是简单方法：<b>{winner}</b> 的误差比最好的{kind} {other} 小 {lead}。",
    ),
    "headline.second@error": (
        "<b>{winner}</b> predicts best on {data}: its error is {lead} smaller than that of {other}, the next best.",
        "在 {data} 上，<b>{winner}</b> 预测得最准：误差比第二名 {other} 小 {lead}。",
    ),
    "evidence.significant@error": (
        "The lead over {other} is unlikely to be luck: over the pairs of {n} test users, {metric} is {difference} lower (95% interval {low} to {high}, p {p} after Holm’s correction for {pairs}).",
        "对 {other} 的领先不太可能出于偶然：在 {n} 名测试用户的评分上，{metric} 低 {difference}（95% 置信区间 {low} 至 {high}，经 Holm 校正 {pairs} 次比较后 p {p}）。",
    ),
    "evidence.luck@error": (
        "The {metric} of {winner} is {difference} below that of {other} (95% interval {low} to {high}, p {p} after Holm’s correction for {pairs}): that may be luck. With {n} test users, a true difference under about {detectable} would probably not have been seen.",
        "{winner} 的 {metric} 比 {other} 低 {difference}（95% 置信区间 {low} 至 {high}，经 Holm 校正 {pairs} 次比较后 p {p}）：这可能只是偶然。以 {n} 名测试用户，小于约 {detectable} 的真实差异多半看不出来。",
    ),
    "pairs.caption@error": (
        "Read along a row: by how much the {metric} of its model is smaller (▲) or larger (▼) than that of the column’s. Pale cells with ≈ may be luck. Paired test over users, Holm’s correction for {pairs}.",
        "按行阅读：该行模型的 {metric} 比该列模型小（▲）或大（▼）多少。浅色且标有 ≈ 的格子可能只是偶然。按用户配对检验，对全部 {pairs} 对作 Holm 校正。",
    ),
    "cost.lede@error": (
        "{cheap} comes within {share} of the winner’s {metric} in {part} of its time.",
        "{cheap} 只用冠军 {part} 的训练时间，{metric} 就达到冠军水平的 {share}。",
    ),
    "cost.lede_fast@error": (
        "No model comes within {share} of the winner’s {metric} in half its time or less.",
        "没有模型能用不到一半的训练时间使 {metric} 达到冠军水平的 {share}。",
    ),
    "cost.y@error": (
        "↑ smaller {metric}",
        "↑ {metric}（越小越高）",
    ),
    "segments.lede_all@error": (
        "{winner} is ahead in every group; its largest error is for {segment}.",
        "{winner} 在每个分组中都领先，误差最大的是{segment}。",
    ),
    "segments.n@error": (
        "{n} pairs",
        "{n} 对",
    ),
    "method.ranking@error": (
        "Each model was fitted on the training ratings alone, and predicted every test pair of {n_users} test users. Errors are taken over all pairs alike. A new user or item is predicted from what is known without it.",
        "每个模型只用训练集中的评分训练，然后预测 {n_users} 名测试用户的每一个测试组合。误差对所有组合同等计算。新用户或新物品则用其余已知信息预测。",
    ),
    "models.lede@error": (
        "{names} at the top, with the smallest error. Dots are errors over the pairs of {n} test users, bars their 95% confidence intervals; the thin vertical line marks the best.",
        "误差最小的是 {names}。圆点为 {n} 名测试用户全部组合上的误差，横线为 95% 置信区间；细竖线标出最好者。",
    ),
    "kind.ratings": ("learned model", "学习模型"),
    "segments.ratings": ("Ratings", "评分"),
    "segment.detail.without": ("answered without them", "以其余信息作答"),
    "metric.rmse": ("RMSE", "RMSE"),
    "about.rmse": (
        "The root of the mean squared distance between prediction and rating, in units of the rating; smaller is better.",
        "均方根误差：预测与评分之差的平方均值再开方，单位与评分相同，越小越好。",
    ),
    "metric.mae": ("MAE", "MAE"),
    "about.mae": (
        "The mean distance between prediction and rating, in units of the rating; smaller is better.",
        "平均绝对误差：预测与评分之差的绝对值的平均，单位与评分相同，越小越好。",
    ),
    "metric.log_loss": ("Log-loss", "对数损失"),
    "about.log_loss": (
        "The mean of −log of the probability that was given to what came true; smaller is better, and a coin toss has 0.693.",
        "对真实结果所给概率取负对数后的平均值，越小越好；抛硬币为 0.693。",
    ),
    "metric.brier": ("Brier score", "Brier 分数"),
    "about.brier": (
        "The mean squared distance between probability and outcome (0 or 1); smaller is better.",
        "概率与结果（0 或 1）之差的平方均值，越小越好。",
    ),
    "metric.ece": ("Calibration error", "校准误差"),
    "about.ece": (
        "How far probabilities lie, on average, from the share that came true, in bins of equal width; smaller is better.",
        "按等宽区间比较概率与实际发生比例，两者相差的平均值，越小越好。",
    ),
    # Beyond accuracy.
    "beyond.title": ("Beyond accuracy", "准确度之外"),
    "beyond.nav": ("Beyond", "准确度之外"),
    "beyond.lede": (
        "{winner} puts {share} of the catalogue before someone; popularity alone would show {other}.",
        "{winner} 会把目录中 {share} 的物品推荐给某个用户；只靠热门推荐则为 {other}。",
    ),
    "beyond.lede_one": (
        "{winner} puts {share} of the catalogue before someone.",
        "{winner} 会把目录中 {share} 的物品推荐给某个用户。",
    ),
    "beyond.lede_none": ("What lists are like, apart from being right.", "除了命中，推荐列表还有哪些特点。"),
    "beyond.table": ("Measures of whole lists by model", "各模型推荐列表的整体指标"),
    "beyond.higher": ("higher is more varied", "越高越多样"),
    "beyond.lower": ("lower is more even", "越低越均衡"),
    "beyond.zero": ("near 0 is true to taste", "越接近 0 越合乎口味"),
    # The map.
    "map.title": ("A map of the items", "物品地图"),
    "map.nav": ("Map", "地图"),
    "map.lede": ("Items whose vectors are alike lie close together.", "向量相近的物品彼此靠近。"),
    "map.lede_category": (
        "Items whose vectors are alike lie close together. Colours show {column}, which the model may never have seen.",
        "向量相近的物品彼此靠近。颜色表示{column}，模型未必用到这一信息。",
    ),
    "map.caption": (
        "{n} items; {method}. Larger dots have more interactions. Only nearness means something; the axes do not.",
        "共 {n} 个物品；{method}。圆点越大，交互越多。只有远近有意义，坐标轴没有含义。",
    ),
    "map.sampled": (
        "The {n} items with most interactions out of {all} are shown.",
        "只显示交互最多的 {n} 个物品（共 {all} 个）。",
    ),
    "map.canvas": (
        "Map of items in the plane; use plus and minus to zoom, arrows to move",
        "物品平面地图；用加减键缩放，方向键移动",
    ),
    "map.other": ("other", "其他"),
    "map.unknown": ("not known", "未知"),
    "map.legend": ("Show or hide categories", "显示或隐藏类别"),
    "map.find": ("Find an item …", "查找物品……"),
    "map.zoom_in": ("Zoom in", "放大"),
    "map.zoom_out": ("Zoom out", "缩小"),
    "map.reset": ("Show all", "全部显示"),
    "map.interactions": ("interactions", "次交互"),
    "map.found": ("found", "个匹配"),
    "map.hint": (
        "Drag to move, use the buttons or Ctrl and the wheel to zoom, point at a dot for its title.",
        "拖动可移动；用按钮或 Ctrl 加滚轮缩放；指向圆点可看标题。",
    ),
    # Sample recommendations.
    "samples.title": ("What people would see", "用户会看到什么"),
    "samples.nav": ("Samples", "示例"),
    "samples.lede": (
        "{n} users, what they liked in training, and what each model would put before them. A green ✓ is an item they really chose in the test period.",
        "{n} 名用户：他们在训练期喜欢什么，以及各模型会推荐什么。绿色 ✓ 表示用户在测试期确实选择的物品。",
    ),
    "samples.lede_one": (
        "One user, what they liked in training, and what each model would put before them. A green ✓ is an item they really chose in the test period.",
        "一名用户：在训练期喜欢什么，以及各模型会推荐什么。绿色 ✓ 表示用户在测试期确实选择的物品。",
    ),
    "samples.user": ("User {user}", "用户 {user}"),
    "samples.users": ("Choose a user", "选择用户"),
    "samples.liked": ("Liked in training", "训练期喜欢"),
    "samples.liked_none": ("No history in training.", "训练期没有记录。"),
    "samples.because": ("because of {titles}", "因为 {titles}"),
    "samples.hit": ("chosen in the test period", "测试期选择过"),
    "samples.hits": ("{n} of {all} right", "{all} 个中命中 {n} 个"),
    "samples.more": ("{n} more models", "其余 {n} 个模型"),
    "samples.empty": ("No recommendations.", "没有推荐。"),
    "samples.others": ("and {n} more", "等另外 {n} 个"),
    # Why an item is recommended.
    "why.heading": ("Why “{title}” for user {user}, by {model}", "为何向用户 {user} 推荐“{title}”（{model}）"),
    "why.label": ("Graph of the reasons for {title}", "{title} 的推荐理由图"),
    "why.user": ("User {user}", "用户 {user}"),
    "why.friend": ("Friend {user}", "好友 {user}"),
    "why.by-shares": (
        "The numbers are shares of the score: what each item that the user met adds to it.",
        "数字为得分的组成：用户接触过的每个物品所贡献的部分。",
    ),
    "why.by-perturbation": (
        "The numbers tell by how many standard deviations, among all items, this one falls back when the model is asked again without it.",
        "数字表示去掉该项后再次询问模型，该物品在全部物品中下降多少个标准差。",
    ),
    "why.by-gradient": (
        "The numbers are what each one gives, times how fast the score grows with it.",
        "数字为各项的输入乘以得分对它的梯度。",
    ),
    "why.by-attention": ("The numbers are shares of the model's attention.", "数字为模型注意力的份额。"),
    "why.by-similarity": ("The numbers tell how alike the items are.", "数字表示物品之间的相似度。"),
    "why.fidelity": (
        "For a newcomer of whom the same is known, it would be number {rank}; without the {n} reasons number {without}; by these alone number {alone}; without {n} others at random number {without_random}.",
        "对信息相同的新用户，该物品排第 {rank}；去掉这 {n} 条理由后排第 {without}；仅凭这 {n} 条理由排第 {alone}；随机去掉 {n} 条则排第 {without_random}。",
    ),
    # The method.
    "method.title": ("How this was measured", "测量方法"),
    "method.nav": ("Method", "方法"),
    "method.ranking": (
        "Each model was fitted on the training interactions alone. It then ranked the whole catalogue of {n_items} items for each of {n_users} test users, without what the user had met in training. No candidates were sampled.",
        "每个模型只用训练集训练，然后对 {n_users} 名测试用户中的每一名，将全部 {n_items} 个物品排序（排除该用户训练期已接触的物品），不对候选抽样。",
    ),
    "method.left_out": (
        "{n} more users of the test file are unknown to training. Whoever is unknown gets what is popular, whatever the model, so the comparison leaves them out.",
        "测试集中另有 {n} 名用户未在训练集中出现。无论哪个模型，未知用户得到的都是热门推荐，因此比较中不计入他们。",
    ),
    "method.intervals": (
        "Intervals hold 95% of bootstrap means over users. Two models are compared user by user, and p-values are corrected by Holm’s method for all pairs, so that about one report in twenty would claim any difference where there is none.",
        "区间为对用户做自助法（bootstrap）所得均值的 95% 范围。两模型逐用户配对比较，p 值按 Holm 方法对所有配对校正，因此在毫无差异时，约二十份报告中才有一份会误称有差异。",
    ),
    "method.detectable": (
        "The difference that would not have been seen is the one a test of this size finds four times in five; it is computed from the interval of the pair and leans to caution.",
        "所谓“看不出来的差异”，是指这种规模的检验五次中能发现四次的差异；它由该配对的区间算出，取偏保守的值。",
    ),
    "method.cost": (
        "Seconds to fit are wall time on the machine below; evaluation is scoring and ranking. Peak memory is the highest resident memory of the process, the data included.",
        "训练用时为下述机器上的实际耗时；评估用时包括打分与排序。峰值内存为进程的最大常驻内存，含数据本身。",
    ),
    "method.simple": (
        "“Simple methods” are those older than graph networks, such as nearest neighbours and matrix factorisation: what a graph model has to beat to be worth its cost.",
        "“简单方法”指早于图神经网络的方法，如近邻与矩阵分解：图模型须胜过它们才值得采用。",
    ),
    "method.command": ("To repeat it", "重复实验"),
    "method.copy": ("Copy", "复制"),
    "method.copied": ("Copied", "已复制"),
    "method.seed": ("seed", "随机种子"),
    "method.task": ("task", "任务"),
    "method.cutoffs": ("cut-offs", "截断位置"),
    "method.fingerprint": ("data fingerprint", "数据指纹"),
    "method.cpus": ("processor cores", "处理器核数"),
    "method.memory": ("memory", "内存"),
    "method.python": ("Python", "Python"),
    "method.platform": ("platform", "平台"),
    "method.threads": ("threads", "线程"),
    "method.versions": ("versions", "版本"),
    "method.settings": ("Settings of {model}", "{model} 的设置"),
    "method.settings_title": ("Settings of every model", "各模型的设置"),
    "method.glossary": ("What the metrics mean", "指标含义"),
    "method.no_settings": ("No settings.", "没有设置项。"),
    "method.notes": ("Notes", "说明"),
    # Metrics: what heads a column.
    "metric.ndcg": ("NDCG", "NDCG"),
    "metric.recall": ("Recall", "召回率"),
    "metric.precision": ("Precision", "精确率"),
    "metric.hit": ("Hit rate", "命中率"),
    "metric.mrr": ("MRR", "MRR"),
    "metric.map": ("MAP", "MAP"),
    "metric.auc": ("AUC", "AUC"),
    "metric.accuracy": ("Accuracy", "准确率"),
    "metric.edge_accuracy": ("Yes/no accuracy", "判断准确率"),
    "metric.edge_recall": ("Yes/no recall", "判断召回率"),
    "metric.edge_precision": ("Yes/no precision", "判断精确率"),
    "metric.coverage": ("Coverage", "覆盖率"),
    "metric.gini": ("Gini", "基尼系数"),
    "metric.novelty": ("Novelty", "新颖度"),
    "metric.popularity": ("Popularity bias", "流行度偏差"),
    "metric.diversity": ("Diversity", "列表内多样性"),
    # Metrics: what they mean.
    "about.ndcg": (
        "Normalised discounted cumulative gain: hits count, and more so near the top; 1 is a perfect list.",
        "归一化折损累计增益（NDCG）：命中计分，越靠前分越高；1 表示完美列表。",
    ),
    "about.recall": (
        "The share of what the user really chose that is in the list.",
        "召回率：用户实际选择的物品中，出现在列表里的比例。",
    ),
    "about.precision": (
        "The share of the list that the user really chose.",
        "精确率：列表中用户实际选择的比例。",
    ),
    "about.hit": ("The share of users with at least one hit.", "命中率：列表中至少命中一个的用户比例。"),
    "about.mrr": (
        "Mean reciprocal rank: one over the place of the first hit, 0 without one.",
        "平均倒数排名（MRR）：首个命中名次的倒数，无命中则为 0。",
    ),
    "about.map": (
        "Mean average precision: precision at each hit, averaged.",
        "平均精度均值（MAP）：各命中位置上精确率的平均。",
    ),
    "about.auc": (
        "How often a chosen item is scored above one that was not.",
        "AUC：选中的物品得分高于未选中物品的概率。",
    ),
    "about.accuracy": (
        "The share of yes-or-no answers that are right, with as many noes as yeses.",
        "准确率：正负样本各半时，判断正确的比例。",
    ),
    "about.edge_accuracy": (
        "The share of right answers to “will they meet?”, with as many noes as yeses.",
        "“是否会产生交互”的判断中，正负样本各半时的正确比例。",
    ),
    "about.edge_recall": (
        "The share of real interactions that were answered with yes.",
        "真实交互中被判断为“是”的比例。",
    ),
    "about.edge_precision": (
        "The share of yes answers that are real interactions.",
        "判断为“是”的答案中真实交互的比例。",
    ),
    "about.coverage": (
        "The share of the catalogue that is recommended to anyone at all.",
        "目录中至少被推荐给一名用户的物品比例。",
    ),
    "about.gini": (
        "How unequal the attention is: 0, each item is shown equally often; 1, everything goes to one.",
        "曝光有多不均：0 表示每个物品曝光相同，1 表示全部集中于一个物品。",
    ),
    "about.novelty": (
        "How little known the items are, in bits: one more means half as many people know them.",
        "推荐物品有多冷门，以比特计：每增加 1，知道它的人减半。",
    ),
    "about.popularity": (
        "How much more popular the lists are than what their users chose before, in percentiles: 0 is true to taste, 1 all hits.",
        "列表比用户以往的选择热门多少，以百分位差计：0 表示合乎口味，越接近 1 越偏向热门。",
    ),
    "about.diversity": (
        "How unlike the items of one list are: 0, met by the same people; 1, nothing in common.",
        "同一列表中物品彼此的差异：0 表示受众完全相同，1 表示毫无共同之处。",
    ),
}
"""Key to (English, Chinese)."""


def say(key: str, **values: Any) -> Both:
    """Fill a text in both languages; a value may be a `Both` itself."""
    english, chinese = TEXTS[key]
    return Both(
        Markup(english.format(**{name: _side(value, 0) for name, value in values.items()})),
        Markup(chinese.format(**{name: _side(value, 1) for name, value in values.items()})),
    )


def known(key: str) -> bool:
    """Tell whether there is a text for a key that was made from data, such as a metric's."""
    return key in TEXTS


def _side(value: Any, side: int) -> Markup:
    chosen = value[side] if isinstance(value, Both) else value
    return escape(chosen if isinstance(chosen, str) else str(chosen))


ALIASES = {
    "hit_rate": "hit", "hr": "hit", "hits": "hit", "average_precision": "map", "reciprocal_rank": "mrr",
    "popularity_bias": "popularity", "mean_popularity": "popularity", "arp": "popularity",
    "intra_list_diversity": "diversity", "ild": "diversity", "item_coverage": "coverage", "catalogue_coverage": "coverage",
}  # fmt: skip
"""Other names that metrics go by."""


def metric_base(metric: str) -> str:
    """Return a metric's name without its cut-off, and one name for all its spellings: "hr@10" is "hit"."""
    base = metric.partition("@")[0]
    return ALIASES.get(base, base)


def metric_title(metric: str) -> Both:
    """Return how a metric is called in both languages: "recall@20" is Recall@20 and 召回率@20."""
    base = metric_base(metric)
    cutoff = metric[metric.index("@") :] if "@" in metric else ""
    if not known(f"metric.{base}"):
        return Both(metric, metric)
    english, chinese = TEXTS[f"metric.{base}"]
    return Both(english + cutoff, chinese + cutoff)


def list_names(names: list[str]) -> Both:
    """Join model titles as a sentence does: one, two, three, or the first and how many more."""
    if len(names) < 2:
        return Both(*(names or [""]) * 2)
    if len(names) == 2:
        return say("names.two", a=names[0], b=names[1])
    if len(names) == 3:
        return say("names.three", a=names[0], b=names[1], c=names[2])
    return say("names.more", a=names[0], n=len(names) - 1, all=len(names))
