"""Closures that more than one kind of node shares, and the shortcuts for what templates do most."""

from __future__ import annotations

from collections.abc import Callable

from penstock.expr import nodes, operators
from penstock.expr.errors import EvaluationError, Position, UndefinedVariable
from penstock.expr.frame import Frame
from penstock.expr.registry import MISSING
from penstock.expr.text import java_text
from penstock.expr.values import PLAIN, UNDEFINED, condition, settle

Run = Callable[[Frame], object]


def absent(_: Frame) -> object:
    return MISSING


def failing(error: EvaluationError) -> Run:
    """A closure that always fails: Kestra reports an unknown filter only when the expression is evaluated."""

    def fail(_: Frame) -> object:
        raise type(error)(error.message, position=error.position, hint=error.hint)

    return fail


def missing(frame: Frame, owner: object, key: object, root: str | None) -> UndefinedVariable:
    name = java_text(frame, key)
    if owner is None:
        hint = f"`{root}` is null, so `{name}` does not exist in it" if root else f"`{name}` was looked up in null"
        return UndefinedVariable(root or name, hint=hint)
    return UndefinedVariable(name, owner=owner)


def context_path(root: str, keys: list[str]) -> Run:
    """Maps below a context variable, up to three keys deep."""
    first, second, third = (*keys, *("",) * (3 - len(keys)))

    def path_1(frame: Frame) -> object:
        try:
            value = frame.variables[root][first]  # pyright: ignore[reportIndexIssue]
        except (KeyError, TypeError):
            return UNDEFINED
        return value if type(value) in PLAIN else settle(frame, value)

    def path_2(frame: Frame) -> object:
        try:
            value = frame.variables[root][first][second]  # pyright: ignore[reportIndexIssue]
        except (KeyError, TypeError):
            return UNDEFINED
        return value if type(value) in PLAIN else settle(frame, value)

    def path_3(frame: Frame) -> object:
        try:
            value = frame.variables[root][first][second][third]  # pyright: ignore[reportIndexIssue]
        except (KeyError, TypeError):
            return UNDEFINED
        return value if type(value) in PLAIN else settle(frame, value)

    return (path_1, path_2, path_3)[len(keys) - 1]


def loop_path(name: str, key: str) -> Run:
    """`row.key` of a variable of the innermost loop."""

    def local_path(frame: Frame) -> object:
        try:
            value = frame.scopes[-1][name][key]  # pyright: ignore[reportOptionalSubscript, reportIndexIssue]
        except (KeyError, TypeError):
            return UNDEFINED
        return value if type(value) in PLAIN else settle(frame, value)

    return local_path


def negation(_: Frame, value: object) -> object:
    if value is None:
        raise EvaluationError("null value given to not() and strict variables is set to true")
    return not condition(value, what='"not"')


def addition(left: Run, right: Run, position: Position) -> Run:
    def addition(frame: Frame) -> object:
        one, other = left(frame), right(frame)
        if type(one) is int and type(other) is int:
            return one + other
        try:
            return operators.add(frame, one, other)
        except EvaluationError as error:
            raise error.at(position) from error.__cause__

    return addition


def equality(left: Run, right: Run, *, negated: bool) -> Run:
    def equality(frame: Frame) -> object:
        one, other = left(frame), right(frame)
        if type(one) is str and type(other) is str:
            return (one == other) is not negated
        return operators.equal(frame, one, other) is not negated

    return equality


def is_long(node: nodes.Expression) -> bool:
    """Whether a number is a Java Long for sure: a literal, or arithmetic with one."""
    match node:
        case nodes.Literal(value):
            return type(value) is int
        case nodes.Unary(operator, operand):
            return operator != "not" and is_long(operand)
        case nodes.Binary(operator, left, right):
            return operator in "+-*/%" and (is_long(left) or is_long(right))
        case _:
            return False
