from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.settings import Announced, Indicator, Settings, SeverityTable
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


TABLES = """
[detection.peers]
"night shift" = ["0054R00000001*", "0054R0000000200"]

[detection.indicators."192.0.2.0/24"]
name = "a published list"
score = 4
until_ms = 2026-12-31T23:59:59+01:00

[triage]
own_networks = ["203.0.113.0/24", "2001:db8::/32"]

[triage.expected_rows]
"0054R9*" = 50000

[[triage.announced]]
reason = "migration"
from_ms = 2026-03-28
until_ms = 2026-03-30T06:00:00Z
identities = ["0054R9*"]

[[triage.announced]]
reason = "quarter's end"
from_ms = 1774915200000
until_ms = 1775001600000
"""


def test_the_severity_table_is_read(tmp_path: Path) -> None:
    """Parts of it may be set, if they fit together; what is not set stays as it is."""
    path = tmp_path / "severity.toml"
    path.write_text("[triage.severity]\nrisks = [20, 50, 90]\n")
    assert load(path, {}).triage.severity == SeverityTable(risks=(20, 50, 90))
    path.write_text("[triage.severity]\nrisks = []\nimpacts = [50]\nlevels = [['low', 'critical']]\n")
    table = load(path, {}).triage.severity
    assert (table.risks, table.impacts, table.levels) == ((), (50,), (("low", "critical"),))


def test_tables_are_read(tmp_path: Path) -> None:
    """Groups, indicators, expectations and announced windows are tables, times written as TOML writes them."""
    path = tmp_path / "tables.toml"
    path.write_text(TABLES)
    settings = load(path, {}).detector
    assert settings.detection.peers == {"night shift": ("0054R00000001*", "0054R0000000200")}
    assert settings.detection.indicators == {
        "192.0.2.0/24": Indicator(name="a published list", score=4.0, until_ms=1_798_757_999_000)
    }
    assert settings.triage.own_networks == ("203.0.113.0/24", "2001:db8::/32")
    assert settings.triage.expected_rows == {"0054R9*": 50_000.0}
    assert settings.triage.announced == (
        Announced(
            reason="migration",
            from_ms=1_774_656_000_000,
            until_ms=1_774_850_400_000,
            identities=("0054R9*",),
        ),
        Announced(reason="quarter's end", from_ms=1_774_915_200_000, until_ms=1_775_001_600_000),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[detection.indicators."192.0.2.7"]\nnme = "x"',
         'detection.indicators."192.0.2.7": there is no setting nme; did you mean name?'),
        ('[[sources.mappings]]\nname = "a"\nmarked_by = ["x"]\ntime = "t"\nactor = "u"\noperations = { a = "qery" }',
         "sources.mappings[0].operations.a: there is no qery; did you mean query?"),
        ('[[sources.mappings]]\nname = "a"\nmarked_by = ["x"]\ntime = "t"\nactor = "u"\nkinds = { a = "xyz" }',
         "sources.mappings[0].kinds.a: there is no xyz; there are human, integration, guest"),
        ('[detection.indicators."192.0.2.7"]\nscore = 3.0',
         'detection.indicators."192.0.2.7": object missing required field `name`'),
        ('[detection.indicators."192.0.2.7"]\nname = "x"\nscore = 101',
         'detection.indicators."192.0.2.7".score: expected `float` <= 100.0'),
        ('[detection.indicators."10.0.0.0/7"]\nname = "x"',
         "the network 10.0.0.0/7 is wider than a /8: name parts of it"),
        ("[detection]\nindicators = 3", "detection.indicators: expected `object`, got `int`"),
        ('[detection.peers]\nnight = "0057*"', 'detection.peers."night": expected `array`, got `str`'),
        ("[triage.expected_rows]\nsync = 'many'",
         'triage.expected_rows."sync": expected `float`, got `str`'),
        ("[[triage.announced]]\nreason = 'x'\nfrom_ms = 2026-03-28T00:00:00\nuntil_ms = 9",
         "triage.announced[0].from_ms: a time needs its zone, as in 2026-03-28T00:00:00Z"),
        ("[[triage.announced]]\nreason = 'x'\nfrom_ms = 10\nuntil_ms = 9",
         "triage.announced[0]: from_ms must be before until_ms, but 10 is not before 9"),
        ("[triage.severity]\nrisks = [60, 30, 85]",
         "triage.severity: the limits of risks and of impacts must rise"),
        ("[triage.severity]\nimpacts = [50]",
         "triage.severity: levels must have 4 rows of 2, one more than there are limits"),
        ("[triage.severity]\nlevels = [['grave']]",
         "triage.severity.levels[0][0]: invalid enum value 'grave'"),
        ("[triage.severity]\nrisks = [30, 60, 101]",
         "triage.severity.risks[2]: expected `int` <= 100"),
        ("[triage]\nown_networks = ['203.0.113.0/24', 7]",
         "triage.own_networks[1]: expected `str`, got `int`"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_table_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    """By its place in the file, with the closest name that exists."""
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
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
        ("CRMWATCH_" + 16 * "Q", "1", "there is no setting CRMWATCH_" + 16 * "Q"),
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
