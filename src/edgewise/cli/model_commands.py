"""`fit`, `evaluate`, `recommend`, `similar`, `explain`, `models`: one model at a time."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgewise.cli import options

if TYPE_CHECKING:
    from edgewise.pipeline.answer import Answer
    from edgewise.recommender import Recommender

ItemId = Annotated[str, typer.Option("--item", metavar="ID", help="The item's id, as in the log.")]
History = Annotated[
    str | None,
    typer.Option("--history", metavar="ID,ID", help="For a newcomer: ids of items met, with commas between."),
]
AttributesOption = Annotated[
    list[str] | None,
    typer.Option("--attributes", metavar="KEY=VALUE", help="For a newcomer: what is known; can be repeated."),
]
Friends = Annotated[
    str | None, typer.Option("--friends", metavar="ID,ID", help="For a newcomer: ids of users who are friends.")
]


def fit(
    data: Annotated[str | None, typer.Option("--data", metavar="FILE", help="The log to learn from.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Which model; `edgewise models` lists them.")
    ] = None,
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="The model folder to write.")] = "model",
    items: options.Items = None,
    users: options.Users = None,
    social: options.Social = None,
    format: options.Format = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="DIR",
            help="Go on with a training that was cut off: its --out, or a folder to keep checkpoints in.",
        ),
    ] = None,
    tensorboard: Annotated[
        str | None, typer.Option("--tensorboard", metavar="DIR", help="Write learning curves as TensorBoard's files.")
    ] = None,
    set_: options.Set = None,
    config: options.Config = None,
    seed: options.Seed = 0,
    json: options.Json = None,
) -> None:
    """Fit one model on a log and write its folder.

    While a model is trained step by step, checkpoints lie beside --out (OUT.training) until its folder is written.
    """
    import time
    from pathlib import Path

    from edgewise.cli.checkpoint_place import CheckpointPlace
    from edgewise.cli.console import emit_json, progress, say
    from edgewise.data.read import check_usable
    from edgewise.data.wording import count
    from edgewise.errors import ConfigError
    from edgewise.model_folder import is_model_folder
    from edgewise.models import build
    from edgewise.run_config import read_config
    from edgewise.telemetry import note

    data_section = {"path": data, "format": format, "items": items, "users": users, "social": social}
    run = read_config(config, set_, data=data_section, model={"name": model})
    if "name" not in run.model:
        raise ConfigError("which model? Give --model NAME; `edgewise models` lists them.")
    recommender = build(str(run.model["name"]), run.model_settings, seed=seed)
    started = time.perf_counter()
    with progress(quiet=bool(json)):
        place = CheckpointPlace.choose(recommender, Path(out), resume)
        if tensorboard is not None and place.directory is None:
            note(f"{recommender.name} is not trained step by step: there are no curves for TensorBoard")
        dataset = run.dataset()
        check_usable(dataset)
        try:
            recommender.fit(dataset, checkpoints=place.directory, restart=place.restart, tensorboard=tensorboard)
        except KeyboardInterrupt as stop:
            if str(stop):
                note(str(stop))  # where training stopped, and how to go on
            raise
        replaced = is_model_folder(Path(out))
        recommender.save(Path(out), run_config=run.to_toml())
        place.clear()
    seconds = time.perf_counter() - started
    result = {
        "model": recommender.name, "out": out, "replaced": replaced, "n_users": dataset.n_users, "n_items": dataset.n_items,
        "n_interactions": int(dataset.interactions.nnz), "seconds": round(seconds, 2), "history": list(dataset.history),
        "notes": recommender.record.notes,
    }  # fmt: skip
    if json:
        emit_json(result, json)
        return
    for line in (*dataset.history, *recommender.record.notes):
        say(f"  {line}")
    say(
        f"{recommender.title}: {count(dataset.n_users, 'user')}, {count(dataset.n_items, 'item')}, "
        f"{count(dataset.interactions.nnz, 'pair')}, in {seconds:.1f} s"
    )
    where = f"{out}, in the place of the model that was there" if replaced else out
    say(f"written to {where}. Next: edgewise recommend {out} --user {dataset.users.ids[0]} -k 10")


def evaluate(
    directory: options.ModelFolder,
    test: Annotated[str, typer.Option("--test", metavar="FILE", help="A log of what happened after training.")],
    k: Annotated[
        str | None, typer.Option("--k", "-k", metavar="K[,K]", help="Cut-offs; the last is the main one.")
    ] = None,
    format: options.Format = None,
    set_: options.Set = None,
    config: options.Config = None,
    seed: options.Seed = 0,
    json: options.Json = None,
) -> None:
    """Measure a fitted model on a test log, by full ranking."""
    from edgewise.cli.console import emit_json, progress, say, table
    from edgewise.compare.output import evaluation_json
    from edgewise.data.wording import count
    from edgewise.evaluate.protocol import evaluate as evaluate_model
    from edgewise.evaluate.significance import bootstrap_intervals
    from edgewise.evaluate.targets import find_targets
    from edgewise.models import load
    from edgewise.run_config import read_config

    run = read_config(config, set_, data={"format": format}, evaluate={"k": cut_offs(k)})
    model = load(directory)
    with progress(quiet=bool(json)):
        later = run.read(test)
        targets = find_targets(model.catalogue, later)
        found = evaluate_model(model, later, k=run.evaluate.k, targets=targets)
    intervals = bootstrap_intervals(found.per_user, seed=seed)
    if json:
        emit_json({"model": model.name, **evaluation_json(found, intervals), "left_out": targets.left_out()}, json)
        return
    rows = []
    for metric, value in found.overall.items():
        low, high = intervals.get(metric, (float("nan"), float("nan")))
        rows.append([metric, f"{value:.4f}", f"{low:.4f} – {high:.4f}" if metric in intervals else ""])
    table(f"{model.title} on {test}", ["metric", "mean", "95 % interval"], rows, right={1, 2})
    say(
        f"{found.user_index.size:,} of {count(targets.n_test_users, 'user')}, ranked over {count(len(model.catalogue.items), 'item')} "
        f"in {found.evaluate_s:.1f} s"
    )
    for line in targets.left_out():
        say(f"  {line}")


def recommend(
    directory: options.ModelFolder,
    user: Annotated[
        list[str] | None, typer.Option("--user", metavar="ID", help="The user's id; can be repeated.")
    ] = None,
    history: History = None,
    attributes: AttributesOption = None,
    friends: Friends = None,
    k: options.K = 10,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Also list what the user has met.")] = False,
    reasons: Annotated[int, typer.Option("--reasons", min=0, help="How many reasons to give for each item.")] = 2,
    set_: options.Set = None,
    config: options.Config = None,
    json: options.Json = None,
) -> None:
    """List what to recommend to a user, and why; whom the model does not know gets what is popular, and is told so.

    A newcomer has no id yet: --history, --attributes and --friends say what is known instead of --user. The sections [serve] and [rerank] say
    what may be shown and in which order, such as --set 'serve.rule=price < 20' --set rerank.diversity=0.3.
    """
    from edgewise.cli.console import emit_json, say, table
    from edgewise.errors import ConfigError
    from edgewise.models import load
    from edgewise.pipeline.answer import answer, answer_newcomer, history_of
    from edgewise.pipeline.recommend import Pipeline
    from edgewise.run_config import read_config

    is_new = history is not None or bool(attributes) or friends is not None
    if is_new == bool(user):
        raise ConfigError("whom for? Give --user ID, or for a newcomer --history, --attributes or --friends; not both.")
    model = load(directory)
    run = read_config(config, set_, settable=("serve", "rerank"))
    pipeline = Pipeline(model, config=run.serve, rerank=run.rerank)
    if not user:
        about = _newcomer(model, history, attributes, friends)
        given = answer_newcomer(
            model, "(new)", k, **about, exclude_seen=not include_seen, n_reasons=reasons, pipeline=pipeline
        )
        if json:
            emit_json(given.to_json(), json)
            return
        source = f"by {given.source}" + (f": {given.note}" if given.note else "")
        table(f"for a newcomer, {source}", _LISTED, _rows_of(given), right={0, 3})
        return
    ids = model.catalogue.users.from_text(user)
    answers = answer(model, ids, k, exclude_seen=not include_seen, n_reasons=reasons, names=user, pipeline=pipeline)
    if json:
        emit_json([given.to_json() for given in answers], json)
        return
    for given, user_id in zip(answers, ids, strict=True):
        if liked := (history_of(model, user_id, 5) if user_id is not None else []):
            say(f"user {given.user_id} liked: {'; '.join(liked)}")
        source = f"by {given.source}" + (f": {given.note}" if given.note else "")
        table(f"for user {given.user_id}, {source}", _LISTED, _rows_of(given), right={0, 3})


_LISTED = ["rank", "item", "title", "score", "because of"]


def _rows_of(given: "Answer") -> list[list[str]]:
    return [
        [str(item.rank), str(item.item_id), item.title, f"{item.score:.4g}", "; ".join(item.reasons)]
        for item in given.items
    ]


def _newcomer(
    model: "Recommender", history: str | None, attributes: list[str] | None, friends: str | None
) -> dict[str, Any]:
    """Translate what the options tell of a newcomer."""
    users, items = model.catalogue.users, model.catalogue.items
    return {
        "history": None if history is None else items.from_text(_parts_of(history)),
        "attributes": _pairs_of(attributes) if attributes else None,
        "friends": None if friends is None else users.from_text(_parts_of(friends)),
    }


def _need_known(model: "Recommender", *, item: str, user: str | None = None) -> None:
    """Refuse ids that the model does not know, where nothing else can answer.

    Raises:
        UnknownNameError: naming them, and what to do.
    """
    from edgewise.data.ids import UNKNOWN
    from edgewise.errors import UnknownNameError

    catalogue = model.catalogue
    advice = "Look at the id, or fit the model again on a log that has it."
    if user is not None and catalogue.users.index_of_text(user) == UNKNOWN:
        raise UnknownNameError(
            f"the model does not know user {user!r}. {advice} Of somebody new tell --history, --attributes or --friends instead."
        )
    if catalogue.items.index_of_text(item) == UNKNOWN:
        raise UnknownNameError(f"the model does not know item {item!r}. {advice}")


def similar(directory: options.ModelFolder, item: ItemId, k: options.K = 10, json: options.Json = None) -> None:
    """List the items most like one."""
    from edgewise.cli.console import emit_json, say, table
    from edgewise.models import load
    from edgewise.pipeline.titles import titles_of

    model = load(directory)
    _need_known(model, item=item)
    frame = model.similar_items(model.catalogue.items.from_text([item]), k).to_frame()
    titles = titles_of(model.catalogue, frame["similar_item_id"])
    rows = [
        {"item_id": other, "title": title, "score": score, "rank": rank}
        for other, title, score, rank in zip(
            frame["similar_item_id"], titles, frame["score"], frame["rank"], strict=True
        )
    ]
    if json:
        emit_json({"item_id": item, "source": model.name, "items": rows}, json)
        return
    if not rows:
        say(f"{model.name} knows no item like {item!r}: nobody met it, or the model has no notion of likeness.")
        return
    printed = [[str(row["rank"]), str(row["item_id"]), row["title"], f"{row['score']:.4g}"] for row in rows]
    table(f"like {item}, by {model.name}", ["rank", "item", "title", "similarity"], printed, right={0, 3})


def explain(
    directory: options.ModelFolder,
    item: ItemId,
    user: Annotated[str | None, typer.Option("--user", metavar="ID", help="The user's id, as in the log.")] = None,
    history: History = None,
    attributes: AttributesOption = None,
    friends: Friends = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many reasons.")] = 5,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="shares, perturbation, gradient, attention or similarity; each model has some of these.",
        ),
    ] = None,
    json: options.Json = None,
) -> None:
    """Tell why an item would be recommended: what speaks for it, how much, and what becomes of it without these reasons.

    To a user by --user, or to a newcomer of whom --history, --attributes and --friends tell.
    """
    from edgewise.cli.console import bar, emit_json, say, table
    from edgewise.errors import ConfigError
    from edgewise.explanations import METHODS
    from edgewise.models import load
    from edgewise.pipeline.explaining import explain_pair

    is_new = history is not None or bool(attributes) or friends is not None
    if is_new == (user is not None):
        raise ConfigError("to whom? Give --user ID, or for a newcomer --history, --attributes or --friends; not both.")
    known = next((name for name in METHODS if name == method), None)
    if method is not None and known is None:
        raise ConfigError(f"--method {method!r}: expected one of {', '.join(METHODS)}.")
    model = load(directory)
    _need_known(model, item=item, user=user)
    about = _newcomer(model, history, attributes, friends) if is_new else {}
    found = explain_pair(model, user, item, n, method=known, **about)
    if json:
        emit_json(found, json)
        return
    say(found["text"])
    for title, reasons, rest in (
        ("", found["reasons"], found["rest"]),
        ("and of the item's attributes, by how much the score falls without one", found["item_reasons"], None),
    ):
        largest = max((reason["contribution"] for reason in reasons), default=1.0)
        rows = [
            [
                reason["title"],
                reason["kind"],
                str(reason.get("item_id", reason.get("user_id", ""))),
                f"{reason['contribution']:.4g}",
                bar(reason["contribution"] / largest),
            ]
            for reason in reasons
        ]
        if rest is not None and rows:
            rows.append(["(the rest of the score)", "", "", f"{rest:.4g}", ""])
        if rows:
            table(title, ["because of", "which is", "id", "contribution", ""], rows, right={3})


def models(json: options.Json = None) -> None:
    """List the models: name, paper, what each needs, and its settings with their defaults."""
    from edgewise.cli.console import emit_json, say, table
    from edgewise.models import MODELS, model_class

    found: list[dict[str, Any]] = []
    for name in MODELS:
        kind = model_class(name)
        found.append(
            {
                "name": name,
                "title": kind.title,
                "paper": kind.paper,
                "needs": kind.needs,
                "folds_in": list(kind.folds_in),
                "settings": kind.Config().model_dump(mode="json"),
            }
        )
    if json:
        emit_json(found, json)
        return
    table(
        "",
        ["name", "what it is", "needs", "answers newcomers by", "paper"],
        [[row["name"], row["title"], row["needs"], ", ".join(row["folds_in"]) or "-", row["paper"]] for row in found],
    )
    say("settings of each, with defaults: edgewise models --json")


def _parts_of(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pairs_of(assignments: list[str]) -> dict[str, str]:
    """Read "age=25" and the like.

    Raises:
        ConfigError: if a part has no "=" or no name.
    """
    from edgewise.errors import ConfigError

    pairs = dict(text.partition("=")[::2] for text in assignments)
    if wrong := [text for text in assignments if not text.partition("=")[0].strip() or "=" not in text]:
        raise ConfigError(f"--attributes {wrong[0]!r}: expected KEY=VALUE, such as --attributes age=25.")
    return {key.strip(): value.strip() for key, value in pairs.items()}


def cut_offs(text: str | None) -> list[int] | None:
    """Read "10,20".

    Raises:
        ConfigError: if a part is not a positive whole number.
    """
    from edgewise.errors import ConfigError

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(f"--k {text!r}: expected whole numbers of at least 1, such as --k 20 or --k 10,20.")
    return sorted({int(part) for part in parts})
