from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from detector.alert.ocsf import Activity
from detector.triage.risk import Severity
from streams.cli.main import COMMANDS, app, load_command
from streams.cli.screen import (
    COLOURS,
    alert_line,
    alert_panel,
    fail,
    lead,
    plain,
    printable,
    show_line,
    utc,
)


def test_the_version_is_the_packages() -> None:
    """One line for programs and people."""
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"{version('crmwatch')}\n")


def test_without_a_command_the_help_is_shown() -> None:
    """Every command is listed with its first sentence; a wrong one is a usage error that names the nearest."""
    result = CliRunner(env={"COLUMNS": "160"}).invoke(app, [])
    assert result.exit_code == 2
    for name, sentence in COMMANDS.items():
        assert f"{name} " in result.output
        assert sentence in result.output
    wrong = CliRunner(env={"COLUMNS": "160"}).invoke(app, ["replya"])
    assert wrong.exit_code == 2
    assert "No such command 'replya'. Did you mean 'replay'?" in wrong.output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_lists_each_command_by_its_first_sentence(name: str) -> None:
    """What is listed without importing the command is what its own help begins with."""
    assert load_command(name).help.partition("\n\n")[0] == COMMANDS[name]


LOADED = """\
import sys
from streams.cli.main import main
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, *sys.modules, file=sys.stderr)
"""
HEAVY = {
    "aiokafka",
    "faust",
    "jinja2",
    "kafka",
    "numpy",
    "prometheus_client",
    "rich",
    "river",
    "scipy",
    "starlette",
}


def loaded(*arguments: str) -> set[str]:
    """The modules that are loaded when the program ends."""
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return set(ran.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--version"], []),
        (["--help"], ["rich"]),
        (["replay", "--help"], ["jinja2", "numpy", "rich"]),
        (["simulate", "--help"], ["rich"]),
        (["evaluate", "--help"], ["rich"]),
        (["publish", "--help"], ["kafka", "rich"]),
        (["worker", "--help"], ["kafka", "rich"]),
    ],
    ids=" ".join,
)
def test_a_command_is_imported_when_it_is_called(arguments: list[str], heavy: list[str]) -> None:
    """Neither the version nor any help waits for a library that only a run needs, or for another command."""
    modules = loaded(*arguments)
    assert sorted(modules & HEAVY) == heavy
    commands = {name for name in COMMANDS if f"streams.cli.{name}" in modules}
    assert commands == set(arguments) & set(COMMANDS)


@pytest.mark.slow
def test_the_service_is_without_what_only_simulations_need() -> None:
    """The worker loads Faust and the detector, but neither scipy's subpackages, which river's forests bring, nor a
    simulation.
    """
    program = "import sys, streams.worker.worker, river.stats; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    modules = set(ran.stdout.split())
    assert {"faust", "river.stats", "detector.engine"} - modules == {"detector.engine"}
    assert not {
        name for name in modules if name.startswith(("scipy.s", "river.anomaly", "detector.simulation"))
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("crmwatch re", ["replay", "restore"]),
        ("crmwatch replay --wor", ["--workers"]),
        ("crmwatch simulate out --format r", ["rtem"]),
    ],
)
def test_a_shell_completes_commands_options_and_values(words: str, expected: list[str]) -> None:
    """What the installed completion asks for is answered, for a command's own options as well."""
    environment = os.environ | {
        "_CRMWATCH_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    program = "from streams.cli.main import app; app(prog_name='crmwatch')"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )
    assert ran.stdout.split() == expected


def test_the_module_can_be_run() -> None:
    """As a child process does; a broken pipe or a missing terminal is no matter."""
    found = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "--version"], capture_output=True, timeout=60, check=True
    )
    assert found.stdout.decode().strip() == version("crmwatch")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ünïcode — text", "plain Ünïcode — text"),
        ("a\x1b[31mb", "a\N{REPLACEMENT CHARACTER}[31mb"),
        ("a\nb\rc\td\x00", "a?b?c?d?"),
        ("\x9b31m", "?31m"),
        ("\u202egpj.exe\u200b", "?gpj.exe?"),
        ("\udcff", "?"),
    ],
)
def test_plain_takes_out_what_a_terminal_would_obey(text: str, shown: str) -> None:
    """Control, format and surrogate characters are replaced one for one, everything else stays."""
    assert plain(text) == shown.replace("?", "\N{REPLACEMENT CHARACTER}")


