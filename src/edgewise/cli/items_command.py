"""`add-items`: teach a fitted model items that came after training."""

from typing import Annotated

import typer

from edgewise.cli import options

_N_SHOWN = 20
"""How many of the items that could not be placed are listed; JSON has all."""


def add_items(
    directory: options.ModelFolder,
    items: Annotated[
        str,
        typer.Option(
            "--items", metavar="FILE", help="The new items: item_id, and columns that the model's items have."
        ),
    ],
    events: Annotated[
        str | None, typer.Option("--events", metavar="FILE", help="Who met the new items: user_id, item_id.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="DIR", help="The folder to write; by default DIR is replaced.")
    ] = None,
    json: options.Json = None,
) -> None:
    """Place new items by their attributes, or by who met them, without training, and write the model folder.

    Items that the model cannot place are told, and left out; if none can be, nothing is written.
    """
    from pathlib import Path

    from edgewise.cli.console import emit_json, say, table
    from edgewise.model_folder import read_about, read_run_config
    from edgewise.models import load
    from edgewise.pipeline.new_items import with_items_of

    place = Path(output or directory)
    found = with_items_of(load(directory), Path(items), Path(events) if events else None)
    found.model.save(place, metrics=read_about(Path(directory))["metrics"], run_config=read_run_config(Path(directory)))
    if json:
        emit_json({**found.to_json(), "output": str(place)}, json)
        return
    for note in found.notes:
        say(f"  {note}")
    n_all = len(found.added) + len(found.left_out)
    say(
        f"{len(found.added):,} of {n_all:,} new items placed; {found.model.name} now knows {len(found.model.catalogue.items):,}"
    )
    if found.left_out:
        rows = [[str(item), reason] for item, reason in found.left_out[:_N_SHOWN]]
        more = len(found.left_out) - len(rows)
        table(f"left out{f' (the first {_N_SHOWN}; {more:,} more in --json)' if more else ''}", ["item", "why"], rows)
    say(f"written to {place}. Next: edgewise similar {place} --item {found.added[0]}")
