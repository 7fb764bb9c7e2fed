"""Plug-ins: adapters and detectors that other distributions bring, found by their entry points.

A distribution lists each in the group ``crmwatch.adapters`` or ``crmwatch.detectors``, by the name it has in crmwatch::

    [project.entry-points."crmwatch.adapters"]
    toy_crm = "toy_crm:ADAPTER"

They are discovered here, at the edge, and handed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from detector.adapters import ADAPTERS, AUTO, Adapter
from detector.detectors import BUILT_IN as BUILT_IN_DETECTORS
from detector.errors import CrmwatchError
from detector.identity.detectors.contract import IdentityDetector

__all__ = [
    "NO_PLUGINS",
    "PluginError",
    "Plugins",
    "StateSetError",
    "adapter_names",
    "check_state_set",
    "discover",
    "state_set",
]

ADAPTERS_GROUP = "crmwatch.adapters"
DETECTORS_GROUP = "crmwatch.detectors"
BUILT_IN = "built in"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class PluginError(CrmwatchError):
    """Why an installed plug-in cannot be used; one sentence for a person."""


class StateSetError(CrmwatchError):
    """Saved state was written with other detectors or plug-ins; a sentence for a person names the difference."""


class Plugins(msgspec.Struct, frozen=True, kw_only=True):
    """What other distributions add."""

    adapters: tuple[Adapter, ...] = ()
    detectors: tuple[IdentityDetector, ...] = ()
    versions: dict[str, str] = {}
    """``adapter toy_crm`` → ``toy-crm 1.0``: the distribution that each comes from, and its version."""


NO_PLUGINS = Plugins()


def discover() -> Plugins:
    """The adapters and detectors of installed distributions, by name. Raises `PluginError`."""
    adapters = _loaded(ADAPTERS_GROUP)
    detectors = _loaded(DETECTORS_GROUP)
    for point, adapter in adapters:
        if not isinstance(adapter, Adapter):
            raise PluginError(f"{_origin(point)}: {point.value} is not an Adapter")
        if point.name in ADAPTERS or point.name == AUTO:
            raise PluginError(
                f"{_origin(point)}: its adapter cannot be named {point.name}, as one of crmwatch's is"
            )
    for point, detector in detectors:
        if not isinstance(detector, IdentityDetector):
            raise PluginError(f"{_origin(point)}: {point.value} is not an IdentityDetector")
        if point.name in BUILT_IN_DETECTORS.explanations.names:
            raise PluginError(
                f"{_origin(point)}: its detector cannot be named {point.name}, as one of crmwatch's is"
            )
    versions = {f"adapter {point.name}": _origin(point) for point, _ in adapters}
    versions |= {f"detector {point.name}": _origin(point) for point, _ in detectors}
    return Plugins(
        adapters=tuple(adapter for _, adapter in adapters),
        detectors=tuple(detector for _, detector in detectors),
        versions=versions,
    )


def adapter_names() -> list[str]:
    """The names of installed distributions' adapters; nothing is imported."""
    return sorted(point.name for point in entry_points(group=ADAPTERS_GROUP))


def _loaded(group: str) -> list[tuple[EntryPoint, Any]]:
    loaded: dict[str, tuple[EntryPoint, Any]] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, _origin(point))):
        if not _NAME.fullmatch(point.name):
            raise PluginError(
                f"{_origin(point)}: {point.name!r} is no name: use lower-case letters, digits, underscores"
            )
        if point.name in loaded:
            other = _origin(loaded[point.name][0])
            raise PluginError(f"{_origin(point)} and {other} both bring {point.name}; uninstall one of them")
        try:
            value = point.load()
        except Exception as error:  # the plug-in's own code may raise anything
            raise PluginError(
                f"{_origin(point)}: {point.value} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
        name = getattr(value, "name", None)
        if name != point.name:
            raise PluginError(
                f"{_origin(point)}: {point.value} has the name {name!r}, its entry point {point.name!r}"
            )
        loaded[point.name] = point, value
    return list(loaded.values())


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown distribution"


# --- the set that state is written with


def state_set(plugins: Plugins, detectors: Iterable[str]) -> dict[str, str]:
    """All that decides what saved state means: the built-in detectors, and every plug-in with its version.

    >>> state_set(Plugins(versions={"adapter toy": "toy-crm 1.0"}), ["volume"])
    {'adapter toy': 'toy-crm 1.0', 'detector volume': 'built in'}
    """
    return dict(sorted((plugins.versions | {f"detector {name}": BUILT_IN for name in detectors}).items()))


def check_state_set(written: Mapping[str, str], present: Mapping[str, str]) -> None:
    """Raise `StateSetError` unless state was written with the present set.

    >>> check_state_set({"adapter toy": "toy-crm 1.0"}, {"adapter toy": "toy-crm 1.1"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    streams.plugins.StateSetError: ... adapter toy is toy-crm 1.1 here and was toy-crm 1.0; ...
    """
    missing = [f"{name} ({written[name]}) is missing" for name in written if name not in present]
    new = [f"{name} ({present[name]}) is new" for name in present if name not in written]
    changed = [
        f"{name} is {present[name]} here and was {written[name]}"
        for name in present
        if name in written and present[name] != written[name]
    ]
    differences = [*missing, *changed, *new]
    if differences:
        raise StateSetError(
            "the saved state was written with another set of detectors and plug-ins: "
            f"{', '.join(differences)}; install what is missing, or start once with --accept-plugins"
        )
