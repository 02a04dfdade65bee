"""`pluginDefaults` are gone in 2.0: each plugin gets the values that they gave it, and the block goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml
from pydantic import ValidationError

from penstock.definition.convert.rewriting import Edit, Notes, Source, entries
from penstock.definition.defaults import apply_defaults
from penstock.definition.type_index import TypeIndex
from penstock.definition.yaml_source import load_document
from penstock.model.flow import PluginDefault

_BLOCKS = ("pluginDefaults", "taskDefaults")


def convert_defaults(source: Source, types: TypeIndex, notes: Notes) -> Iterator[Edit]:
    """What each plugin lacks is written out below its `type`; forced values take the place of its own."""
    found = entries(source.root)
    block = next((found[name] for name in _BLOCKS if name in found), None)
    if block is None or not isinstance(source.root, yaml.MappingNode):
        return
    document = load_document(source.text).value
    assert isinstance(document, Mapping)
    written = document.get(block.key.value)
    try:
        defaults = [PluginDefault.model_validate(one) for one in written] if isinstance(written, list) else []
    except ValidationError:
        notes.tell(block.key, f"`{block.key.value}` cannot be read, it stays")
        return
    filled = apply_defaults(document, types, flow=defaults)
    edits: list[Edit] = []
    for name, entry in found.items():
        if name not in _BLOCKS:
            edits += _differences(source, entry.value, filled[name])
    yield from edits
    yield source.drop(source.root, block)


def _differences(source: Source, node: yaml.Node, value: object) -> Iterator[Edit]:
    if isinstance(node, yaml.SequenceNode) and isinstance(value, list):
        for inner, item in zip(node.value, value, strict=False):
            yield from _differences(source, inner, item)
    elif isinstance(node, yaml.MappingNode) and isinstance(value, Mapping):
        yield from _filled(source, node, value)


def _filled(source: Source, node: yaml.MappingNode, value: Mapping[str, object]) -> Iterator[Edit]:
    found = entries(node)
    merged = "<<" in found
    for name, entry in found.items():
        if name not in value:
            continue
        inner = value[name]
        if isinstance(inner, Mapping | list):
            if _is_of_kind(entry.value, inner):
                yield from _differences(source, entry.value, inner)
            else:
                yield source.put_value(node, entry, inner)
        elif _scalar_differs(entry.value, inner):
            yield source.put_value(node, entry, inner)
    lacking = {name: inner for name, inner in value.items() if name not in found and not merged}
    if lacking and found:
        # the values of a plugin stand below its type, those of a map inside it at its end
        place = found.get("type") or list(found.values())[-1]
        yield source.insert_after(node, place, lacking)


def _is_of_kind(node: yaml.Node, value: object) -> bool:
    """Whether a node can be gone through side by side with `value`: both maps, or lists of one length."""
    if isinstance(value, Mapping):
        return isinstance(node, yaml.MappingNode)
    return isinstance(node, yaml.SequenceNode) and isinstance(value, list) and len(node.value) == len(value)


def _scalar_differs(node: yaml.Node, value: object) -> bool:
    if not isinstance(node, yaml.ScalarNode):
        return True
    own = load_document(f"x: {node.value}").value if not node.style and node.value else {"x": node.value or None}
    return not isinstance(own, Mapping) or own["x"] != value
