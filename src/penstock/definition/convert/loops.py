"""ForEach, EachSequential and EachParallel become Loop, and the templates inside read `item` (engine.md 3.6, 3.7).

An iteration of a Loop has a life of its own: its tasks' outputs are read plainly from inside and not at all from outside
unless the loop declares them, so such reads are told and left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from penstock.definition.convert.plain import CORE
from penstock.definition.convert.rewriting import Edit, Notes, Plugin, Source, plugins, scalars, text_of
from penstock.definition.convert.templates import in_templates, outputs_read, replace_name
from penstock.definition.type_index import TypeIndex

_OLD = {CORE + "flow.ForEach": "1", CORE + "flow.EachSequential": "1", CORE + "flow.EachParallel": "0"}
_LOOP = CORE + "flow.Loop"
_WITH_OUTPUTS = (CORE + "flow.If", CORE + "flow.Switch", CORE + "flow.LoopUntil")
_ITEM = r"item(?:\.parent|\.parents\[\d+\])?\.value"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a template stands: the task it belongs to and the loops around it that change, outermost first."""

    task: Plugin
    loops: tuple[Plugin, ...]


def convert_loops(source: Source, types: TypeIndex, notes: Notes) -> Iterator[Edit]:
    """Every loop of 1.x that no Loop of 2.0 lies around or inside of."""
    found = list(plugins(source.root))
    mixed = _mixed(found)
    for loop in mixed:
        notes.tell(
            loop.node,
            f"`{loop.id}` and a Loop lie inside one another: "
            "`item` would mean another iteration, convert them together",
        )
    loops = [one for one in found if one.type in _OLD and one not in mixed]
    for loop in loops:
        yield from _loop(source, loop, notes)
    yield from _templates(source, found, loops, notes)
    _tell_outside_reads(source, loops, notes)


def _mixed(found: Sequence[Plugin]) -> list[Plugin]:
    pairs = [(one, outer) for one in found for outer in one.above if {one.type, outer.type} & {_LOOP}]
    return [p for p in found if p.type in _OLD and any(p in pair and _is_loop(pair) for pair in pairs)]


def _is_loop(pair: tuple[Plugin, Plugin]) -> bool:
    return all(one.type == _LOOP or one.type in _OLD for one in pair)


def _loop(source: Source, loop: Plugin, notes: Notes) -> Iterator[Edit]:
    found = loop.entries
    yield source.put(found["type"].value, _LOOP)
    values = found.get("values") or found.get("value")
    if values is not None and values.key.value == "value":
        yield source.rename(values, "values")
    if "concurrent" in found:
        yield source.rename(found["concurrent"], "concurrencyLimit")
    elif "concurrencyLimit" not in found:
        yield source.insert_after(loop.node, found["type"], {"concurrencyLimit": int(_OLD[loop.type])})
    for name in ("errors", "finally"):
        if name in found:
            notes.tell(
                found[name].key,
                f"`{name}` of `{loop.id}` runs once per iteration in a Loop, "
                f"where it ran once for all of {loop.type.rpartition('.')[2]}",
            )


def _templates(source: Source, found: Sequence[Plugin], loops: Sequence[Plugin], notes: Notes) -> Iterator[Edit]:
    owners: dict[int, _Place] = {}
    for task in (one for one in found if one.is_task):
        around = tuple(outer for outer in task.above if outer in loops)
        for scalar in scalars(task.node):
            owners[id(scalar)] = _Place(task, around)  # inner tasks come later and take what is theirs
    inside = {loop.id: _ids_inside(loop) for loop in loops}
    for scalar in scalars(source.root) if source.root is not None else ():
        place = owners.get(id(scalar))
        if place is None or not place.loops:
            continue
        raw = source.raw(scalar)
        siblings = set().union(*(inside[loop.id] for loop in place.loops))
        changed = in_templates(raw, lambda text, at=place, ids=siblings: _template(text, at, ids))
        if changed != raw:
            yield source.put(scalar, changed)
        _tell_unclear(source, scalar, changed, notes)


