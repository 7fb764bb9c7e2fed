"""Draws a Grafana dashboard as an HTML page: its panels of the kinds stat, timeseries, bargauge and table.

What is drawn, where, in which unit and colour is read from the dashboard's JSON; the numbers come from whoever is
asked the panels' queries. It is no Grafana: only what our dashboards use is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import escape
from typing import Any

import msgspec

__all__ = ["Answer", "Ask", "Span", "page"]


class Answer(msgspec.Struct, frozen=True):
    """One series of an answer: its labels, and (Unix seconds, value); one point of an instant query."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Span(msgspec.Struct, frozen=True):
    """What is shown, in Unix seconds, and how far apart the points are."""

    start: float
    end: float
    step: float


Ask = Callable[[str, bool], list[Answer]]
"""A query, and whether it is asked for the span's end alone."""

WIDTH = 1180
COLUMN, ROW = (WIDTH - 24) / 24, 35
GAP = 8
COLOURS = {
    "green": "#5fb36a",
    "yellow": "#f2cc3d",
    "orange": "#f2883b",
    "red": "#e5484d",
    "dark-red": "#b3182b",
    "blue": "#5b9cf5",
    "text": "#d5d9e3",
}
PALETTE = ("#5fb36a", "#f2cc3d", "#5b9cf5", "#f2883b", "#e5484d", "#a578e8", "#3fc1b0", "#e079b0", "#9aa5b8")
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
STYLE = f"""
* {{ box-sizing: border-box; margin: 0 }}
body {{ background: #0f1116; color: #d5d9e3; width: {WIDTH}px; font: 14px/1.35 "Inter", "Noto Sans", sans-serif }}
header {{ padding: 14px 16px 12px; display: flex; justify-content: space-between; font-size: 17px; font-weight: 600 }}
header span {{ color: #8b93a5; font-size: 14px; font-weight: 400 }}
main {{ position: relative; margin: 0 12px }}
section {{ position: absolute; background: #181b22; border: 1px solid #262b36; border-radius: 4px; padding: 8px 12px;
  overflow: hidden; display: flex; flex-direction: column }}
section.row {{ background: none; border: none; padding: 6px 2px }}
h2 {{ font-size: 14px; font-weight: 600; color: #e8ebf2; flex: none; padding-bottom: 4px }}
.stats {{ display: flex; flex: 1; gap: 6px; margin: 0 -4px -2px; min-height: 0 }}
.stat {{ flex: 1; border-radius: 3px; display: flex; flex-direction: column; align-items: center;
  justify-content: center; font-weight: 600; line-height: 1.15 }}
.stat small {{ font-size: 13px; font-weight: 500; color: #aab1c0; padding-bottom: 4px }}
.none {{ flex: 1; display: flex; flex-direction: column; align-items: center; justify-content: center; color: #8b93a5;
  text-align: center; font-size: 13px }}
.none b {{ font-size: 16px; font-weight: 500; color: #aab1c0 }}
.legend {{ flex: none; display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; color: #b9c0ce;
  max-height: 40px }}
.legend i {{ display: inline-block; width: 14px; height: 4px; border-radius: 2px; margin-right: 6px;
  vertical-align: 3px }}
.legend i.dash {{ background: none !important; border-top: 3px dashed; height: 0; border-radius: 0 }}
svg {{ display: block; flex: none }}
svg text {{ fill: #8b93a5; font-size: 12px }}
.bars {{ flex: 1; display: grid; grid-template-columns: auto 1fr auto; gap: 8px 12px; align-items: center;
  align-content: center }}
.bars div {{ background: #262b36; border-radius: 2px; height: 22px }}
.bars div div {{ height: 100% }}
table {{ border-collapse: collapse; width: 100%; font-size: 13px }}
th {{ text-align: left; color: #7fb0f7; font-weight: 600; border-bottom: 1px solid #262b36; padding: 4px 8px }}
td {{ border-bottom: 1px solid #20242e; padding: 5px 8px; white-space: nowrap }}
"""


