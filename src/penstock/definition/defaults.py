"""pluginDefaults: values for plugins by type or type prefix (engine.md 6.6). The document as written is never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.definition.type_index import TypeIndex, target_of
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
    for default in fitting:
        if not default.forced:
            plugin = _merged(default.values, plugin)
    for default in fitting:
        if default.forced:
            plugin = _merged(plugin, default.values)
    return plugin


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
