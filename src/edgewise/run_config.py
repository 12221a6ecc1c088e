"""A run's configuration: one TOML file, a class for each section, `--set` on top, and what ran written down again."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import Field, PositiveFloat, PositiveInt

from edgewise.config import Settings, did_you_mean, make, merged, override, read_toml
from edgewise.data import Dataset
from edgewise.data.clean import CleanConfig
from edgewise.data.columns import Columns
from edgewise.data.features import FeatureConfig
from edgewise.data.split import SplitConfig
from edgewise.errors import ConfigError
from edgewise.kafka.settings import EventsConfig
from edgewise.models.registry import MODELS, model_class
from edgewise.pipeline.recommend import PipelineConfig, RerankConfig
from edgewise.retrieval import RetrievalConfig
from edgewise.serve.settings import ServiceConfig
from edgewise.store.settings import StoreConfig
from edgewise.train.config import TrainConfig


class DataConfig(Columns):
    """[data]: the files, and the columns whose names are not the usual ones."""

    path: str | None = None
    format: str | None = None
    items: str | None = None
    users: str | None = None
    social: str | None = None


class EvaluateConfig(Settings):
    """[evaluate]: the cut-offs of the metrics; the last is the main one."""

    k: tuple[PositiveInt, ...] = (10, 20)


class TuneConfig(Settings):
    """[tune]: the small random search of `compare --tune-quick`."""

    n_trials: PositiveInt = (
        8  # the defaults and seven draws: most of the gain of a long search at the price of eight fits
    )
    budget_s: PositiveFloat = 60.0


class RunConfig(Settings):
    """Everything that a run can be told.

    `[model]` holds `name` and the model's own settings; `[train]` settings of training, for every model that is trained
    step by step.
    """

    data: DataConfig = DataConfig()
    clean: CleanConfig = CleanConfig()
    split: SplitConfig = SplitConfig()
    features: FeatureConfig = FeatureConfig()
    train: dict[str, Any] = Field(default_factory=dict)
    model: dict[str, Any] = Field(default_factory=dict)
    evaluate: EvaluateConfig = EvaluateConfig()
    tune: TuneConfig = TuneConfig()
    serve: PipelineConfig = PipelineConfig()
    retrieval: RetrievalConfig = RetrievalConfig()
    rerank: RerankConfig = RerankConfig()
    service: ServiceConfig = ServiceConfig()
    store: StoreConfig = StoreConfig()
    events: EventsConfig = EventsConfig()

    def dataset(self) -> Dataset:
        """Read and clean the log that `[data] path` names.

        Raises:
            ConfigError: if none is named.
            DataError: if it cannot be used.
        """
        if self.data.path is None:
            raise ConfigError('no data: name a log with --data FILE, or path = "…" in [data].')
        return self.read(self.data.path)

    def read(self, path: str) -> Dataset:
        """Read another log in the same way, with the same tables beside it."""
        data = self.data
        columns = Columns(**{name: getattr(data, name) for name in Columns.model_fields})
        return Dataset.from_file(
            path,
            format=data.format,
            columns=columns,
            items=data.items,
            users=data.users,
            social=data.social,
            clean=self.clean,
        )

    @property
    def model_settings(self) -> dict[str, Any]:
        """The settings of the model that `[model] name` names, without the name."""
        name = str(self.model["name"])
        if self.train and not issubclass(model_class(name).Config, TrainConfig):
            raise ConfigError(
                f"[train] sets {', '.join(self.train)}, and {name} is not trained step by step; leave it out."
            )
        return self.settings_of(name, {key: value for key, value in self.model.items() if key != "name"})

    def settings_of(self, name: str, own: Mapping[str, Any]) -> dict[str, Any]:
        """Put [train] and [features] under a model's own settings, where the model is trained, or reads attributes.

        Raises:
            UnknownNameError: if there is no such model.
            ConfigError: if [train] has a key that is no setting of training.
        """
        known = model_class(name).Config
        if unknown := [key for key in self.train if key not in TrainConfig.model_fields]:
            raise ConfigError(
                f"[train]: unknown setting {unknown[0]!r}; there are {', '.join(TrainConfig.model_fields)}"
                f"{did_you_mean(unknown[0], TrainConfig.model_fields)}."
            )
        below: dict[str, Any] = dict(self.train) if issubclass(known, TrainConfig) else {}
        shared = self.features.model_dump(exclude_unset=True)
        if shared and "features" in known.model_fields:
            below["features"] = shared
        return merged(below, own)

    def to_toml(self) -> str:
        """Return the configuration as TOML that `read_config` takes back; settings without a value are left out."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


def read_config(
    path: str | None,
    assignments: Sequence[str] | None,
    *,
    settable: Sequence[str] | None = None,
    **sections: dict[str, Any],
) -> RunConfig:
    """Put a configuration together: the file, then the options given by name, then `--set`.

    Args:
        path: a TOML file, or None.
        assignments: `section.key=value`; a bare `key=value` is a setting of the model, and so is
            `key.inner=value` where no section has that name.
        settable: the sections that assignments may be of, where the others would do nothing; a file may have all.
        sections: section to keys and values from other options; None values are left to the file.

    Raises:
        ConfigError: naming every section and key that is wrong.
    """
    values = read_toml(Path(path)) if path else {}
    for section, given in sections.items():
        known = values.setdefault(section, {})
        if not isinstance(known, dict):
            raise ConfigError(f"{path}: [{section}] is not a section but {known!r}.")
        known.update({key: value for key, value in given.items() if value is not None})
    ours = TrainConfig.model_fields.keys() | _settings_of(values.get("model"))
    values = override(values, [_with_section(text, ours) for text in assignments or []], default_section="model")
    unknown = [section for section in values if section not in RunConfig.model_fields]
    if unknown:
        raise ConfigError(
            f"unknown section [{unknown[0]}]; there are {', '.join(f'[{name}]' for name in RunConfig.model_fields)}"
            f"{did_you_mean(unknown[0], RunConfig.model_fields)}."
        )
    if settable is not None:
        for text in assignments or []:
            [section] = override({}, [_with_section(text, ours)], default_section="model")
            if section not in settable:
                raise ConfigError(
                    f"--set {text!r} is of [{section}], which does nothing here; what can be set is of "
                    f"{', '.join(f'[{name}]' for name in settable)}, such as {settable[0]}.key=value."
                )
    return make(RunConfig, values, where=path or "settings")


def _settings_of(model: Any) -> set[str]:
    """Return what can be set of the model that a section [model] names."""
    name = model.get("name") if isinstance(model, dict) else None
    return set(model_class(name).Config.model_fields) if isinstance(name, str) and name in MODELS else set()


def _with_section(assignment: str, of_model: Collection[str]) -> str:
    """Let `schedule.name=step` and `encoder.conv=gat` mean the model's, as `loss=bpr` does."""
    key = assignment.partition("=")[0]
    first = key.partition(".")[0].strip()
    is_ours = first in of_model and first not in RunConfig.model_fields
    return f"model.{assignment.strip()}" if is_ours and "." in key else assignment


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list | tuple) else value
