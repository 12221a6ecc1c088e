"""Options that several commands share, described once."""

from typing import Annotated

import typer

Json = Annotated[
    str | None,
    typer.Option(
        "--json", metavar="[FILE]", help="Write the result as JSON to FILE, or to standard output where none is named."
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting: n_layers=2, split.test=0.1. Can be repeated."),
]
Config = Annotated[str | None, typer.Option("--config", metavar="FILE", help="A TOML file of settings.")]
Items = Annotated[str | None, typer.Option("--items", metavar="FILE", help="A table of items: id, title, category, …")]
Users = Annotated[str | None, typer.Option("--users", metavar="FILE", help="A table of users: id, age, …")]
Social = Annotated[str | None, typer.Option("--social", metavar="FILE", help="A table of friendships: user, friend.")]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="How to read the log, where its name and first lines mislead."),
]
ModelFolder = Annotated[
    str, typer.Argument(metavar="DIR", help="A model folder, as `edgewise fit --out DIR` writes it.")
]
K = Annotated[int, typer.Option("-k", "--k", min=1, help="How many to list.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="One seed, one result.")]


def need_kafka() -> None:
    """See that Kafka's client is installed.

    Raises:
        MissingExtraError: if it is not.
    """
    from importlib.util import find_spec

    from edgewise.errors import MissingExtraError

    for name in ("confluent_kafka", "prometheus_client"):
        if find_spec(name) is None:
            raise MissingExtraError(
                f"events from Kafka need {name}, which is not installed: pip install 'edgewise[kafka]'."
            )
