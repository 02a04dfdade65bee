"""pluginDefaults: values for plugins by type or type prefix (engine.md 6.6). The document as written is never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from penstock.definition.faults import written_names
from penstock.definition.type_index import TypeIndex, find_type, target_of
from penstock.errors import MissingExtra
from penstock.model.flow import PluginDefault

_SKIPPED = frozenset({"pluginDefaults", "taskDefaults", "variables", "inputs", "outputs", "labels", "extend"})


def apply_defaults(
    document: Mapping[str, object],
    types: TypeIndex,
    *,
    flow: Sequence[PluginDefault],
    others: Sequence[PluginDefault] = (),
) -> dict[str, object]:
    """A copy of a flow's document with every plugin's defaults filled in.

    `flow` are the flow's own, `others` those of its namespace and the server, nearest first. Values that are not forced
    fill gaps, the nearest first; forced ones override, the farthest last.
    """
    chain = [*flow, *others]
    if not chain:
        return dict(document)
    return {k: v if k in _SKIPPED else _walk(v, chain, types) for k, v in document.items()}


def _walk(value: object, chain: Sequence[PluginDefault], types: TypeIndex) -> object:
    if isinstance(value, list):
        return [_walk(item, chain, types) for item in value]
    if not isinstance(value, Mapping):
        return value
    walked = {key: _walk(inner, chain, types) for key, inner in value.items()}
    name = walked.get("type")
    return _filled(walked, name, chain, types) if isinstance(name, str) else walked


def _filled(
    plugin: dict[str, object], name: str, chain: Sequence[PluginDefault], types: TypeIndex
) -> dict[str, object]:
    fitting = [d for d in chain if _fits(d.type, name, types)]
    if not fitting:
        return plugin
    known = _properties(name, types)
    for default in fitting:
        if not default.forced:
            plugin = _merged(_usable(default, known), plugin)
    for default in fitting:
        if default.forced:
            plugin = _merged(plugin, _usable(default, known))
    return plugin


def _usable(default: PluginDefault, known: frozenset[str] | None) -> Mapping[str, object]:
    """A prefix reaches many types; each takes what it has a property for (Kestra reads defaults leniently)."""
    if known is None:
        return default.values
    return {name: value for name, value in default.values.items() if name in known}


def _properties(name: str, types: TypeIndex) -> frozenset[str] | None:
    """The names a type's properties may be written with; None when it takes any, or is not known."""
    try:
        cls = find_type(name, types)
    except MissingExtra:
        return None
    if cls is None or not issubclass(cls, BaseModel) or cls.model_config.get("extra") != "forbid":
        return None
    return frozenset(written_names(cls))


def _fits(wanted: str, name: str, types: TypeIndex) -> bool:
    names = {name, target_of(name, types) or name}
    return any(n.startswith(wanted) for n in names) or target_of(wanted, types) in names


def _merged(under: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """`over` laid on `under`: maps are merged, everything else is replaced."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged
