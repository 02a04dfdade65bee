"""The words of the language, for documentation and completion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from penstock.expr.registry import Table

TAGS: Final = ("block", "filter", "for", "if", "macro", "raw", "set", "verbatim")
OPERATORS: Final = (
    *("or", "and", "is", "is not", "contains", "==", "equals", "!=", ">", "<", ">=", "<="),
    *("??", "???", "isIn", "+", "-", "*", "/", "%", "|", "~", "..", "not", "? :"),
)


@dataclass(frozen=True, slots=True)
class Word:
    """A filter, function or test: `kind`, its name, the names of its parameters, and a sentence about it.

    `variadic` ones take any number of arguments, `external` functions need the outside.
    """

    kind: str
    name: str
    parameters: tuple[str, ...]
    description: str
    variadic: bool
    external: bool


def vocabulary() -> tuple[Word, ...]:
    """All filters, functions and tests, by kind and name."""
    from penstock.expr.filters import FILTERS
    from penstock.expr.functions import FUNCTIONS
    from penstock.expr.predicates import PREDICATES

    defined = Word("test", "defined", (), "Whether it exists and is not null.", variadic=False, external=False)
    block = Word("function", "block", ("name",), "The text of a block.", variadic=False, external=False)
    words = [defined, block, *_words("filter", FILTERS), *_words("function", FUNCTIONS), *_words("test", PREDICATES)]
    return tuple(sorted(words, key=lambda word: (word.kind, word.name.lower())))


def _words(kind: str, table: Table) -> Iterator[Word]:
    for name in table:
        operation = table.get(name)
        if operation is not None:
            described = (operation.run.__doc__ or "").strip().split("\n")[0]
            yield Word(kind, name, operation.names, described, operation.variadic, operation.external)
