from __future__ import annotations

import pytest

from detector.alert.ocsf import Activity
from streams.report.findings import KEPT_INCIDENTS, KEPT_VERSIONS, FindingVersion
from tests.detector.make import DAY_MS
from tests.streams.report.make import MINUTE_MS, THEFT_MS, alert, history, incidents


def test_the_newest_alert_counts_and_all_are_remembered() -> None:
    """An incident is as its last alert has it; when it was published, and how it then stood, stays."""
    updated = alert(Activity.UPDATE, severity_id=5, time=THEFT_MS + 9 * MINUTE_MS)
    newest = history(alert(), updated, alert(Activity.CLOSE, severity_id=5, time=THEFT_MS + 2 * DAY_MS))
    assert (newest.finding.severity, newest.finding.closed) == (5, True)
    assert newest.positions == {"e-1": "test log:7"}
    assert newest.versions == (
        FindingVersion(THEFT_MS + 4 * MINUTE_MS, Activity.CREATE, 4, 6000),
        FindingVersion(THEFT_MS + 9 * MINUTE_MS, Activity.UPDATE, 5, 6000),
        FindingVersion(THEFT_MS + 2 * DAY_MS, Activity.CLOSE, 5, 6000),
    )


def test_the_worst_comes_first() -> None:
    """By severity, then risk, then age."""
    alerts = [
        alert(uid="late", start_time=THEFT_MS + 1),
        alert(uid="early"),
        alert(uid="grave", severity_id=5, risk_score=1),
        alert(uid="mild", severity_id=2, risk_score=99),
        alert(uid="risky", risk_score=72),
    ]
    ranked = incidents(*alerts).ranked()
    assert [one.finding.uid for one in ranked] == ["grave", "risky", "early", "late", "mild"]


@pytest.mark.slow
def test_many_incidents_are_counted_and_the_worst_kept() -> None:
    """However many there are, and however often they are published."""
    findings = incidents()
    for number in range(3 * KEPT_INCIDENTS):
        findings.observe(alert(uid=f"i-{number}", severity_id=3, risk_score=number % 60))
    for _ in range(2 * KEPT_VERSIONS):
        findings.observe(alert(Activity.UPDATE))
    ranked = findings.ranked()
    assert len(ranked) == KEPT_INCIDENTS
    assert ranked[0].finding.uid == "crmwatch-1"
    assert len(ranked[0].versions) == KEPT_VERSIONS
    assert min(one.finding.risk for one in ranked[1:]) >= 60 - KEPT_INCIDENTS // 10 - 1
    assert len(findings.severities) == 3 * KEPT_INCIDENTS + 1
