"""Tokens -> expression nodes, by precedence climbing over Kestra 2.0's operator table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from penstock.expr import nodes
from penstock.expr.errors import Position, TemplateSyntaxError
from penstock.expr.lexer import Kind, Token

MAX_DEPTH: Final = 120
"""How deep expressions and tags may nest, and how long a chain of operators may be."""

PRECEDENCE: Final = {
    "or": 10,
    "and": 15,
    "is": 20,
    "is not": 20,
    "contains": 20,
    "==": 30,
    "equals": 30,
    "!=": 30,
    ">": 30,
    "<": 30,
    ">=": 30,
    "<=": 30,
    "??": 30,
    "???": 30,
    "isIn": 30,
    "+": 40,
    "-": 40,
    "*": 60,
    "/": 60,
    "%": 60,
    "|": 100,
    "~": 110,
    "..": 120,
}
_UNARY: Final = 500
_UNARY_OPERATORS: Final = frozenset({"not", "-", "+"})
_CONSTANTS: Final = {
    "true": True,
    "TRUE": True,
    "false": False,
    "FALSE": False,
    "null": None,
    "NULL": None,
    "none": None,
    "NONE": None,
}
_RESERVED: Final = frozenset({"true", "false", "null", "none"})
_NAME_HINTS: Final = {
    "if": "Pebble has no `a if c else b`: write `c ? a : b`",
    "in": "`in` belongs to the `for` tag: write `x isIn list` or `list contains x`",
    "matches": "there is no `matches`: use the filter `regexMatch`",
    "else": "write `c ? a : b`",
    "eq": "write `==`",
    "ne": "write `!=`",
}


class Tokens:
    """A cursor over the tokens of one template, and its syntax errors."""

    __slots__ = ("_index", "_tokens", "current", "depth", "source")

    def __init__(self, source: str, tokens: Sequence[Token]) -> None:
        self.source = source
        self.depth = 0
        self._tokens = tokens
        self._index = 0
        self.current = tokens[0]

    def next(self) -> Token:
        """Moves on, and returns the token moved to; the last token is EOF and stays."""
        if self._index < len(self._tokens) - 1:
            self._index += 1
        self.current = self._tokens[self._index]
        return self.current

    def peek(self) -> Token:
        """The token after the current one."""
        return self._tokens[min(self._index + 1, len(self._tokens) - 1)]

    def at(self, kind: Kind, value: str | None = None) -> bool:
        """Whether the current token is of this kind (and text)."""
        return self.current.kind is kind and (value is None or self.current.value == value)

    def expect(self, kind: Kind, value: str | None = None) -> Token:
        """Moves past a token that must be there, and returns it."""
        token = self.current
        if not self.at(kind, value):
            raise self.unexpected(token, kind, value)
        self.next()
        return token

    def unexpected(self, token: Token, kind: Kind, value: str | None = None) -> TemplateSyntaxError:
        wanted = kind.name + (f' with value "{value}"' if value else "")
        message = (
            f'Unexpected token of value "{token.value}" and type {token.kind.name}, expected token of type {wanted}'
        )
        hint = _NAME_HINTS.get(token.value) if token.kind is Kind.NAME else None
        if token.kind is Kind.PUNCTUATION and token.value == "[":
            hint = "a list or map literal takes no `[…]`: put it in parentheses first"
        return self.error(message, token.offset, hint)

    def error(self, message: str, offset: int, hint: str | None = None) -> TemplateSyntaxError:
        """A syntax error at an offset."""
        return TemplateSyntaxError(message, position=Position(self.source, offset), hint=hint)

    def enter(self) -> None:
        """One level deeper; TemplateSyntaxError beyond MAX_DEPTH."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"Nested deeper than {MAX_DEPTH} levels", self.current.offset)

    def leave(self) -> None:
        self.depth -= 1


def expression(tokens: Tokens, minimum: int = 0) -> nodes.Expression:
    """One expression whose operators bind at least as tight as `minimum`; 0 includes the ternary."""
    tokens.enter()
    left = _operand(tokens)
    chain = 0
    while tokens.current.kind is Kind.OPERATOR:
        operator = tokens.current
        precedence = PRECEDENCE.get(operator.value)
        if precedence is None or precedence < minimum:
            break
        chain += 1
        if chain > MAX_DEPTH and operator.value != "~":
            raise tokens.error(f"More than {MAX_DEPTH} operators in a row", operator.offset)
        tokens.next()
        left = _infix(tokens, left, operator, precedence)
    tokens.leave()
    return _ternary(tokens, left) if minimum == 0 else left


