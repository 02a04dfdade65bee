"""How filters and functions are declared, and how a call's arguments find their parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from penstock.expr import nodes
from penstock.expr.errors import EvaluationError, nearest

F = TypeVar("F", bound=Callable[..., object])


class Missing:
    """The type of MISSING, the value of a parameter that a call leaves out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class Operation:
    """A filter or function.

    `run` takes the frame, for a filter its input, then one argument for each of `names`: MISSING where a call leaves it
    out. A `variadic` one takes any number of positional arguments instead. Without names, and not variadic, arguments
    are ignored, as Pebble does. `external` marks a function that needs the outside.
    """

    name: str
    run: Callable[..., object]
    names: tuple[str, ...] = ()
    variadic: bool = False
    external: bool = False


class Table:
    """Operations by name."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._operations: dict[str, Operation] = {}

    def add(self, name: str, *names: str, variadic: bool = False, external: bool = False) -> Callable[[F], F]:
        """Declares the decorated function under a name (several separated by blanks), with its parameters' names."""

        def declare(run: F) -> F:
            for alias in name.split():
                self._operations[alias] = Operation(alias, run, names, variadic, external)
            return run

        return declare

    def get(self, name: str) -> Operation | None:
        """The operation of a name."""
        return self._operations.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._operations)

    def unknown(self, name: str) -> EvaluationError:
        """The error for a name that is not there."""
        close = nearest(name, self._operations)
        hint = f"did you mean `{close}`?" if close else None
        return EvaluationError(f"{self._what} [{name}] does not exist.", hint=hint)


def bind(operation: Operation, arguments: nodes.Arguments) -> list[nodes.Expression | None]:
    """The expression for each parameter, None where the call gives none. Raises EvaluationError for a wrong call."""
    if operation.variadic:
        return [*arguments.positional, *(value for _, value in arguments.named)]
    names = operation.names
    if not names:
        return []
    if len(arguments.positional) > len(names):
        raise EvaluationError(
            f"The argument at position {len(names) + 1} is not allowed. Only {len(names)} argument(s) are allowed.",
            hint=f"`{operation.name}` takes ({', '.join(names)})",
        )
    bound: list[nodes.Expression | None] = [*arguments.positional, *[None] * (len(names) - len(arguments.positional))]
    for name, value in arguments.named:
        if name not in names:
            raise EvaluationError(
                f"The following named argument does not exist: {name}",
                hint=f"`{operation.name}` takes ({', '.join(names)})",
            )
        bound[names.index(name)] = value
    return bound


def given(value: object) -> bool:
    """Whether an argument was given and is not null."""
    return value is not MISSING and value is not None
