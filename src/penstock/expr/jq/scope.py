"""What a running jq program has in sight (variables, labels, functions), and the paths of its values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from penstock.expr.jq.parser import Node
from penstock.expr.jq.values import JqError, shown

Path = tuple[Any, ...] | None
Results = Iterator[tuple[Path, Any]]
# The path of a value that is no part of the input, such as `1`; to go on from there is an error where paths matter.
NOWHERE: Final[Any] = ("nowhere", object())


class BreakSignal(Exception):
    """`break $name` on its way to its label."""

    def __init__(self, label: object) -> None:
        self.label = label
        super().__init__("break")


class Scope:
    """Variables, labels and functions in sight: a chain, so that a closure keeps its own."""

    __slots__ = ("functions", "parent", "variables")

    def __init__(self, parent: Scope | None = None) -> None:
        self.parent = parent
        self.variables: dict[str, object] = {}
        self.functions: dict[tuple[str, int], Function] = {}

    def variable(self, name: str) -> object:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.variables:
                return scope.variables[name]
            scope = scope.parent
        if name == "ENV":
            return {}  # the environment is nobody's business here
        raise JqError(f"${name} is not defined")

    def function(self, name: str, arity: int) -> Function | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope.functions.get((name, arity))
            if found is not None:
                return found
            scope = scope.parent
        return None


class Function:
    """A function of the program, or an argument (which has no parameters), with the scope it was made in."""

    __slots__ = ("body", "parameters", "scope")

    def __init__(self, parameters: tuple[str, ...], body: Node, scope: Scope) -> None:
        self.parameters = parameters
        self.body = body
        self.scope = scope


def as_function(node: Node, scope: Scope) -> Function:
    """An argument as a function without parameters; one that only names another is that other."""
    if node[0] == "call" and not node[2]:
        found = scope.function(node[1], 0)
        if found is not None and not found.parameters:
            return found
    return Function((), node, scope)


def lost(path: Path) -> Path:
    return None if path is None else NOWHERE


def below(path: Path, key: Any, value: Any) -> Path:
    if path is None:
        return None
    if path is NOWHERE:
        raise JqError(f"Invalid path expression with result {shown(value)}")
    return (*path, key)


def holds(operator: str, order: int) -> bool:
    match operator:
        case "==":
            return order == 0
        case "!=":
            return order != 0
        case "<":
            return order < 0
        case "<=":
            return order <= 0
        case ">":
            return order > 0
        case _:
            return order >= 0


def names_in(pattern: Node) -> Iterator[str]:
    """The variables a pattern binds."""
    if pattern[0] == "bind":
        yield pattern[1]
    elif pattern[0] == "bind_list":
        for item in pattern[1]:
            yield from names_in(item)
    else:
        for variable, _, inner in pattern[1]:
            if variable is not None:
                yield variable
            if inner is not None:
                yield from names_in(inner)
