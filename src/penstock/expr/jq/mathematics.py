"""jq functions on numbers and times."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.expr.jq import times
from penstock.expr.jq.table import BUILTINS, native, need_number
from penstock.expr.jq.values import (
    normal,
)

if TYPE_CHECKING:
    from penstock.expr.jq.machine import Machine


def _mathematics(name: str, compute: Callable[[float], float]) -> None:
    @native(name)
    def calculate(machine: Machine, value: Any) -> object:
        number = need_number(value)
        try:
            return normal(compute(number))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf


def _whole(rounding: Callable[[float], int]) -> Callable[[float], float]:
    return lambda number: rounding(number) if math.isfinite(number) else number


for _name, _compute in {
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "trunc": _whole(math.trunc),
    "round": _whole(lambda number: math.floor(abs(number) + 0.5) * (1 if number >= 0 else -1)),
    "nearbyint": _whole(round),
    "rint": _whole(round),
    "sqrt": math.sqrt,
    "cbrt": lambda number: math.copysign(abs(number) ** (1 / 3), number),
    "fabs": abs,
    "abs": abs,
    "exp": math.exp,
    "exp2": lambda number: 2.0**number,
    "exp10": lambda number: 10.0**number,
    "expm1": math.expm1,
    "log": lambda number: math.log(number) if number else -math.inf,
    "log2": lambda number: math.log2(number) if number else -math.inf,
    "log10": lambda number: math.log10(number) if number else -math.inf,
    "log1p": math.log1p,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "significand": lambda number: math.frexp(number)[0] * 2,
    "logb": lambda number: math.frexp(number)[1] - 1,
}.items():
    _mathematics(_name, _compute)


@native("pow", 2)
def power(machine: Machine, value: Any, base: Any, exponent: Any) -> object:
    try:
        return normal(math.pow(need_number(base), need_number(exponent)))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


@native("atan2", 2)
def arc_tangent(machine: Machine, value: Any, y: Any, x: Any) -> object:
    return math.atan2(need_number(y), need_number(x))


@native("fmin", 2)
def lesser(machine: Machine, value: Any, one: Any, other: Any) -> object:
    return min(need_number(one), need_number(other))


@native("fmax", 2)
def greater(machine: Machine, value: Any, one: Any, other: Any) -> object:
    return max(need_number(one), need_number(other))


@native("infinite")
def infinity(machine: Machine, value: Any) -> object:
    return math.inf


@native("nan")
def not_a_number(machine: Machine, value: Any) -> object:
    return math.nan


@native("isinfinite")
def is_infinite(machine: Machine, value: Any) -> object:
    return math.isinf(need_number(value))


@native("isnan")
def is_nan(machine: Machine, value: Any) -> object:
    return math.isnan(need_number(value))


@native("isnormal")
def is_normal(machine: Machine, value: Any) -> object:
    return math.isfinite(need_number(value)) and value != 0


@native("now")
def now(machine: Machine, value: Any) -> object:
    return machine.frame.context.now().timestamp()


BUILTINS["gmtime", 0] = times.gmtime
BUILTINS["localtime", 0] = times.gmtime
BUILTINS["mktime", 0] = times.mktime
BUILTINS["strftime", 1] = times.strftime
BUILTINS["strflocaltime", 1] = times.strftime
BUILTINS["strptime", 1] = times.strptime
