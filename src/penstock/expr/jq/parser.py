"""The text of a jq program -> a tree of tuples, each `(kind, …)`."""

from __future__ import annotations

import re
from typing import Any, Final

from penstock.expr.jq.scanner import JqSyntaxError, Scanner
from penstock.expr.jq.values import normal

Node = tuple[Any, ...]
MAX_PROGRAM: Final = 20_000
_KEYWORDS: Final = frozenset(
    (
        "def",
        "if",
        "then",
        "elif",
        "else",
        "end",
        "as",
        "reduce",
        "foreach",
        "try",
        "catch",
        "label",
        "import",
        "include",
    )
) | {"and", "or", "__loc__"}
_ASSIGNMENTS: Final = frozenset(("=", "|=", "+=", "-=", "*=", "/=", "%=", "//="))
_COMPARISONS: Final = frozenset(("==", "!=", "<", "<=", ">", ">="))


def parse(program: str) -> Node:
    """The tree of a program. Raises JqSyntaxError."""
    if len(program) > MAX_PROGRAM:
        raise JqSyntaxError(f"a program may have {MAX_PROGRAM} characters")
    parser = _Parser(program)
    tree = parser.definitions_then(parser.pipe) if not parser.at_end() else ("identity",)
    if not parser.at_end():
        raise parser.unexpected()
    return tree