def _operand(tokens: Tokens) -> nodes.Expression:
    token = tokens.current
    if token.kind is Kind.OPERATOR and token.value in _UNARY_OPERATORS:
        tokens.next()
        return nodes.Unary(token.value, expression(tokens, _UNARY), token.offset)
    if token.kind is Kind.PUNCTUATION:
        if token.value == "(":
            tokens.next()
            inner = expression(tokens)
            tokens.expect(Kind.PUNCTUATION, ")")
            return _postfix(tokens, inner)
        if token.value == "[":
            return _list(tokens)
        if token.value == "{":
            return _map(tokens)
    return _postfix(tokens, _simple(tokens))


def _infix(tokens: Tokens, left: nodes.Expression, operator: Token, precedence: int) -> nodes.Expression:
    symbol = operator.value
    if symbol == "|":
        name, arguments, offset = filter_call(tokens)
        return nodes.Filter(left, name, arguments, offset)
    if symbol in ("is", "is not"):
        name = tokens.expect(Kind.NAME)
        if tokens.at(Kind.PUNCTUATION, "("):
            arguments_of(tokens)
        return nodes.Test(left, name.value, symbol == "is not", name.offset)
    right = expression(tokens, precedence + 1)
    if symbol != "~":
        return nodes.Binary("==" if symbol == "equals" else symbol, left, right, operator.offset)
    parts = left.parts if isinstance(left, nodes.Concat) else (left,)
    return nodes.Concat((*parts, right), operator.offset)


def _ternary(tokens: Tokens, condition: nodes.Expression) -> nodes.Expression:
    if not tokens.at(Kind.PUNCTUATION, "?"):
        return condition
    tokens.enter()
    offset = tokens.current.offset
    tokens.next()
    yes = expression(tokens)
    tokens.expect(Kind.PUNCTUATION, ":")
    no = expression(tokens)
    tokens.leave()
    return nodes.Ternary(condition, yes, no, offset)


def _simple(tokens: Tokens) -> nodes.Expression:
    token = tokens.current
    if token.kind is Kind.NAME:
        return _name(tokens, token)
    if token.kind is Kind.LONG or (token.kind is Kind.NUMBER and "." not in token.value):
        tokens.next()
        return nodes.Literal(_long(tokens, token), token.offset)
    if token.kind is Kind.NUMBER:
        tokens.next()
        return nodes.Literal(float(token.value), token.offset)
    if token.kind in (Kind.STRING, Kind.STRING_INTERPOLATION_START):
        return _string(tokens)
    raise tokens.error(f'Unexpected token "{token.kind.name}" of value "{token.value}"', token.offset, _missing(token))


def _missing(token: Token) -> str | None:
    if token.kind in (Kind.PRINT_END, Kind.EXECUTE_END):
        return "an expression is missing here"
    if token.kind is Kind.PUNCTUATION and token.value in ")]}":
        return f"a value is missing before `{token.value}`; a trailing comma is not allowed"
    if token.kind is Kind.OPERATOR:
        return f"a value is missing on a side of `{token.value}`"
    return None


def _long(tokens: Tokens, token: Token) -> int:
    if len(token.value) > 19 or int(token.value) > 2**63 - 1:
        raise tokens.error(f"The number {token.value[:40]} is too large", token.offset)
    return int(token.value)


def _name(tokens: Tokens, token: Token) -> nodes.Expression:
    following = tokens.peek()
    tokens.next()
    if token.value in _CONSTANTS:
        return nodes.Literal(_CONSTANTS[token.value], token.offset)
    if following.kind is Kind.PUNCTUATION and following.value == "(":
        return nodes.Call(token.value, arguments_of(tokens), token.offset)
    return nodes.Name(token.value, token.offset)


def _string(tokens: Tokens) -> nodes.Expression:
    start = tokens.current.offset
    parts: list[nodes.Expression] = []
    previous: Kind | None = None
    while True:
        token = tokens.current
        if token.kind is Kind.STRING and previous is not Kind.STRING:
            parts.append(nodes.Literal(token.value, token.offset))
            tokens.next()
            previous = Kind.STRING
        elif token.kind is Kind.STRING_INTERPOLATION_START:
            tokens.next()
            parts.append(expression(tokens))
            tokens.expect(Kind.STRING_INTERPOLATION_END)
            previous = Kind.STRING_INTERPOLATION_END
        else:
            return parts[0] if len(parts) == 1 else nodes.Concat(tuple(parts), start)


def _postfix(tokens: Tokens, node: nodes.Expression) -> nodes.Expression:
    length = 0
    while tokens.current.kind is Kind.PUNCTUATION and tokens.current.value in ".[(":
        length += 1
        if length > MAX_DEPTH:
            raise tokens.error(f"More than {MAX_DEPTH} attributes in a row", tokens.current.offset)
        if tokens.current.value == ".":
            node = _dot(tokens, node)
        elif tokens.current.value == "[":
            node = _subscript(tokens, node)
        else:
            raise tokens.error(
                'Unexpected token "PUNCTUATION" of value "("', tokens.current.offset, "only a function is called"
            )
    return node


