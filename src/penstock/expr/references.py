"""What a template reads, found in its tree without rendering it.

The plan uses it so that a job carries only the outputs its templates name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from penstock.expr import nodes
from penstock.expr.errors import TemplateSyntaxError


class _Open(str):
    """The mark of a key that is only known when rendering; compare with `is`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "OPEN"


OPEN: Final = _Open("*")
"""Stands in a path where a computed key begins: everything below that point may be read."""


@dataclass(frozen=True, slots=True)
class References:
    """The names a template reads.

    `outputs` holds paths below `outputs`: `("task", "attr")` reads exactly that; a last element that `is OPEN` means
    that the key there is computed (`("task", OPEN)`, or `(OPEN,)` for any task). `inputs`, `vars`, `secrets` and `kv`
    are first keys, OPEN among them where one is computed. `variables` are the names read at the root of the context.
    `external` tells that a function needs the outside, `open_render` that `render()` runs text that is not known here
    (so it may read anything), `whole_context` that the template takes all variables at once.
    """

    outputs: tuple[tuple[str, ...], ...] = ()
    inputs: frozenset[str] = frozenset()
    vars: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    kv: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    external: bool = False
    open_render: bool = False
    whole_context: bool = False

    @property
    def tasks(self) -> frozenset[str]:
        """The ids of the tasks whose outputs are read by name."""
        return frozenset(path[0] for path in self.outputs if path[0] is not OPEN)

    @property
    def any_output(self) -> bool:
        """Whether outputs of tasks that are not named may be read."""
        return self.open_render or self.whole_context or any(path[0] is OPEN for path in self.outputs)

    def union(self, other: References) -> References:
        """What either of two reads."""
        return References(
            tuple(dict.fromkeys((*self.outputs, *other.outputs))),
            self.inputs | other.inputs,
            self.vars | other.vars,
            self.variables | other.variables,
            self.secrets | other.secrets,
            self.kv | other.kv,
            self.functions | other.functions,
            self.external or other.external,
            self.open_render or other.open_render,
            self.whole_context or other.whole_context,
        )


EMPTY: Final = References()
_IMPLIED: Final = {
    "env": ("envs",),
    "tasksWithState": ("tasks",),
    "currentEachOutput": ("parents", "taskrun"),
    "iterationOutput": ("outputs", "task", "taskrun"),
}
_MAX_NESTED_TEXTS: Final = 20


def references_of(tree: nodes.Tree) -> References:
    """Everything a template reads. A name the template itself may define counts as read all the same."""
    collector = _Collector()
    collector.walk(tree.body)
    return collector.result()


@dataclass
class _Collector:
    depth: int = 0
    outputs: dict[tuple[str, ...], None] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)
    vars: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    kv: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    nested: list[References] = field(default_factory=list)
    open_render: bool = False
    whole_context: bool = False

    def result(self) -> References:
        from penstock.expr.functions import FUNCTIONS

        external = any(operation.external for name in self.functions if (operation := FUNCTIONS.get(name)))
        found = References(
            tuple(self.outputs),
            frozenset(self.inputs),
            frozenset(self.vars),
            frozenset(self.variables),
            frozenset(self.secrets),
            frozenset(self.kv),
            frozenset(self.functions),
            external,
            self.open_render,
            self.whole_context,
        )
        for nested in self.nested:
            found = found.union(nested)
        return found

    def walk(self, item: object) -> None:
        """Notes what an item of the tree reads, and everything below it."""
        if isinstance(item, nodes.Attribute):
            self._attribute(item)
        elif isinstance(item, nodes.Name):
            self._path(item.name, ())
        elif isinstance(item, nodes.Call):
            self._call(item)
        elif isinstance(item, tuple):
            for inner in item:
                self.walk(inner)
        elif dataclasses.is_dataclass(item):
            for inner in _children(item):
                self.walk(inner)

    def _attribute(self, node: nodes.Attribute) -> None:
        """A chain of attributes down to its root; keys that are computed are walked on their own."""
        keys: list[str] = []
        owner: nodes.Expression = node
        while isinstance(owner, nodes.Attribute):
            if owner.call is not None:
                keys = []
                self.walk(owner.call)
            elif isinstance(owner.key, nodes.Literal) and owner.key.value is not None:
                keys.append(str(owner.key.value))
            else:
                keys.append(OPEN)
                self.walk(owner.key)
            owner = owner.owner
        keys.reverse()
        if isinstance(owner, nodes.Name):
            self._path(owner.name, tuple(keys))
        else:
            self.walk(owner)

    def _path(self, root: str, keys: tuple[str, ...]) -> None:
        self.variables.add(root)
        if root == "_context":
            self.whole_context = True
        elif root == "outputs":
            self.outputs[_closed(keys)] = None
        elif root in ("inputs", "vars"):
            names = self.inputs if root == "inputs" else self.vars
            names.add(keys[0] if keys else OPEN)

    def _call(self, node: nodes.Call) -> None:
        self.functions.add(node.name)
        self.variables.update(_IMPLIED.get(node.name, ()))
        arguments = node.arguments
        if node.name == "secret":
            self.secrets.add(_literal_argument(arguments, "key"))
        elif node.name == "kv":
            self.kv.add(_literal_argument(arguments, "key"))
        elif node.name in ("render", "renderOnce"):
            self._rendered(arguments)
        elif node.name in ("fetchContext", "printContext"):
            self.whole_context = True
        elif node.name == "iterationOutput":
            self.outputs[(_literal_argument(arguments, "taskId"),)] = None
        self.walk(arguments)

    def _rendered(self, arguments: nodes.Arguments) -> None:
        text = _literal_argument(arguments, "toRender")
        if text is OPEN or self.depth >= _MAX_NESTED_TEXTS:
            self.open_render = True
            return
        from penstock.expr.tags import parse

        try:
            tree = parse(text)
        except TemplateSyntaxError:
            return  # it fails when rendered, and reads nothing
        inner = _Collector(depth=self.depth + 1)
        inner.walk(tree.body)
        # Rendered until nothing changes: what a variable of the text holds may be a template itself.
        recursive = dict(arguments.named).get("recursive", nodes.Literal(True, 0))
        if inner.variables and not (isinstance(recursive, nodes.Literal) and recursive.value is False):
            inner.open_render = True
        self.nested.append(inner.result())


def _closed(keys: tuple[str, ...]) -> tuple[str, ...]:
    """A path up to its first computed key; no key at all is any task."""
    for index, key in enumerate(keys):
        if key is OPEN:
            return (*keys[:index], OPEN)
    return keys or (OPEN,)


def _literal_argument(arguments: nodes.Arguments, name: str) -> str:
    """The text of the first or named argument when it is written out, else OPEN."""
    value = dict(arguments.named).get(name, arguments.positional[0] if arguments.positional else None)
    if isinstance(value, nodes.Literal) and isinstance(value.value, str):
        return value.value
    return OPEN


def _children(item: object) -> Iterator[object]:
    for inner in dataclasses.fields(item):  # pyright: ignore[reportArgumentType]
        yield getattr(item, inner.name)