class _Parser(Scanner):
    """Recursive descent over the grammar."""

    # expressions, loosest first

    def definitions_then(self, parse_rest: Any) -> Node:
        if not self.word("def"):
            return parse_rest()
        definition = self.definition()
        if self.at_end():
            return ("def", definition, ("identity",))
        return ("def", definition, self.definitions_then(parse_rest))

    def definition(self) -> Node:
        self.expect("def")
        name = self.name()
        parameters: list[str] = []
        if self.sign("("):
            self.advance()
            while True:
                parameters.append(self.value if self.kind == "variable" else self.name())
                if self.kind == "variable":
                    self.advance()
                if not self.sign(";"):
                    break
                self.advance()
            self.expect(")")
        self.expect(":")
        body = self.definitions_then(self.pipe)
        self.expect(";")
        return (name, tuple(parameters), body)

    def name(self) -> str:
        if self.kind != "name":
            raise self.unexpected("a name")
        name = self.value
        self.advance()
        return name

    def pipe(self) -> Node:
        self.deeper()
        try:
            if self.word("def"):
                return self.definitions_then(self.pipe)
            if self.word("label"):
                self.advance()
                label = self.variable()
                self.expect("|")
                return ("label", label, self.pipe())
            left = self.comma()
            if self.sign("|"):
                self.advance()
                return ("pipe", left, self.pipe())
            return left
        finally:
            self.depth -= 1

    def variable(self) -> str:
        if self.kind != "variable":
            raise self.unexpected("a variable")
        name = self.value[1:]
        self.advance()
        return name

    def comma(self) -> Node:
        left = self.alternative()
        parts = [left]
        while self.sign(","):
            self.advance()
            parts.append(self.alternative())
        return left if len(parts) == 1 else ("comma", tuple(parts))

    def alternative(self) -> Node:
        left = self.assignment()
        if self.sign("//", "?//"):
            left = ("try", left, None) if self.sign("?//") else left
            self.advance()
            self.deeper()
            right = self.alternative()
            self.depth -= 1
            return ("alternative", left, right)
        return left

    def assignment(self) -> Node:
        left = self.disjunction()
        if self.kind == "sign" and self.value in _ASSIGNMENTS:
            operator = self.value
            self.advance()
            return ("assign", operator, left, self.disjunction())
        return left

    def disjunction(self) -> Node:
        left = self.conjunction()
        while self.word("or"):
            self.advance()
            left = ("or", left, self.conjunction())
        return left

    def conjunction(self) -> Node:
        left = self.comparison()
        while self.word("and"):
            self.advance()
            left = ("and", left, self.comparison())
        return left

    def comparison(self) -> Node:
        left = self.sum()
        if self.kind == "sign" and self.value in _COMPARISONS:
            operator = self.value
            self.advance()
            return ("compare", operator, left, self.sum())
        return left

    def sum(self) -> Node:
        left = self.product()
        length = 0
        while self.sign("+", "-"):
            operator = self.value
            self.advance()
            left = ("arithmetic", operator, left, self.product())
            length = self.longer(length)
        return left

    def product(self) -> Node:
        left = self.unary()
        length = 0
        while self.sign("*", "/", "%"):
            operator = self.value
            self.advance()
            left = ("arithmetic", operator, left, self.unary())
            length = self.longer(length)
        return left

    def unary(self) -> Node:
        if self.sign("-"):
            self.advance()
            self.deeper()
            operand = self.unary()
            self.depth -= 1
            return ("negate", operand)
        return self.postfix()

    def binding(self, source: Node) -> Node:
        """`source as $x | body`; the cursor stands on `as`."""
        self.advance()
        patterns = [self.pattern()]
        while self.sign("?//"):
            self.advance()
            patterns.append(self.pattern())
        self.expect("|")
        return ("as", source, tuple(patterns), self.pipe())

    def postfix(self, *, may_bind: bool = True) -> Node:
        term = self.term()
        length = 0
        while True:
            length = self.longer(length)
            if self.kind == "field":
                term = ("index", term, ("literal", self.value[1:]))
                self.advance()
            elif self.sign("."):
                self.advance()
                if self.kind == "quote":
                    term = ("index", term, self.string(None))
                elif self.sign("["):
                    term = self.bracket(term)
                else:
                    raise self.unexpected()
            elif self.sign("["):
                term = self.bracket(term)
            elif self.sign("?"):
                self.advance()
                term = ("try", term, None)
            elif may_bind and self.word("as"):
                return self.binding(term)
            else:
                return term

    def bracket(self, term: Node) -> Node:
        self.expect("[")
        if self.sign("]"):
            self.advance()
            return ("iterate", term)
        if self.sign(":"):
            self.advance()
            end = self.pipe()
            self.expect("]")
            return ("slice", term, None, end)
        key = self.pipe()
        if self.sign(":"):
            self.advance()
            end = None if self.sign("]") else self.pipe()
            self.expect("]")
            return ("slice", term, key, end)
        self.expect("]")
        return ("index", term, key)

    # terms

    def term(self) -> Node:
        match self.kind:
            case "number":
                text = self.value
                self.advance()
                return ("literal", _number(text))
            case "quote":
                return self.string(None)
            case "format":
                name = self.value
                self.advance()
                return self.string(name) if self.kind == "quote" else ("format", name)
            case "field":
                name = self.value[1:]
                self.advance()
                return ("index", ("identity",), ("literal", name))
            case "variable":
                return self.variable_term()
            case "name":
                return self.word_term()
            case "sign":
                return self.sign_term()
            case _:
                raise self.unexpected()

    def variable_term(self) -> Node:
        name = self.variable()
        if name == "__loc__":
            line = self.text.count("\n", 0, self.start) + 1
            return ("literal", {"file": "<top-level>", "line": line})
        return ("variable", name)

    def sign_term(self) -> Node:
        if self.sign("."):
            self.advance()
            if self.kind == "quote":
                return ("index", ("identity",), self.string(None))
            return ("identity",)
        if self.sign(".."):
            self.advance()
            return ("call", "recurse", ())
        if self.sign("("):
            self.advance()
            inner = self.pipe()
            self.expect(")")
            return inner
        if self.sign("["):
            self.advance()
            if self.sign("]"):
                self.advance()
                return ("literal", [])
            inner = self.pipe()
            self.expect("]")
            return ("collect", inner)
        if self.sign("{"):
            return self.object()
        raise self.unexpected()

    def word_term(self) -> Node:
        match self.value:
            case "if":
                return self.condition()
            case "try":
                self.advance()
                body = self.postfix_in_try()
                handler = None
                if self.word("catch"):
                    self.advance()
                    handler = self.postfix_in_try()
                return ("try", body, handler)
            case "reduce":
                self.advance()
                source = self.postfix(may_bind=False)
                self.expect("as")
                pattern = self.pattern()
                self.expect("(")
                start = self.pipe()
                self.expect(";")
                update = self.pipe()
                self.expect(")")
                return ("reduce", source, pattern, start, update)
            case "foreach":
                return self.foreach()
            case "def":
                return self.definitions_then(self.pipe)
            case "import" | "include":
                raise JqSyntaxError(f"`{self.value}` is not allowed here")
            case "true" | "false" | "null":
                found = {"true": True, "false": False, "null": None}[self.value]
                self.advance()
                return ("literal", found)
            case _:
                return self.call()

    def postfix_in_try(self) -> Node:
        self.deeper()
        term = self.postfix(may_bind=False)
        self.depth -= 1
        return term

    def foreach(self) -> Node:
        self.advance()
        source = self.postfix(may_bind=False)
        self.expect("as")
        pattern = self.pattern()
        self.expect("(")
        start = self.pipe()
        self.expect(";")
        update = self.pipe()
        extract = None
        if self.sign(";"):
            self.advance()
            extract = self.pipe()
        self.expect(")")
        return ("foreach", source, pattern, start, update, extract)

    def condition(self) -> Node:
        self.advance()
        test = self.pipe()
        self.expect("then")
        yes = self.pipe()
        if self.word("elif"):
            self.deeper()
            no = self.condition()
            self.depth -= 1
            return ("if", test, yes, no)
        no: Node = ("identity",)
        if self.word("else"):
            self.advance()
            no = self.pipe()
        self.expect("end")
        return ("if", test, yes, no)

    def call(self) -> Node:
        if self.value in _KEYWORDS:
            raise self.unexpected()
        name = self.name()
        if name == "break":
            return ("break", self.variable())
        arguments: list[Node] = []
        if self.sign("("):
            self.advance()
            arguments.append(self.pipe())
            while self.sign(";"):
                self.advance()
                arguments.append(self.pipe())
            self.expect(")")
        return ("call", name, tuple(arguments))

    def object(self) -> Node:
        self.expect("{")
        entries: list[tuple[Node, Node]] = []
        while not self.sign("}"):
            entries.append(self.entry())
            if not self.sign("}"):
                self.expect(",")
        self.expect("}")
        return ("object", tuple(entries))

    def entry(self) -> tuple[Node, Node]:
        if self.kind == "variable":
            name = self.variable()
            return ("literal", name), ("variable", name)
        if self.kind == "name":
            key: Node = ("literal", self.value)
            self.advance()
        elif self.kind == "number":
            key = ("literal", self.value)
            self.advance()
        elif self.kind in ("quote", "format"):
            key = self.term()
        elif self.sign("("):
            self.advance()
            key = self.pipe()
            self.expect(")")
            if not self.sign(":"):
                raise self.unexpected(":")
        else:
            raise self.unexpected("a key")
        if not self.sign(":"):
            return key, ("index", ("identity",), key)
        self.advance()
        return key, self.object_value()

    def object_value(self) -> Node:
        """The value of an entry: anything without a comma; `|` needs no parentheses."""
        self.deeper()
        left = self.alternative()
        if self.sign("|"):
            self.advance()
            left = ("pipe", left, self.object_value())
        self.depth -= 1
        return left

    def pattern(self) -> Node:
        self.deeper()
        try:
            if self.kind == "variable":
                return ("bind", self.variable())
            if self.sign("["):
                self.advance()
                items = [self.pattern()]
                while self.sign(","):
                    self.advance()
                    items.append(self.pattern())
                self.expect("]")
                return ("bind_list", tuple(items))
            if self.sign("{"):
                return self.object_pattern()
            raise self.unexpected("a pattern")
        finally:
            self.depth -= 1

    def object_pattern(self) -> Node:
        self.expect("{")
        entries: list[tuple[str | None, Node, Node | None]] = []
        while True:
            variable: str | None = None
            if self.kind == "variable":
                variable = self.variable()
                key: Node = ("literal", variable)
            elif self.kind == "name":
                key = ("literal", self.name())
            elif self.kind == "quote":
                key = self.string(None)
            else:
                self.expect("(")
                key = self.pipe()
                self.expect(")")
            value = None
            if self.sign(":"):
                self.advance()
                value = self.pattern()
            elif variable is None:
                raise self.unexpected(":")
            entries.append((variable, key, value))
            if not self.sign(","):
                break
            self.advance()
        self.expect("}")
        return ("bind_object", tuple(entries))

    def string(self, form: str | None) -> Node:
        """A string, its interpolations formatted with `form`. The cursor stands on the opening quote."""
        parts: list[Node] = []
        text = ""
        while True:
            if self.offset >= len(self.text):
                raise JqSyntaxError("a string is not closed")
            sign = self.text[self.offset]
            self.offset += 1
            if sign == '"':
                break
            if sign != "\\":
                text += sign
                continue
            if self.text[self.offset : self.offset + 1] != "(":
                text += self.escape()
                continue
            if text:
                parts.append(("literal", text))
                text = ""
            self.offset += 1
            self.advance()
            parts.append(("formatted", form, self.pipe()))
            if not self.sign(")"):
                raise self.unexpected(")")
        if text or not parts:
            parts.append(("literal", text))
        self.advance()
        return parts[0] if len(parts) == 1 and parts[0][0] == "literal" else ("string", tuple(parts))


def _number(text: str) -> int | float:
    if re.fullmatch("[0-9]{1,18}", text):
        return int(text)
    return normal(float(text))
