from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from detector.simulation import World, records
from streams.cli.main import app

START_MS = 1_772_409_600_000
SKYDESK = """
[[sources.mappings]]
name = "skydesk"
marked_by = ["app=skydesk"]
time = "when"
actor = "who"
operation = "=record_view"
"""


def run(*arguments: str, **environment: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and the findings."""
    result = CliRunner(env=environment).invoke(app, ["check", "--json", *arguments])
    return result.exit_code, msgspec.json.decode(result.stdout)["findings"]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log without a fault."""
    world = World(seed=1, start_ms=START_MS, hours=9, people=4, integrations=1)
    path = tmp_path / "day.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(record for _, record in records(world))))
    return path


def test_a_log_that_can_be_read_is_good(logs: Path) -> None:
    """It says how many records of which format there are, compressed or not."""
    code, [settings, found] = run(str(logs))
    assert (code, settings["state"], found["state"]) == (0, "good", "good")
    assert "salesforce_elf" in found["detail"]
    assert not found["mend"]


def test_records_that_cannot_be_read_are_odd(logs: Path, tmp_path: Path) -> None:
    """With why, and the place of the first one."""
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes(gzip.decompress(logs.read_bytes()) + b'\n{"half": \n')
    code, [_, found] = run(str(broken))
    assert (code, found["state"]) == (1, "odd")
    assert "1 no adapter: malformed" in found["detail"]
    assert f"{broken}:" in found["detail"]


def test_what_has_no_adapter_is_bad_until_it_is_described(tmp_path: Path) -> None:
    """A mapping in the settings makes it good."""
    log = tmp_path / "skydesk.jsonl"
    log.write_text('{"app": "skydesk", "when": 1772529257, "who": "A17"}\n')
    code, [_, found] = run(str(log))
    assert (code, found["state"]) == (2, "bad")
    assert "docs/formats.md" in found["mend"]
    settings = tmp_path / "crmwatch.toml"
    settings.write_text(SKYDESK)
    code, [_, found] = run(str(log), "--settings", str(settings))
    assert (code, found["state"]) == (0, "good")
    assert "1 skydesk" in found["detail"]


UNKNOWN = {
    "rows.csv": "Zeit;Benutzer;User Name;Aktion;IP;Anzahl\n"
    + "".join(f"02.03.2026 09:{n:02d}:00;u{n};Mia;Ansicht Kontakt;198.51.100.7;{n}\n" for n in range(20)),
    "objects.jsonl": "".join(
        f'{{"app":"desk","createdAt":177252925{n},"who":{{"email":"m{n}@x.example"}},"did":"OPEN","rows":{n}}}\n'
        for n in range(9)
    ),
    "us.csv": "Date,User,Source IP,Activity,Record Count\n"
    + "".join(f'"3/{n}/2026, 9:00:00 PM",mia,198.51.100.7,Data Export,{n}\n' for n in range(1, 28)),
    "salesforce_elf.csv": 'when,"actor","what"\n2026-03-02T09:00:00Z,mia,x\n',
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_mapping_is_proposed_that_works(name: str, tmp_path: Path) -> None:
    """For records of an unknown format a mapping is proposed, and with it in the settings they are read."""
    log = tmp_path / name
    log.write_text(UNKNOWN[name])
    code, [_, found] = run(str(log))
    assert (code, found["state"]) == (2, "bad")
    assert "--settings" in found["mend"]
    settings = tmp_path / "crmwatch.toml"
    settings.write_text(found["mapping"])
    code, [_, found] = run(str(log), "--settings", str(settings))
    assert (code, found["state"], found["mend"]) == (0, "good", "")
    shown = CliRunner().invoke(app, ["check", str(log)]).stdout
    assert settings.read_text() in shown


def test_no_mapping_is_proposed_for_what_has_no_times(tmp_path: Path) -> None:
    """Then the advice is the manual's."""
    log = tmp_path / "names.csv"
    log.write_text("name,mail\nMia,mia@x.example\n")
    code, [_, found] = run(str(log))
    assert (code, found["mapping"]) == (2, "")
    assert "docs/formats.md says how" in found["mend"]


def test_it_says_what_a_file_is(logs: Path, tmp_path: Path) -> None:
    """Its containers, encoding, delimiter and columns; an hour without rows is in order."""
    rows = "EVENT_TYPE;TIMESTAMP;REQUEST_ID\nAPI;20260302090000.000;r1\n"
    text = gzip.decompress(logs.read_bytes())
    archive = tmp_path / "logs.zip"
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("a.csv", rows)
        written.writestr("b.csv", rows)
        written.writestr("c.jsonl", text)
    wide = tmp_path / "wide.json"
    wide.write_bytes(text.decode().encode("utf-16"))
    hour = tmp_path / "hour.csv"
    hour.write_text("EVENT_TYPE,TIMESTAMP\n")
    code, findings = run(str(archive), str(wide), str(hour), str(logs))
    said = [finding["detail"] for finding in findings[1:]]
    assert said[0].startswith("zip of 3 files: 2 × CSV with ;, 3 columns, JSON objects; ")
    assert said[1].startswith("JSON objects in UTF-16-LE; ")
    assert said[2] == "CSV, 2 columns; no rows"
    assert said[3].startswith("gzip: JSON objects; ")
    code, [_, found] = run(str(hour))
    assert (code, found["state"], found["mend"]) == (0, "good", "")


def test_what_is_no_log_is_told_apart(tmp_path: Path) -> None:
    """A workbook is named with what to do, and files beside logs are passed over by name."""
    (tmp_path / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    code, [_, found] = run(str(tmp_path))
    assert (code, found["state"]) == (1, "odd")
    assert f"passed over: {tmp_path}/.DS_Store (a folder's view on macOS)" in found["detail"]
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as written:
        written.writestr("xl/workbook.xml", "<x/>")
    code, [_, found] = run(str(tmp_path))
    assert (code, found["state"]) == (2, "bad")
    assert found["detail"].startswith("an Excel workbook; ")
    assert "save each sheet as CSV UTF-8" in found["detail"]
    assert "mapping" not in found["mend"]


def test_bad_settings_are_named(tmp_path: Path) -> None:
    """The wrong key with the closest right one; a mapping that cannot work too; the rest is looked at still."""
    settings = tmp_path / "crmwatch.toml"
    settings.write_text("[triage]\nalert_bugdet = 5\n")
    code, [found, missing] = run(str(tmp_path / "nothing"), "--settings", str(settings))
    assert code == 2
    assert "triage.alert_budget" in found["detail"] or "alert_budget" in found["detail"]
    assert missing["state"] == "bad"
    settings.write_text(SKYDESK.replace('time = "when"', 'time = ""'))
    code, [found] = run("--settings", str(settings))
    assert (code, "skydesk" in found["detail"]) == (2, True)
    code, [found] = run(CRMWATCH_TRIAGE_ALERT_RISK="high")
    assert (code, "CRMWATCH_TRIAGE_ALERT_RISK" in found["detail"]) == (2, True)


def test_kafka_that_is_not_there_is_bad() -> None:
    """It says where it looked and what starts one."""
    code, [_, found] = run("--kafka", CRMWATCH_WORKER_BOOTSTRAP="127.0.0.1:9")
    assert (code, found["state"]) == (2, "bad")
    assert "127.0.0.1:9" in found["what"]
    assert "crmwatch broker" in found["mend"]
