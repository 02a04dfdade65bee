"""Tokens -> the tree of a template: text, prints and tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from penstock.expr import nodes
from penstock.expr.lexer import Kind, Token, tokenize
from penstock.expr.parser import Tokens, expression, filter_call, new_name, parameters_of

_TAG_HINTS: Final = {
    "elif": "the tag is called `elseif`",
    "raw": "a `raw` block must not cross a line break: use `{% verbatim %}…{% endverbatim %}`",
    "include": "Kestra has no `include`: use `render(read('file'))`",
    "endset": "`set` has no block form: write `{% set name = value %}`",
    "else": "there is no open `if` or `for`",
    "autoescape": "nothing is escaped in the first place",
}


def parse(source: str) -> nodes.Tree:
    """The tree of a template. Raises TemplateSyntaxError."""
    parser = _TemplateParser(source)
    body = parser.body(())
    return nodes.Tree(source, body, parser.macros, parser.blocks, frozenset(parser.local_names))


class _TemplateParser:
    """Walks the tokens of one template; collects macros, blocks and the names the template itself defines."""

    def __init__(self, source: str) -> None:
        self.tokens = Tokens(source, tokenize(source))
        self.macros: dict[str, nodes.Macro] = {}
        self.blocks: dict[str, nodes.Block] = {}
        self.local_names: set[str] = set()

    def body(self, ends: tuple[str, ...]) -> nodes.Body:
        """Parts up to one of the `ends` tags (the cursor stands on its name), or to the end of the template."""
        tokens = self.tokens
        tokens.enter()
        parts: list[nodes.Part] = []
        while not tokens.at(Kind.EOF):
            token = tokens.current
            if token.kind is Kind.TEXT or token.kind is Kind.RAW:
                parts.append(nodes.Text(token.value, token.kind is Kind.RAW))
                tokens.next()
            elif token.kind is Kind.PRINT_START:
                tokens.next()
                parts.append(nodes.Print(expression(tokens), token.offset))
                tokens.expect(Kind.PRINT_END)
            else:
                tokens.expect(Kind.EXECUTE_START)
                if tokens.current.value in ends and tokens.at(Kind.NAME):
                    tokens.leave()
                    return tuple(parts)
                parts.append(self._tag(tokens.current))
        if ends:
            wanted = ends[-1]
            raise tokens.error(
                f'Unexpected end of template. Pebble was looking for the "{wanted}" tag',
                tokens.current.offset,
                f"add `{{% {wanted} %}}`",
            )
        tokens.leave()
        return tuple(parts)

    def _tag(self, token: Token) -> nodes.Part:
        if token.kind is not Kind.NAME:
            raise self.tokens.unexpected(token, Kind.NAME)
        parse_tag = _TAGS.get(token.value)
        if parse_tag is None:
            hint = _TAG_HINTS.get(token.value, "the tags are if, for, set, macro, block, filter, raw and verbatim")
            raise self.tokens.error(f'Unexpected tag name "{token.value}"', token.offset, hint)
        self.tokens.next()
        return parse_tag(self, token)

    def _close(self) -> None:
        """Past the name of an end tag and its delimiter."""
        self.tokens.next()
        self.tokens.expect(Kind.EXECUTE_END)

    def if_tag(self, token: Token) -> nodes.Part:
        branches: list[tuple[nodes.Expression, nodes.Body]] = []
        otherwise: nodes.Body | None = None
        ends = ("else", "elseif", "endif")
        condition = expression(self.tokens)
        self.tokens.expect(Kind.EXECUTE_END)
        while True:
            branches.append((condition, self.body(ends)))
            if not self.tokens.at(Kind.NAME, "elseif"):
                break
            self.tokens.next()
            condition = expression(self.tokens)
            self.tokens.expect(Kind.EXECUTE_END)
        if self.tokens.at(Kind.NAME, "else"):
            self._close()
            otherwise = self.body(("endif",))
        self._close()
        return nodes.If(tuple(branches), otherwise, token.offset)

    def for_tag(self, token: Token) -> nodes.Part:
        variable = new_name(self.tokens)
        self.tokens.expect(Kind.NAME, "in")
        iterable = expression(self.tokens)
        self.tokens.expect(Kind.EXECUTE_END)
        self.local_names.update((variable, "loop"))
        body = self.body(("else", "endfor"))
        otherwise: nodes.Body | None = None
        if self.tokens.at(Kind.NAME, "else"):
            self._close()
            otherwise = self.body(("endfor",))
        self._close()
        return nodes.For(variable, iterable, body, otherwise, token.offset)

    def set_tag(self, token: Token) -> nodes.Part:
        name = new_name(self.tokens)
        self.tokens.expect(Kind.PUNCTUATION, "=")
        value = expression(self.tokens)
        self.tokens.expect(Kind.EXECUTE_END)
        self.local_names.add(name)
        return nodes.Set(name, value, token.offset)

    def macro_tag(self, token: Token) -> nodes.Part:
        name = new_name(self.tokens)
        parameters = parameters_of(self.tokens)
        self.tokens.expect(Kind.EXECUTE_END)
        self.local_names.update(parameter for parameter, _ in parameters.named)
        body = self.body(("endmacro",))
        self._close()
        if name in self.macros:
            raise self.tokens.error(f"More than one macro can not share the same name: {name}", token.offset)
        macro = nodes.Macro(name, parameters, body, token.offset)
        self.macros[name] = macro
        return macro

    def block_tag(self, token: Token) -> nodes.Part:
        name = self.tokens.current
        if not self.tokens.at(Kind.STRING):
            name = self.tokens.current
            self.tokens.expect(Kind.NAME)
        else:
            self.tokens.next()
        self.tokens.expect(Kind.EXECUTE_END)
        body = self.body(("endblock",))
        self.tokens.next()
        if self.tokens.current.value == name.value and not self.tokens.at(Kind.EXECUTE_END):
            self.tokens.next()
        self.tokens.expect(Kind.EXECUTE_END)
        block = nodes.Block(name.value, body, token.offset)
        self.blocks[name.value] = block
        return block

    def filter_tag(self, token: Token) -> nodes.Part:
        filters = [filter_call(self.tokens)]
        while self.tokens.at(Kind.OPERATOR, "|"):
            self.tokens.next()
            filters.append(filter_call(self.tokens))
        self.tokens.expect(Kind.EXECUTE_END)
        body = self.body(("endfilter",))
        self._close()
        return nodes.FilterTag(tuple(filters), body, token.offset)


_TAGS: Final[dict[str, Callable[[_TemplateParser, Token], nodes.Part]]] = {
    "if": _TemplateParser.if_tag,
    "for": _TemplateParser.for_tag,
    "set": _TemplateParser.set_tag,
    "macro": _TemplateParser.macro_tag,
    "block": _TemplateParser.block_tag,
    "filter": _TemplateParser.filter_tag,
}
