"""`edgewise refit`: the model of a store, fitted again from the store's log."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgewise.cli import options

if TYPE_CHECKING:
    from edgewise.refit import Refitted
    from edgewise.run_config import RunConfig
    from edgewise.store import StoreFolder

NOT_SWAPPED = 3
"""The exit code where there is a new version and it was not made current."""


def refit(
    store: Annotated[str, typer.Argument(metavar="STORE", help="The store folder, served or not.")],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="LOG",
            help="The log that the model was first fitted on, read again instead of what the model keeps of it.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Another model than the current one.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Start from nothing, not from the current model.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make it current even if it is worse.")] = False,
    keep: Annotated[int, typer.Option("--keep", metavar="N", min=1, help="How many versions to keep.")] = 3,
    items: options.Items = None,
    users: options.Users = None,
    social: options.Social = None,
    format: options.Format = None,
    set_: options.Set = None,
    config: options.Config = None,
    json: options.Json = None,
) -> None:
    """Fit the store's model again with all events of its log, compare the two, and let the new one answer unless it is worse.

    A server on the store goes on answering and takes up the new version by itself. Exit code 3: there is a new version, and it
    was not made current.
    """
    from pathlib import Path

    from edgewise.cli.console import emit_json, progress
    from edgewise.refit import RefitSettings
    from edgewise.refit import refit as refit_store
    from edgewise.run_config import read_config
    from edgewise.store import StoreFolder, open_events

    folder = StoreFolder.open(Path(store), create=False)
    given = read_config(config, set_)
    own = {key: value for key, value in given.model.items() if key != "name"}
    before, toml = _of_current(folder)
    name = model or given.model.get("name") or before
    run = read_config(config or toml, set_, data={"path": data, "format": format, "items": items, "users": users, "social": social})  # fmt: skip
    if name != before:  # settings of another model are not for this one
        run = run.model_copy(update={"model": {"name": name, **own}})
    with progress(quiet=bool(json)):
        settings = RefitSettings(
            model=None if name == before and data is None else name,
            settings=given.settings_of(name, own) if name else {},
            data=None if data is None else _with_all_types(run).dataset(),
            clean=run.clean,
            full=full,
            force=force,
            keep=keep,
            run_config=run.to_toml(),
        )
        events = open_events(folder, run.store)
        try:
            done = refit_store(folder, events, settings)
        finally:
            events.close()
    if json:
        emit_json(_as_json(done), json)
    else:
        _tell(done, store)
    if done.version is not None and not done.is_current:
        raise typer.Exit(NOT_SWAPPED)


def _with_all_types(run: "RunConfig") -> "RunConfig":
    """Let a log be read with all kinds of events: those that count may be in the store alone, and are chosen there."""
    return run.model_copy(update={"clean": run.clean.model_copy(update={"types": None})})


def _of_current(folder: "StoreFolder") -> tuple[str | None, str | None]:
    """Return the name of the current model and the file of its run's configuration; None where there is none, or a damaged one."""
    from edgewise import model_folder
    from edgewise.errors import ModelFolderError, StoreError

    try:
        version = folder.models.current
        path = None if version is None else folder.models.path(version)
        name = None if path is None else str(model_folder.read_about(path)["model"])
    except (ModelFolderError, StoreError):
        return None, None
    has_toml = path is not None and (path / "run.toml").is_file()
    return name, str(path / "run.toml") if path is not None and has_toml else None


def _tell(done: "Refitted", store: str) -> None:
    from edgewise.cli.console import say, table

    for line in done.notes:
        say(f"  {line}")
    if done.version is None:
        say(f"nothing to do: {done.why_not}.")
    else:
        how = "started from it" if done.is_incremental else f"started from nothing: {done.why_full}"
        say(
            f"{done.model}: {done.n_users:,} users ({done.n_new_users:,} new), {done.n_items:,} items ({done.n_new_items:,} new), "
            f"{done.n_interactions:,} pairs, {done.n_new_events:,} new events up to {done.log_seq:,}; {how}"
        )
        if done.n_erased:
            say(f"left out because they were erased: {done.n_erased:,} users")
    if (check := done.check) is not None:
        rows = [
            [label, f"{mean:.4f}", f"{low:.4f} – {high:.4f}"]
            for label, (mean, low, high) in (
                ("as it answers now", check.current),
                ("new", check.new),
                ("better by", (check.difference, check.low, check.high)),
            )
        ]
        title = f"{check.metric} on the newest events, {check.n_users:,} users; p = {check.p_value:.2g}"
        table(title, ["model", "mean", "95 % interval"], rows, right={1, 2})
    elif done.no_check:
        say(f"not compared: {done.no_check}.")
    if done.version is not None:
        said = "answers now" if done.is_current else f"is kept and does not answer: {done.why_not}"
        say(f"{done.version} {said}. {sum(done.seconds.values()):.1f} s")
    if done.removed:
        say(f"removed: {', '.join(done.removed)}")
    if done.holding_erased:
        held = ", ".join(f"{version} ({n:,})" for version, n in done.holding_erased.items())
        say(f"versions that know users who were erased since: {held}. Removed with: edgewise refit {store} --keep 1")


def _as_json(done: "Refitted") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(done)