def _dot(tokens: Tokens, owner: nodes.Expression) -> nodes.Expression:
    tokens.next()
    token = tokens.current
    if token.kind is Kind.OPERATOR and token.value.isidentifier() and token.value != "is not":
        tokens.next()  # a key named like an operator (`a.contains`): Pebble refuses it, nothing speaks against it
    else:
        token = tokens.expect(Kind.NAME)
    call = None
    if tokens.at(Kind.PUNCTUATION, "("):
        call = arguments_of(tokens)
        if call.named:
            raise tokens.error("Can not use named arguments when calling a bean method", token.offset)
    return nodes.Attribute(owner, nodes.Literal(token.value, token.offset), token.offset, call)


def _subscript(tokens: Tokens, owner: nodes.Expression) -> nodes.Expression:
    tokens.next()
    key = expression(tokens)
    tokens.expect(Kind.PUNCTUATION, "]")
    return nodes.Attribute(owner, key, key.offset)


def _list(tokens: Tokens) -> nodes.Expression:
    start = tokens.expect(Kind.PUNCTUATION, "[")
    items: list[nodes.Expression] = []
    while not tokens.at(Kind.PUNCTUATION, "]") or items:
        items.append(expression(tokens))
        if tokens.at(Kind.PUNCTUATION, "]"):
            break
        tokens.expect(Kind.PUNCTUATION, ",")
    tokens.expect(Kind.PUNCTUATION, "]")
    return nodes.ListLiteral(tuple(items), start.offset)


def _map(tokens: Tokens) -> nodes.Expression:
    start = tokens.expect(Kind.PUNCTUATION, "{")
    entries: list[tuple[nodes.Expression, nodes.Expression]] = []
    while not tokens.at(Kind.PUNCTUATION, "}") or entries:
        key = expression(tokens)
        tokens.expect(Kind.PUNCTUATION, ":")
        entries.append((key, expression(tokens)))
        if tokens.at(Kind.PUNCTUATION, "}"):
            break
        tokens.expect(Kind.PUNCTUATION, ",")
    tokens.expect(Kind.PUNCTUATION, "}")
    return nodes.MapLiteral(tuple(entries), start.offset)


def filter_call(tokens: Tokens) -> tuple[str, nodes.Arguments, int]:
    """The name, arguments and offset of a filter, after its `|`."""
    name = tokens.expect(Kind.NAME)
    arguments = arguments_of(tokens) if tokens.at(Kind.PUNCTUATION, "(") else nodes.Arguments()
    return name.value, arguments, name.offset


def new_name(tokens: Tokens) -> str:
    """A name that is about to be given a value."""
    token = tokens.expect(Kind.NAME)
    if token.value in _RESERVED:
        raise tokens.error(f"Can not assign a value to {token.value}", token.offset)
    return token.value


def arguments_of(tokens: Tokens) -> nodes.Arguments:
    """`(a, b, name=c)`."""
    tokens.expect(Kind.PUNCTUATION, "(")
    positional: list[nodes.Expression] = []
    named: list[tuple[str, nodes.Expression | None]] = []
    while not tokens.at(Kind.PUNCTUATION, ")"):
        if positional or named:
            tokens.expect(Kind.PUNCTUATION, ",")
        following = tokens.peek()
        if following.kind is Kind.PUNCTUATION and following.value == "=":
            name = new_name(tokens)
            tokens.next()
            named.append((name, expression(tokens)))
        elif named:
            raise tokens.error(
                "Positional arguments must be declared before any named arguments.", tokens.current.offset
            )
        else:
            positional.append(expression(tokens))
    tokens.expect(Kind.PUNCTUATION, ")")
    return nodes.Arguments(tuple(positional), tuple(named))


def parameters_of(tokens: Tokens) -> nodes.Arguments:
    """`(a, b=default)` of a macro."""
    tokens.expect(Kind.PUNCTUATION, "(")
    named: list[tuple[str, nodes.Expression | None]] = []
    while not tokens.at(Kind.PUNCTUATION, ")"):
        if named:
            tokens.expect(Kind.PUNCTUATION, ",")
        name = new_name(tokens)
        default = None
        if tokens.at(Kind.PUNCTUATION, "="):
            tokens.next()
            default = expression(tokens)
        named.append((name, default))
    tokens.expect(Kind.PUNCTUATION, ")")
    return nodes.Arguments((), tuple(named))