def _template(template: str, place: _Place, siblings: set[str]) -> str:
    """`taskrun.value`, `parent…` and `parents[n]…` become `item…`; keys of iterations behind `outputs.<id>` go."""
    steps = _steps(place)

    def climb(found: re.Match[str]) -> str:
        which = int(found["n"]) if found["n"] else 0
        item = steps[which] if which < len(steps) else None
        return found[0] if item is None else f"{item}.{'value' if found['of'] == 'value' else 'index'}"

    template = replace_name(
        template, r"(?<![\w.])(?:parents\[(?P<n>\d+)\]|parent)\.taskrun\.(?P<of>value|iteration)\b", climb
    )
    template = replace_name(template, r"(?<![\w.])(?:workerTaskrun|taskrun)\.value\b", "item.value")
    template = replace_name(template, r"(?<![\w.])taskrun\.iteration\b", "item.index")
    template = re.sub(r"(?<![\w.])currentEachOutput\(\s*([^()]+?)\s*\)", r"\1", template)
    for name in siblings:
        plain = re.escape(name)
        template = re.sub(
            rf"(?<![\w.])(outputs(?:\.{plain}(?![\w-])|\[\\?[\"']{plain}\\?[\"']\]))(?:\[\s*{_ITEM}\s*\])+",
            r"\1",
            template,
        )
    return template


def _steps(place: _Place) -> list[str | None]:
    """What `parents[0]`, `parents[1]` … stand for: an `item…`, or None for an ancestor without a value."""
    found: list[str | None] = []
    ancestors = [one for one in place.task.above if one.is_task]
    for depth in range(len(ancestors) - 1, -1, -1):
        outer = ancestors[depth - 1] if depth else None
        if outer is not None and outer in place.loops:
            found.append(_item(place.loops.index(outer), len(place.loops)))
        elif ancestors[depth].type in _WITH_OUTPUTS:
            found.append(None)
    return found


def _item(index: int, count: int) -> str:
    """The iteration of the loop `index`, of `count` loops counted from the outermost."""
    if index == count - 1:
        return "item"
    return "item.parent" if index == count - 2 else f"item.parents[{index}]"


def _ids_inside(loop: Plugin) -> set[str]:
    return {one.id for one in plugins_below(loop) if one.is_task}


def plugins_below(loop: Plugin) -> Iterator[Plugin]:
    """The plugins inside a loop."""
    yield from plugins(_wrapped(loop))


def _wrapped(loop: Plugin) -> yaml.MappingNode:
    """The inside of a loop as a document of its own, so that it can be walked like one."""
    kept = [pair for pair in loop.node.value if text_of(pair[0]) in ("tasks", "errors", "finally")]
    return yaml.MappingNode("tag:yaml.org,2002:map", kept, loop.node.start_mark, loop.node.end_mark)


def _tell_unclear(source: Source, scalar: yaml.ScalarNode, changed: str, notes: Notes) -> None:
    left = re.search(r"\b(?:parent|parents\[[^\]]*\])\.(?:taskrun|outputs)\b", changed)
    if left is not None:
        notes.tell(scalar, f"`{left[0]}` has no counterpart among `item.parent` and `item.parents`")


def _tell_outside_reads(source: Source, loops: Sequence[Plugin], notes: Notes) -> None:
    """Each read of an output from outside of a loop that its task lies in, one note for each such loop."""
    if not loops or source.root is None:
        return
    around_task: dict[str, list[Plugin]] = {}
    around_text: dict[int, set[int]] = {}
    for loop in loops:
        for name in _ids_inside(loop):
            around_task.setdefault(name, []).append(loop)
        for scalar in scalars(_wrapped(loop)):
            around_text.setdefault(id(scalar), set()).add(id(loop))
    for scalar in scalars(source.root):
        inside = around_text.get(id(scalar), set())
        for name in sorted(outputs_read(source.raw(scalar)) & around_task.keys()):
            for loop in (one for one in around_task[name] if id(one) not in inside):
                notes.tell(
                    scalar,
                    f"`outputs.{name}` is read outside of the loop `{loop.id}`: declare it under `outputs` of the loop and "
                    f"read `loopOutputs(outputs.{loop.id}.outputs, '<output id>')`",
                )
