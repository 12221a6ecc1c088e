"""One configuration for a run: sections, and what they mean for the models."""

from pathlib import Path

import pytest

from edgewise.errors import ConfigError
from edgewise.run_config import read_config

SHARED = ["features.text=hashed", "features.max_categories=7"]


def test_features_reach_the_models_that_read_attributes_and_no_other() -> None:
    run = read_config(None, SHARED)
    assert run.settings_of("content", {})["features"] == {"text": "hashed", "max_categories": 7}
    assert run.settings_of("lightgcn", {"epochs": 3}) == {"epochs": 3}


def test_a_models_own_features_come_first() -> None:
    run = read_config(None, [*SHARED, "model.features.text=tf-idf"], model={"name": "content"})
    assert run.model_settings["features"] == {"text": "tf-idf", "max_categories": 7}


def test_what_ran_can_be_run_again(tmp_path: Path) -> None:
    run = read_config(None, SHARED, model={"name": "content"})
    path = tmp_path / "run.toml"
    path.write_text(run.to_toml())
    assert read_config(str(path), None).model_settings["features"]["text"] == "hashed"


def test_an_unknown_kind_of_column_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"features.*year"):
        read_config(None, ["features.kinds={year = 'number'}"])


def test_train_reaches_the_models_that_are_trained_and_no_other() -> None:
    run = read_config(None, ["train.epochs=7", "train.schedule.name=step"])
    assert run.settings_of("lightgcn", {"n_layers": 2}) == {"epochs": 7, "schedule": {"name": "step"}, "n_layers": 2}
    assert run.settings_of("lightgcn", {"epochs": 3})["epochs"] == 3  # the model's own come first
    assert run.settings_of("popularity", {}) == {}


def test_train_for_a_model_that_is_not_trained_or_with_a_key_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"\[train\] sets epochs, and popularity is not trained step by step"):
        read_config(None, ["train.epochs=7"], model={"name": "popularity"}).model_settings  # noqa: B018
    with pytest.raises(ConfigError, match=r"\[train\]: unknown setting 'n_layers'; there are epochs, "):
        read_config(None, ["train.n_layers=7"]).settings_of("lightgcn", {})


def test_parts_of_a_nested_setting_come_together() -> None:
    run = read_config(None, ["train.schedule.name=step", "train.schedule.n_drops=5", "model.schedule.warmup=0.1"])
    settings = run.settings_of("lightgcn", run.model)
    assert settings["schedule"] == {"name": "step", "n_drops": 5, "warmup": 0.1}


def test_a_nested_setting_of_training_needs_no_section() -> None:
    assert read_config(None, ["schedule.name=step", "averaging.name=ema"]).model == {
        "schedule": {"name": "step"},
        "averaging": {"name": "ema"},
    }
    run = read_config(None, ["encoder.conv=gatv2", "encoder.n_heads=2"], model={"name": "gat"})
    assert run.model_settings["encoder"] == {"conv": "gatv2", "n_heads": 2}
    with pytest.raises(ConfigError, match=r"unknown section .encoder"):
        read_config(None, ["encoder.conv=gatv2"], model={"name": "lightgcn"})
    with pytest.raises(ConfigError, match=r"unknown section .weather"):
        read_config(None, ["weather.name=step"])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("rerank.diversty", "diversity"), ("service.n_thread", "n_threads"), ("events.batch_sze", "batch_size")],
)
def test_a_wrong_key_of_a_section_names_those_of_the_section(wrong: str, right: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"unknown setting '{wrong}'; there are .*\(did you mean '{right}'\?\)"
    ) as error:
        read_config(None, [f"{wrong}=3"])
    assert "store" not in str(error.value)


def test_a_wrong_section_or_key_of_training_is_guessed() -> None:
    with pytest.raises(ConfigError, match=r"unknown section \[rernk\].*did you mean 'rerank'"):
        read_config(None, ["rernk.diversity=3"])
    with pytest.raises(ConfigError, match=r"did you mean 'epochs'"):
        read_config(None, ["train.epoch=7"]).settings_of("lightgcn", {})
