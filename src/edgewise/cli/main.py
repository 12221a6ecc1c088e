"""The entry point: which commands there are, and how errors end."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from edgewise.cli import (
    compare_command,
    consume_command,
    data_commands,
    demo_command,
    items_command,
    model_commands,
    nodes_command,
    refit_command,
    serve_command,
)
from edgewise.errors import EdgewiseError

app = typer.Typer(
    name="edgewise",
    help="Graph-neural recommendations from an interaction log: measured, explained, on a CPU, in minutes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("inspect")(data_commands.inspect)
app.command("fit")(model_commands.fit)
app.command("evaluate")(model_commands.evaluate)
app.command("recommend")(model_commands.recommend)
app.command("add-items")(items_command.add_items)
app.command("similar")(model_commands.similar)
app.command("explain")(model_commands.explain)
app.command("compare")(compare_command.compare)
app.command("nodes")(nodes_command.nodes)
app.command("serve")(serve_command.serve)
app.command("consume")(consume_command.consume)
app.command("refit")(refit_command.refit)
app.command("models")(model_commands.models)
app.command("doctor")(data_commands.doctor)
app.command("demo")(demo_command.demo)

# Typer brings click's classes under names that changed between its versions; this is their
# ClickException (BadParameter, UsageError, ClickException) in all of them.
_ClickException: Any = typer.BadParameter.__mro__[2]
_INTERRUPTED = 130
_JSON_NEEDS_FILE = {"compare"}
"""Commands whose `--json` always names a file (or `-`); for the others a bare `--json` means standard output."""


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with 0, with 2 where the caller can mend something, with 130 after Ctrl-C."""
    sys.exit(main(sys.argv[1:] if arguments is None else arguments))


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; a problem is one readable message on standard error."""
    try:
        code = app(args=with_json_value(arguments), standalone_mode=False)
        if code == _INTERRUPTED:  # typer's answer to Ctrl-C, in versions that do not raise
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except typer.Exit as stop:
        return stop.exit_code
    except _ClickException as error:
        error.show()
        return EdgewiseError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        _complain("stopped. Nothing half-written was left behind.")
        return _INTERRUPTED
    except EdgewiseError as error:
        _complain(f"error: {error}")
        return error.exit_code
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        _complain(
            "error: out of memory. Use a smaller model (--set model.embedding_dim=32), fewer rows, or a larger machine."
        )
        return EdgewiseError.exit_code


def with_json_value(arguments: Sequence[str]) -> list[str]:
    """Give a bare `--json` its value: standard output.

    >>> with_json_value(["recommend", "--json", "model", "--user", "7"])
    ['recommend', '--json=-', 'model', '--user', '7']
    >>> with_json_value(["recommend", "model", "--json", "out.json"])
    ['recommend', 'model', '--json', 'out.json']
    """
    arguments = list(arguments)
    if "--json" not in arguments or (arguments and arguments[0] in _JSON_NEEDS_FILE):
        return arguments
    place = arguments.index("--json")
    following = arguments[place + 1] if place + 1 < len(arguments) else ""
    if not (following.endswith(".json") or following == "-"):
        arguments[place] = "--json=-"
    return arguments


def _complain(text: str) -> None:
    sys.stderr.write(text + "\n")
