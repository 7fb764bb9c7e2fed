from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.settings import Settings
from streams.config import Config, ConfigError, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file with a value in each section."""
    path = tmp_path / "crmwatch.toml"
    path.write_text(
        '[worker]\nbootstrap = "file:1"\nidle_seconds = 3\n[triage]\nalert_risk = 50\n'
        '[detection]\ngrowth = 2.5\n[topics]\naccess = "crm.other"\n'
    )
    return path


def test_without_anything_the_defaults_hold() -> None:
    """Nothing has to be set; the detector's part is the detector's own defaults."""
    assert load(None, {}) == Config()
    assert Config().detector == Settings()


def test_flags_go_before_the_environment_and_that_before_the_file(file: Path) -> None:
    """Each layer replaces single values of the one below; a flag that was not given replaces nothing."""
    environment = {"CRMWATCH_WORKER_BOOTSTRAP": "env:1", "CRMWATCH_TRIAGE_ALERT_RISK": "60", "PATH": "/bin"}
    config = load(file, environment, {"worker.bootstrap": "flag:1", "worker.keyed": None})
    assert config.worker.bootstrap == "flag:1"
    assert config.triage.alert_risk == 60
    assert config.worker.idle_seconds == 3.0
    assert config.detector.detection.growth == 2.5
    assert config.topics.access == "crm.other"
    assert config.worker.keyed is False
    assert load(file, {}).worker.bootstrap == "file:1"
    assert load(file, environment).worker.bootstrap == "env:1"


def test_the_environment_says_numbers_and_truths_as_text() -> None:
    """Text becomes what the setting is; an instance stays text even if it looks like a number."""
    config = load(
        None,
        {
            "CRMWATCH_WORKER_KEYED": "true",
            "CRMWATCH_WORKER_METRICS_PORT": "0",
            "CRMWATCH_WORKER_SAVE_SECONDS": "0.5",
            "CRMWATCH_WORKER_INSTANCE": "7",
        },
    )
    assert (config.worker.keyed, config.worker.metrics_port) == (True, 0)
    assert (config.worker.save_seconds, config.worker.instance) == (0.5, "7")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[workr]\n", "there is no section [workr]; did you mean worker?"),
        ("[worker]\nbootstrp = 'a:1'", "there is no setting worker.bootstrp; did you mean bootstrap?"),
        ("[worker]\nqqqqq = 1", "there is no setting worker.qqqqq"),
        ("[triage]\nkeyed = true", "there is no setting triage.keyed"),
        ("worker = 3", "[worker] must be a section"),
        ("[worker]\nkeyed = 'true'", "worker.keyed: expected `bool`, got `str`"),
        ("[triage]\nalert_risk = 4.5", "triage.alert_risk: expected `int`, got `float`"),
        ("[worker]\nmetrics_port = 65536", "worker.metrics_port: expected `int` <= 65535"),
        ("[worker]\nmerge_events = -1", "worker.merge_events: expected `int` >= 0"),
        ("[worker]\nidle_seconds = 0", "worker.idle_seconds: expected `float` > 0.0"),
        ("[worker]\npatience_seconds = inf", "worker.patience_seconds: expected `float` < 1000000000.0"),
        ("[worker]\nsave_seconds = nan", "worker.save_seconds: expected `float` > 0.0"),
        ("[worker", "not TOML: "),
        ("[worker]\nkeyed = true\nkeyed = false", "not TOML: "),
    ],
)
def test_what_is_wrong_in_the_file_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    """The error names the file, the key and, for one that does not exist, the closest that does."""
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value).startswith(f"{path}: {sentence}")
    if not sentence.endswith(" "):
        assert str(caught.value) == f"{path}: {sentence}"


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    """With the reason, in one line."""
    with pytest.raises(ConfigError, match=r"no\.toml: cannot be read: No such file or directory"):
        load(tmp_path / "no.toml", {})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml: not TOML"):
        load(tmp_path / "binary.toml", {})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("CRMWATCH_WORKER_KEYD", "1",
         "there is no setting CRMWATCH_WORKER_KEYD; did you mean CRMWATCH_WORKER_KEYED?"),
        ("CRMWATCH_ALERT_RISK", "1",
         "there is no setting CRMWATCH_ALERT_RISK; did you mean CRMWATCH_TRIAGE_ALERT_RISK?"),
        ("CRMWATCH_Q", "1", "there is no setting CRMWATCH_Q"),
        ("CRMWATCH_TRIAGE_ALERT_RISK", "high", "CRMWATCH_TRIAGE_ALERT_RISK: expected `int`, got `str`"),
        ("CRMWATCH_WORKER_KEYED", "perhaps", "CRMWATCH_WORKER_KEYED: expected `bool`, got `str`"),
        ("CRMWATCH_WORKER_METRICS_PORT", "70000", "CRMWATCH_WORKER_METRICS_PORT: expected `int` <= 65535"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_environment_is_named(name: str, value: str, sentence: str) -> None:
    """By the variable's name, with the closest that exists."""
    with pytest.raises(ConfigError) as caught:
        load(None, {name: value})
    assert str(caught.value) == f"environment: {sentence}"


def test_a_flag_that_will_not_do_is_named_as_a_flag() -> None:
    """As the user has typed it."""
    with pytest.raises(ConfigError, match=r"^--metrics-port: expected `int` >= 0$"):
        load(None, {}, {"worker.metrics_port": -1})


@given(
    name=st.text(min_size=1, max_size=12),
    key=st.text(min_size=1, max_size=12),
    value=st.integers() | st.text(),
)
def test_no_environment_ends_in_another_error(name: str, key: str, value: int | str) -> None:
    """Whatever variables there are, the answer is settings or a `ConfigError`."""
    try:
        config = load(None, {f"CRMWATCH_{name}_{key}": str(value), name: key})
    except ConfigError:
        return
    assert isinstance(config, Config)
