"""The table of jq functions written in Python, and the checks they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from penstock.expr.jq.values import JqError, shown, type_of

Native = Callable[..., object]
BUILTINS: Final[dict[tuple[str, int], Native]] = {}


def native(name: str, arity: int = 0) -> Callable[[Native], Native]:
    def declare(run: Native) -> Native:
        BUILTINS[name, arity] = run
        return run

    return declare


def need_text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise JqError(f"{type_of(value)} ({shown(value)}) {what}")
    return value


def need_list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise JqError(f"{type_of(value)} ({shown(value)}) {what}")
    return value


def need_number(value: Any, what: str = "number required") -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise JqError(f"{type_of(value)} ({shown(value)}) {what}")
    return value