def test_fail_says_one_sentence_and_exits(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with the code asked for, as text without markup."""
    with pytest.raises(typer.Exit) as caught:
        fail("[bold]x\x1b[0m: no such file", 7)
    assert caught.value.exit_code == 7
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "[bold]x\N{REPLACEMENT CHARACTER}[0m: no such file\n"


def test_event_time_is_shown_in_utc() -> None:
    """And an unknown one as a dash."""
    assert utc(1_772_409_600_000) == "2026-03-02 00:00:00 UTC"
    assert utc(None) == "-"


@pytest.mark.parametrize("severity", list(Severity))
def test_an_alert_is_shown_with_its_severity_in_words(severity: Severity) -> None:
    """Colour is never all that tells it; the sentence is text, whatever it holds."""
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(alert_panel(severity, Activity.UPDATE, 0, 61, "[red]took\x1b[2J out[/red]"))
    text = capture.get()
    assert f" {severity.name}  risk 61 · grows · 1970-01-01 00:00:00 UTC" in text
    assert "[red]took\N{REPLACEMENT CHARACTER}[2J out[/red]" in text
    assert severity in COLOURS


def test_an_alert_fits_on_one_line() -> None:
    """What happened, cut where the terminal ends, and nothing that a terminal would obey."""
    console = Console(width=100, color_system=None)
    sentence = "The user took\x1b[2J out 9 rows. " + "About 1 is usual. " * 20
    with console.capture() as capture:
        show_line(console, alert_line(Severity.HIGH, Activity.CREATE, 0, 70, sentence))
        show_line(console, alert_line(Severity.INFORMATIONAL, Activity.CLOSE, 0, 100, "[b]" + "x" * 200))
    first, second = capture.get().splitlines()
    assert first == (
        " HIGH          risk  70 · new    · 1970-01-01 00:00:00 UTC · "
        "The user took\N{REPLACEMENT CHARACTER}[2J out 9 rows."
    )
    assert second.startswith(" INFORMATIONAL risk 100 · closed · 1970-01-01 00:00:00 UTC · [b]xxx")
    assert (len(second), second[-1]) == (100, "…")


@pytest.mark.parametrize(
    ("sentence", "first"),
    [
        ("One. Two. Three.", "One."),
        ("Only one, from 192.0.2.7.", "Only one, from 192.0.2.7."),
        ("With “a. b” and “c. d. e”. Then.", "With “a. b” and “c. d. e”."),
        ("It says “never closed. Then. More", "It says “never closed. Then. More"),
        ("", ""),
    ],
)
def test_the_lead_of_an_alert_is_its_first_sentence(sentence: str, first: str) -> None:
    """What stands in quotes, which is from a log, does not end it."""
    assert lead(sentence) == first


@pytest.mark.slow
def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    """What cannot be written ends a command with exit code 2 and one line that says so, standard output too."""
    log = tmp_path / "a.csv"
    log.write_text("EVENT_TYPE,TIMESTAMP\n")
    code = "from streams.cli.main import main; main()"
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-c", code, "check", "--json", str(log)], stdout=full, stderr=subprocess.PIPE, timeout=60
        )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stderr.decode() == "the output: cannot be written: No space left on device\n"


def test_text_never_steers_a_terminal() -> None:
    """Controls and marks of direction are replaced in text, and escaped in JSON, where they mean the same."""
    text = "a\x1b[2J\x9b2J\u202eb\u2066c\u2028d\u200fe\x7ff"
    assert plain(text).translate({0xFFFD: None}) == "a[2J2Jbcdef"
    data = json.dumps({"a": text}, ensure_ascii=False).encode()
    shown = printable(data).decode()
    assert shown.isascii()
    assert all(letter.isprintable() for letter in shown)
    assert json.loads(shown) == {"a": text}
    assert printable("é𝄞".encode()) == "é𝄞".encode()
