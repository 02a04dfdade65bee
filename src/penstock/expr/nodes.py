"""The tree of a template: expressions and the parts of a body. Each node knows the offset it starts at."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number, boolean or null."""

    value: str | int | float | bool | None
    offset: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable of the context or of the template."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Attribute:
    """`owner.name` or `owner[key]`; `call` holds the arguments of `owner.name(…)`."""

    owner: Expression
    key: Expression
    offset: int
    call: Arguments | None = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """Positional, then named arguments; a macro's parameters have a name and perhaps no value."""

    positional: tuple[Expression, ...] = ()
    named: tuple[tuple[str, Expression | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A function or macro called by name."""

    name: str
    arguments: Arguments
    offset: int


@dataclass(frozen=True, slots=True)
class Filter:
    """`operand | name(arguments)`."""

    operand: Expression
    name: str
    arguments: Arguments
    offset: int


@dataclass(frozen=True, slots=True)
class Test:
    """`operand is name` or `operand is not name`."""

    operand: Expression
    name: str
    negated: bool
    offset: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`not`, `-` or `+`."""

    operator: str
    operand: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary operator; `offset` is that of the operator."""

    operator: str
    left: Expression
    right: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Concat:
    """Texts joined by `~`, or the parts of an interpolated text."""

    parts: tuple[Expression, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Ternary:
    """`condition ? yes : no`."""

    condition: Expression
    yes: Expression
    no: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, b]`."""

    items: tuple[Expression, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{key: value}`; keys are expressions."""

    entries: tuple[tuple[Expression, Expression], ...]
    offset: int


Expression = (
    Literal | Name | Attribute | Call | Filter | Test | Unary | Binary | Concat | Ternary | ListLiteral | MapLiteral
)


@dataclass(frozen=True, slots=True)
class Text:
    """Text outside of delimiters; `protected` text (raw, verbatim) survives a second rendering."""

    value: str
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Print:
    """`{{ value }}`."""

    value: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class If:
    """`{% if %}` with its `elseif` branches in order, and `{% else %}`."""

    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body | None
    offset: int


@dataclass(frozen=True, slots=True)
class For:
    """`{% for variable in iterable %}`."""

    variable: str
    iterable: Expression
    body: Body
    otherwise: Body | None
    offset: int


@dataclass(frozen=True, slots=True)
class Set:
    """`{% set name = value %}`."""

    name: str
    value: Expression
    offset: int


@dataclass(frozen=True, slots=True)
class Macro:
    """`{% macro name(parameters) %}`; renders nothing where it stands."""

    name: str
    parameters: Arguments
    body: Body
    offset: int


@dataclass(frozen=True, slots=True)
class Block:
    """`{% block name %}`; renders in place and again where `block(name)` is called."""

    name: str
    body: Body
    offset: int


@dataclass(frozen=True, slots=True)
class FilterTag:
    """`{% filter a | b %}`; the filters are applied to the rendered body in turn."""

    filters: tuple[tuple[str, Arguments, int], ...]
    body: Body
    offset: int


Part = Text | Print | If | For | Set | Macro | Block | FilterTag
Body = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole template."""

    source: str
    body: Body
    macros: dict[str, Macro] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    local_names: frozenset[str] = frozenset()
