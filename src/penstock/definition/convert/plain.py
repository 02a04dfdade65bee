"""Names that changed and nothing else: aliases of types, properties, words, functions (engine.md, table D)."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from penstock.definition.convert.rewriting import Edit, Notes, Plugin, Source, entries, items, plugins, scalars, text_of
from penstock.definition.convert.templates import in_templates, replace_name
from penstock.definition.type_index import TypeIndex, target_of

CORE = "io.kestra.plugin.core."
KESTRA = "io.kestra.plugin.kestra."
_MOVED = {
    CORE + "trigger.Toggle": KESTRA + "triggers.Toggle",
    CORE + "execution.Resume": KESTRA + "executions.Resume",
    CORE + "execution.Count": KESTRA + "executions.Count",
    CORE + "log.Fetch": KESTRA + "logs.Fetch",
}
_HTTP_OPTIONS = ("allowFailed", "sslOptions")
_INPUT_TYPES = {"BOOLEAN": "BOOL", "ENUM": "SELECT"}


def convert_types(source: Source, types: TypeIndex, notes: Notes) -> Iterator[Edit]:
    """Older names of types become the present ones; types that moved to another plugin follow it."""
    for plugin in plugins(source.root):
        node = plugin.get("type")
        target = None if plugin.type.startswith(KESTRA) else target_of(plugin.type, types)
        moved = _MOVED.get(target or plugin.type)
        if moved is not None:
            notes.tell(
                plugin.node, f"`{plugin.id}` is now {moved}, which calls the API: it may need an address and a login"
            )
        name = moved or target
        if node is not None and name is not None and name != plugin.type:
            yield source.put(node, name)


def convert_properties(source: Source, types: TypeIndex, notes: Notes) -> Iterator[Edit]:
    """Properties that have another name or place, wherever they stand."""
    top = entries(source.root)
    yield from _routing(source, source.root)
    yield from _retry(source, source.root)
    yield from _inputs(source, top["inputs"].value if "inputs" in top else None)
    for check in items(top["checks"].value if "checks" in top else None):
        found = entries(check)
        if "condition" in found and "when" not in found:
            yield source.rename(found["condition"], "when")
    for plugin in plugins(source.root):
        yield from _routing(source, plugin.node)
        yield from _retry(source, plugin.node)
        yield from _inputs(source, plugin.get("onResume"))
        yield from _of_type(source, plugin, notes)


def _of_type(source: Source, plugin: Plugin, notes: Notes) -> Iterator[Edit]:
    found = plugin.entries
    if plugin.type == CORE + "flow.Pause" and "delay" in found:
        if "pauseDuration" not in found:
            yield source.rename(found["delay"], "pauseDuration")
        else:
            yield source.drop(plugin.node, found["delay"])
    elif plugin.type == CORE + "execution.Exit" and text_of(plugin.get("state")) == "CANCELED":
        yield source.put(found["state"].value, "CANCELLED")
    elif plugin.type == CORE + "debug.Echo" and "format" in found:
        yield source.put(found["type"].value, CORE + "log.Log")
        yield source.rename(found["format"], "message")
    elif plugin.type == CORE + "trigger.Schedule" and "backfill" in found:
        notes.tell(found["backfill"].key, "`backfill` is gone: start one with the API or the UI")
        yield source.drop(plugin.node, found["backfill"])
    elif plugin.type.startswith(CORE + "http.") and not plugin.is_trigger:
        yield from _http_options(source, plugin, notes)


def _http_options(source: Source, plugin: Plugin, notes: Notes) -> Iterator[Edit]:
    """`allowFailed` of HTTP tasks lies below `options` now."""
    found = plugin.entries
    allow = found.get("allowFailed")
    if allow is not None and not plugin.node.flow_style and "options" not in found:
        indent = " " * plugin.node.start_mark.column
        yield Edit(
            allow.key.start_mark.index,
            source.end(allow.value),
            f"options:\n{indent}  allowFailed: {source.raw(allow.value)}",
        )
    elif allow is not None and (inside := entries(plugin.get("options"))):
        yield source.drop(plugin.node, allow)
        if "allowFailed" not in inside:
            options = plugin.get("options")
            assert isinstance(options, yaml.MappingNode)
            yield source.insert_after(options, list(inside.values())[-1], {"allowFailed": _plain(allow.value)})
    if "sslOptions" in found:
        notes.tell(found["sslOptions"].key, f"`sslOptions` of `{plugin.id}` belongs below `options.ssl` now")


def _plain(node: yaml.Node) -> object:
    text = text_of(node)
    return {"true": True, "false": False}.get(text or "", text)


def _routing(source: Source, owner: yaml.Node | None) -> Iterator[Edit]:
    """`workerGroup` of 1.x waits for a worker unless it says otherwise; `workerSelector` fails."""
    found = entries(owner)
    group = found.get("workerGroup")
    if group is None or "workerSelector" in found or not isinstance(group.value, yaml.MappingNode):
        return
    inside = entries(group.value)
    yield source.rename(group, "workerSelector")
    key = inside.get("key")
    if key is not None and isinstance(key.value, yaml.ScalarNode):
        yield source.rename(key, "tags")
        yield source.put(key.value, f"[{source.raw(key.value)}]")
    if "fallback" not in inside and inside:
        last = list(inside.values())[-1]
        if key is not None and last is key:
            return_to = " " * group.value.start_mark.column
            joint = ", fallback: WAIT" if group.value.flow_style else f"\n{return_to}fallback: WAIT"
            end = source.end(key.value)
            yield Edit(end, end, joint)
        else:
            yield source.insert_after(group.value, last, {"fallback": "WAIT"})


def _retry(source: Source, owner: yaml.Node | None) -> Iterator[Edit]:
    retry = entries(owner).get("retry")
    found = entries(retry.value) if retry is not None else {}
    if "maxAttempt" in found and "maxAttempts" not in found:
        yield source.rename(found["maxAttempt"], "maxAttempts")


def _inputs(source: Source, node: yaml.Node | None) -> Iterator[Edit]:
    for one in items(node):
        found = entries(one)
        if not isinstance(one, yaml.MappingNode):
            continue
        kind = found.get("type")
        word = _INPUT_TYPES.get((text_of(kind.value) or "").upper()) if kind else None
        if kind is not None and word is not None:
            yield source.put(kind.value, word)
        if "name" in found and "id" not in found:
            yield source.rename(found["name"], "id")
        required = found.get("required")
        if required is not None and "defaults" in found and text_of(required.value) == "false":
            # 2.0 refuses it: a default always applies, so such an input always has a value
            yield source.drop(one, required)
        yield from _inputs(source, found["inputs"].value if "inputs" in found else None)


def convert_templates(source: Source, types: TypeIndex, notes: Notes) -> Iterator[Edit]:
    """Variables and functions that have another name in templates."""
    for scalar in scalars(source.root) if source.root is not None else ():
        raw = source.raw(scalar)
        changed = in_templates(raw, _template)
        if changed != raw:
            yield source.put(scalar, changed)
        if "iterationOutput(" in raw and changed:
            notes.tell(scalar, "`iterationOutput()` is gone and nothing takes its place")


def _template(template: str) -> str:
    template = replace_name(
        template, r"(?<![\w.])schedule\.(?P<of>date|next|previous)\b", lambda m: f"trigger.{m['of']}"
    )
    template = replace_name(template, r"(?<![\w.])json(?=\()", "fromJson")
    return replace_name(template, r"(?<=\|)(?P<gap>\s*)json\b(?!\()", lambda m: f"{m['gap']}toJson")