def page(dashboard: dict[str, Any], ask: Ask, span: Span) -> str:
    """The whole dashboard."""
    marks = [
        answer.points
        for annotation in dashboard["annotations"]["list"]
        if "expr" in annotation
        for answer in ask(annotation["expr"], False)
    ]
    panels = "".join(_panel(panel, ask, span, marks) for panel in dashboard["panels"])
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    told = f"{_clock(span.start, '%Y-%m-%d %H:%M')} to {_clock(span.end, '%H:%M')} UTC"
    return (
        f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><header>{escape(dashboard['title'])}"
        f"<span>{told}</span></header><main style='height:{bottom * ROW + 12}px'>{panels}</main>"
    )


def _panel(panel: dict[str, Any], ask: Ask, span: Span, marks: list[list[tuple[float, float]]]) -> str:
    at = panel["gridPos"]
    width, height = at["w"] * COLUMN - GAP, at["h"] * ROW - GAP
    place = f"left:{at['x'] * COLUMN:.1f}px;top:{at['y'] * ROW}px;width:{width:.1f}px;height:{height}px"
    title = f"<h2>{escape(panel['title'])}</h2>"
    if panel["type"] == "row":
        return f"<section class=row style='{place}'>{title}</section>"
    found = [
        (_name(target, answer.labels), answer)
        for target in panel["targets"]
        for answer in ask(target["expr"], bool(target.get("instant")))
    ]
    if not found:
        body = f"<div class=none><b>No data</b>{escape(panel['description'])}</div>"
    elif panel["type"] == "timeseries":
        body = _timeseries(panel, found, span, marks, width - 26, height - 82)
    elif panel["type"] == "stat":
        body = _stat(panel, found, width - 26)
    else:
        body = {"bargauge": _bargauge, "table": _table}[panel["type"]](panel, found)
    return f"<section style='{place}'>{title}{body}</section>"


# --- what the JSON says of a series


def _name(target: dict[str, Any], labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), target.get("legendFormat", ""))


