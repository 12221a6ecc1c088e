"""Settings: TOML read once at the edge into frozen classes that refuse unknown keys."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from edgewise.errors import ConfigError

S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """The base of every config class: frozen, strict about names, printable as TOML."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


def make(settings: type[S], values: Mapping[str, Any], *, where: str) -> S:
    """Build `settings` from `values`, telling every mistake in words.

    Args:
        settings: the config class.
        values: names and values, as from TOML.
        where: what to call the place in messages, such as "[model] of run.toml".

    Raises:
        ConfigError: naming each key that is unknown, missing or out of range, the value seen and what was expected.
    """
    try:
        return settings.model_validate(dict(values))
    except ValidationError as error:
        lines = [_explain(problem, settings) for problem in error.errors()]
        raise ConfigError(f"{where}: " + "; ".join(lines)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: if it is not there or is not TOML; the text gives the line.
    """
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the config {path}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}. Compare it with the example in docs/configuration.md."
        ) from error


def override(values: Mapping[str, Any], assignments: Sequence[str], *, default_section: str) -> dict[str, Any]:
    """Return `values` with `section.key=value` assignments applied; a bare `key=value` goes to `default_section`.

    A key may have parts of its own, such as `model.schedule.name=step`. The value is read as TOML and, where it is not TOML, as plain text: `loss=bpr` needs no quotes.

    >>> override({"model": {"n_layers": 3}}, ["n_layers=2", "split.test=0.1"], default_section="model")
    {'model': {'n_layers': 2}, 'split': {'test': 0.1}}
    """
    merged = deepcopy(dict(values))
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise ConfigError(
                f"--set {assignment!r}: expected key=value or section.key=value, such as --set n_layers=2."
            )
        *sections, key = name.strip().split(".")
        target = merged
        for section in sections or [default_section]:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise ConfigError(f"--set {assignment!r}: [{section}] is not a section.")
        target[key] = _toml_value(text.strip())
    return merged


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(problem: Any, settings: type[Settings]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        *sections, key = (str(part) for part in problem["loc"])
        known = list(dict.fromkeys(name for found in _settings_at(settings, sections) for name in found.model_fields))
        return f"unknown setting {name!r}; there are {', '.join(known)}{did_you_mean(key, known)}"
    if problem["type"] == "missing":
        return f"setting {name!r} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "secret":  # raised as PydanticCustomError: the value must not be shown
        return f"{name}: {message}"
    return f"{name} = {problem['input']!r}: {message}" if name else message  # without a name: how several fit together


def _settings_at(settings: type[Settings], sections: Sequence[str]) -> list[type[Settings]]:
    """Return the config classes that a nested key belongs to: several where a section may be one of some kinds."""
    found = [settings]
    for section in sections:
        fields = [one.model_fields[section].annotation for one in found if section in one.model_fields]
        found = [kind for annotation in fields for kind in _settings_in(annotation)] or found
    return found


def _settings_in(annotation: Any) -> list[type[Settings]]:
    """Return the config classes that a type names."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [kind for part in get_args(annotation) for kind in _settings_in(part)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a remark on the known name that is like an unknown one, "" where none is.

    >>> did_you_mean("lightgnc", ["popularity", "lightgcn"]), did_you_mean("gnn", ["popularity"])
    (" (did you mean 'lightgcn'?)", '')
    """
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean {close[0]!r}?)" if close else ""


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Put one nested mapping over another.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    found = dict(below)
    for key, value in above.items():
        under = found.get(key)
        found[key] = merged(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return found