def _properties(panel: dict[str, Any], name: str) -> dict[str, Any]:
    """What the panel's overrides say of a series or a column."""
    told: dict[str, Any] = {}
    for override in panel["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        wanted = matcher["options"]
        if wanted == name or (matcher["id"] == "byRegexp" and re.search(wanted.strip("/"), name)):
            told |= {one["id"]: one["value"] for one in override["properties"]}
    return told


def _threshold(thresholds: dict[str, Any], value: float) -> str:
    return next(
        COLOURS[step["color"]]
        for step in reversed(thresholds["steps"])
        if step["value"] is None or value >= step["value"]
    )


def _colour(panel: dict[str, Any], name: str, number: int, value: float) -> str:
    own = _properties(panel, name).get("color", panel["fieldConfig"]["defaults"]["color"])
    if own["mode"] == "fixed":
        return COLOURS[own["fixedColor"]]
    if own["mode"] == "thresholds":
        return _threshold(panel["fieldConfig"]["defaults"]["thresholds"], value)
    return PALETTE[number % len(PALETTE)]


def _mapped(panel: dict[str, Any], value: float) -> dict[str, Any] | None:
    for mapping in panel["fieldConfig"]["defaults"].get("mappings", ()):
        if f"{value:g}" in mapping["options"]:
            found: dict[str, Any] = mapping["options"][f"{value:g}"]
            return found
    return None


def _text(value: float, unit: str) -> str:
    """A value in a unit of Grafana's, for people."""
    if unit == "percentunit":
        return f"{value:.0%}"
    if unit == "s":
        for size, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
            if abs(value) >= size:
                return f"{value / size:.1f} {name}"
        return f"{value:.0f} s"
    for size, name in ((1e6, " M"), (1e3, " K")):
        if abs(value) >= size:
            return f"{value / size:.3g}{name}"
    return f"{value:.3g}"


def _clock(seconds: float, form: str = "%H:%M") -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(form)


# --- one function for each kind of panel


def _stat(panel: dict[str, Any], found: list[tuple[str, Answer]], width: float) -> str:
    filled = panel["options"]["colorMode"] == "background"
    boxes = []
    for number, (name, answer) in enumerate(found):
        value = answer.points[-1][1]
        mapping = _mapped(panel, value)
        text = mapping["text"] if mapping else _text(value, panel["fieldConfig"]["defaults"]["unit"])
        colour = COLOURS[mapping["color"]] if mapping else _colour(panel, name, number, value)
        style = f"background:{colour};color:#fff" if filled else f"color:{colour}"
        size = min(44, round(1.35 * width / len(found) / max(3, len(text))))
        label = f"<small>{escape(name)}</small>" if len(found) > 1 else ""
        boxes.append(f"<div class=stat style='{style};font-size:{size}px'>{label}{escape(text)}</div>")
    return f"<div class=stats>{''.join(boxes)}</div>"


def _bargauge(panel: dict[str, Any], found: list[tuple[str, Answer]]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    lines = []
    for number, (name, answer) in enumerate(found):
        value = answer.points[-1][1]
        colour = _colour(panel, name, number, value)
        share = min(1.0, max(0.0, (value - defaults["min"]) / (defaults["max"] - defaults["min"])))
        lines.append(
            f"<span>{escape(name)}</span><div><div style='width:{share:.1%};background:{colour}'></div></div>"
            f"<b style='color:{colour}'>{_text(value, defaults['unit'])}</b>"
        )
    return f"<div class=bars>{''.join(lines)}</div>"


def _table(panel: dict[str, Any], found: list[tuple[str, Answer]]) -> str:
    rows = [{**answer.labels, "Value": answer.points[-1][1]} for _, answer in found]
    [organised] = [one["options"] for one in panel["transformations"] if one["id"] == "organize"]
    names = sorted({name for row in rows for name in row}, key=lambda name: (name == "Value", name))
    names = [name for name in names if not organised["excludeByName"].get(name)]
    heads = "".join(f"<th>{escape(organised['renameByName'].get(name, name))}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(_cell(panel, name, row.get(name, '')) for name in names)}</tr>" for row in rows
    )
    return f"<table><tr>{heads}</tr>{body}</table>"


def _cell(panel: dict[str, Any], name: str, value: Any) -> str:
    told = _properties(panel, name)
    if not isinstance(value, float):
        return f"<td>{escape(str(value))}</td>"
    style = ""
    if "custom.cellOptions" in told:
        style = f" style='background:{_threshold(told['thresholds'], value)};color:#fff;font-weight:600'"
    return f"<td{style}>{_text(value, told.get('unit', 'short'))}</td>"


LEFT, BELOW = 46, 20


def _timeseries(
    panel: dict[str, Any],
    found: list[tuple[str, Answer]],
    span: Span,
    marks: list[list[tuple[float, float]]],
    width: float,
    height: float,
) -> str:
    custom = panel["fieldConfig"]["defaults"]["custom"]
    stacked = custom["stacking"]["mode"] == "normal"
    floors: dict[float, float] = {}
    bands: list[list[tuple[float, float, float]]] = []  # of each series: time, from, to
    for _, answer in found:
        band = []
        for time_s, value in answer.points:
            if math.isfinite(value):
                floor = floors.get(time_s, 0.0) if stacked else 0.0
                floors[time_s] = floor + value
                band.append((time_s, floor, floor + value))
        bands.append(band)
    top, ticks = _scale(max((to for band in bands for *_, to in band), default=0.0))

    def x(time_s: float) -> float:
        return LEFT + (time_s - span.start) / (span.end - span.start) * (width - LEFT)

    def y(value: float) -> float:
        return 6 + (height - BELOW - 6) * (1 - value / top)

    parts = [
        f"<path d='M{LEFT} {y(tick):.1f}H{width:.1f}' stroke='#262b36'/>"
        f"<text x='{LEFT - 8}' y='{y(tick) + 4:.1f}' text-anchor='end'>"
        f"{_text(tick, panel['fieldConfig']['defaults']['unit'])}</text>"
        for tick in ticks
    ]
    parts += [
        f"<text x='{x(tick):.1f}' y='{height - 4:.1f}' text-anchor='middle'>{_clock(tick)}</text>"
        for tick in _times(span)
        if LEFT + 12 < x(tick) < width - 16
    ]
    legend = []
    for number, ((name, _), band) in enumerate(zip(found, bands, strict=True)):
        own = {**custom, **{k.partition(".")[2]: v for k, v in _properties(panel, name).items()}}
        colour = _colour(panel, name, number, 0.0)
        dash = own.get("lineStyle", {}).get("fill") == "dash"
        if custom["drawStyle"] == "bars":
            parts += _bars(band, colour, x, y, span.step * (width - LEFT) / (span.end - span.start))
        else:
            for run in _runs(band, custom["spanNulls"] / 1000):
                parts += _area(run, colour, own, x, y, dash=dash)
        legend.append(
            f"<span><i class='{'dash' if dash else ''}' style='background:{colour};color:{colour}'></i>"
            f"{escape(name)}</span>"
        )
    for mark in marks:
        parts.append(
            f"<rect x='{x(mark[0][0]):.1f}' width='{max(1.5, x(mark[-1][0]) - x(mark[0][0])):.1f}' y='6'"
            f" height='{height - BELOW - 6:.1f}' fill='#e5484d' opacity='.35'/>"
        )
    drawn = f"<svg width='{width:.0f}' height='{height:.0f}'>{''.join(parts)}</svg>"
    return f"{drawn}<div class=legend>{''.join(legend)}</div>"


def _area(
    run: list[tuple[float, float, float]],
    colour: str,
    own: dict[str, Any],
    x: Callable[[float], float],
    y: Callable[[float], float],
    *,
    dash: bool,
) -> Iterable[str]:
    over = " ".join(f"{x(time_s):.1f},{y(to):.1f}" for time_s, _, to in run)
    under = " ".join(f"{x(time_s):.1f},{y(floor):.1f}" for time_s, floor, _ in reversed(run))
    dashes = " stroke-dasharray='7 6'" if dash else ""
    yield f"<polygon points='{over} {under}' fill='{colour}' opacity='{own['fillOpacity'] / 100}'/>"
    yield (
        f"<polyline points='{over}' fill='none' stroke='{colour}' stroke-width='{own['lineWidth']}'"
        f" stroke-linejoin='round'{dashes}/>"
    )


def _bars(
    band: list[tuple[float, float, float]],
    colour: str,
    x: Callable[[float], float],
    y: Callable[[float], float],
    width: float,
) -> Iterable[str]:
    for time_s, floor, to in band:
        if to > floor:
            yield (
                f"<rect x='{x(time_s) - width / 2:.1f}' y='{y(to):.1f}' width='{max(1.0, width * 0.8):.1f}'"
                f" height='{y(floor) - y(to):.1f}' fill='{colour}'/>"
            )


def _runs(
    band: list[tuple[float, float, float]], most_seconds: float
) -> list[list[tuple[float, float, float]]]:
    """A series where it is not interrupted for longer than so."""
    runs: list[list[tuple[float, float, float]]] = []
    for point in band:
        if not runs or point[0] - runs[-1][-1][0] > most_seconds:
            runs.append([])
        runs[-1].append(point)
    return runs


def _scale(most: float) -> tuple[float, list[float]]:
    """The top of an axis from 0, and where its lines are."""
    if most <= 0:
        return 1.0, [0.0, 1.0]
    size = 10.0 ** math.floor(math.log10(most / 4))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor * 4.5 >= most)
    ticks = [step * number for number in range(math.ceil(most / step) + 1)]
    return max(most * 1.03, ticks[-2]), [tick for tick in ticks if tick <= most * 1.03]


def _times(span: Span) -> list[float]:
    step = next(
        size for size in (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR) if (span.end - span.start) / size <= 8
    )
    first = math.ceil(span.start / step)
    return [number * step for number in range(first, int(span.end // step) + 1)]
