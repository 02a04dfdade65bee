"""Template parts -> closures that give text; tags, macros and blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from penstock.expr import nodes
from penstock.expr.compiler import Compiler, Run
from penstock.expr.errors import EvaluationError, ExpressionError, LimitReached, Position, preview
from penstock.expr.frame import Frame
from penstock.expr.json_text import parse_json, print_text
from penstock.expr.secrets import Secret
from penstock.expr.text import java_text
from penstock.expr.values import Entry, as_list, as_map, condition, is_map, settle, stream

Emit = Callable[[Frame], str]
_TURNS_PER_CHARGE: Final = 256
_SMALL: Final = 10**18
_T = TypeVar("_T")


class Bodies:
    """The compiled template: its body, macros and blocks."""

    def __init__(self, tree: nodes.Tree) -> None:
        self._tree = tree
        self._compiler = Compiler(tree.source, tree.local_names, self)
        self._macros: dict[str, Emit] = {}
        self._blocks: dict[str, Emit] = {}
        self._loop_used = "loop" in tree.source or "ontext" in tree.source
        self.emit = self.body(tree.body)
        self.typed = self._typed(tree.body)

    def body(self, parts: nodes.Body) -> Emit:
        """The text of some parts in a row."""
        pieces: list[str | Emit] = []
        for part in parts:
            piece = self._part(part)
            if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += piece
            elif piece != "":
                pieces.append(piece)
        return _joined(pieces)

    def _part(self, part: nodes.Part) -> str | Emit:
        match part:
            case nodes.Text(value, protected):
                return (lambda frame: frame.protect(value)) if protected else value
            case nodes.Print(value):
                return self._print(value)
            case nodes.If():
                return self._if(part)
            case nodes.For():
                return self._for(part)
            case nodes.Set():
                return self._set(part)
            case nodes.Macro():
                self._macros[part.name] = self.body(part.body)
                return ""
            case nodes.Block():
                emit = self.body(part.body)
                self._blocks[part.name] = emit
                return emit
            case nodes.FilterTag():
                return self._filter_tag(part)

    def _print(self, node: nodes.Expression) -> Emit:
        run = self._compiler.expression(node)

        def emit(frame: Frame) -> str:
            value = run(frame)
            kind = type(value)
            if kind is str:
                return value  # pyright: ignore[reportReturnType]
            if kind is int and -_SMALL < value < _SMALL:  # pyright: ignore[reportOperatorIssue]
                return str(value)
            if kind is Secret and frame.protected is not None:
                return frame.protect(str(value))
            return print_text(frame, value)

        return emit

    def _if(self, node: nodes.If) -> Emit:
        choose = self._branch(node, self.body)

        def emit(frame: Frame) -> str:
            branch = choose(frame)
            return "" if branch is None else branch(frame)

        return emit

    def _branch(self, node: nodes.If, compile_body: Callable[[nodes.Body], _T]) -> Callable[[Frame], _T | None]:
        """Which branch of an `if` is taken; None when none is."""
        branches = [(self._compiler.expression(test), compile_body(body)) for test, body in node.branches]
        otherwise = compile_body(node.otherwise) if node.otherwise is not None else None
        position = self._compiler.position(node.offset)

        def choose(frame: Frame) -> _T | None:
            for test, body in branches:
                try:
                    value = test(frame)
                    if value is True or (value is not False and _holds(value)):
                        return body
                except ExpressionError as error:
                    raise _in_condition(error, position) from error
            return otherwise

        return choose

    def _for(self, node: nodes.For) -> Emit:
        iterable = self._compiler.raw(node.iterable)
        body = self.body(node.body)
        otherwise = self.body(node.otherwise) if node.otherwise is not None else None
        position = self._compiler.position(node.offset)
        variable = node.variable
        with_loop = self._loop_used

        def emit(frame: Frame) -> str:
            value = iterable(frame)
            if value is None:
                return ""
            source, size = _sequence(frame, value, position, sized=with_loop)
            scope: dict[str, object] = {}
            scopes = frame.scopes
            if scopes is None:
                scopes = frame.scopes = [{}]
            if with_loop:
                scope["loop"] = {"index": 0, "length": size, "first": True, "last": size == 1, "revindex": size - 1}
            scopes.append(scope)
            try:
                text = _turns(frame, source, scope, variable, body)
            except LimitReached as error:
                raise error.at(position) from None
            finally:
                scopes.pop()
            if text is None:
                return otherwise(frame) if otherwise is not None else ""
            return text

        return emit

    def _set(self, node: nodes.Set) -> Emit:
        run = self._compiler.expression(node.value)
        name = node.name

        def emit(frame: Frame) -> str:
            value = run(frame)
            scopes = frame.scopes
            if scopes is None:
                scopes = frame.scopes = [{}]
            for scope in reversed(scopes):
                if name in scope:
                    scope[name] = value
                    return ""
            # An existing variable of the context is overwritten for the whole template, anything else is local.
            (scopes[0] if name in frame.variables else scopes[-1])[name] = value
            return ""

        return emit

    def _filter_tag(self, node: nodes.FilterTag) -> Emit:
        body = self.body(node.body)
        run: Run = body
        for name, arguments, offset in node.filters:
            run = self._compiler.filter(name, arguments, offset, run)
        return lambda frame: print_text(frame, run(frame))

    # macros and blocks

    def macro_call(self, node: nodes.Call) -> Run:
        """A call of a macro, which may stand before the macro itself."""
        macro = self._tree.macros.get(node.name)
        position = self._compiler.position(node.offset)
        if macro is None:
            return self._unknown_function(node.name, position)
        parameters = [name for name, _ in macro.parameters.named]
        defaults = {
            name: self._compiler.expression(default) for name, default in macro.parameters.named if default is not None
        }
        arguments: dict[str, Run] = {}
        problem = _bind_macro(node, parameters)
        for name, value in zip(parameters, node.arguments.positional, strict=False):
            arguments[name] = self._compiler.expression(value)
        for name, value in node.arguments.named:
            if value is not None:
                arguments[name] = self._compiler.expression(value)
        macros, macro_name = self._macros, macro.name

        def call(frame: Frame) -> object:
            if problem is not None:
                raise EvaluationError(problem).at(position)
            try:
                inner = frame.inner(frame.template, {})
            except LimitReached as error:
                raise error.at(position) from None
            scope: dict[str, object] = {}
            inner.scopes = [scope]
            for name in parameters:
                given = arguments.get(name)
                if given is not None:
                    scope[name] = given(frame)
                else:
                    default = defaults.get(name)
                    scope[name] = default(inner) if default is not None else None
            text = macros[macro_name](inner)
            frame.finish(inner)
            return text

        return call

    def _unknown_function(self, name: str, position: Position) -> Run:
        from penstock.expr.functions import FUNCTIONS

        unknown = FUNCTIONS.unknown(name)

        def fail(frame: Frame) -> object:
            raise EvaluationError(f"Function or Macro [{name}] does not exist.", position=position, hint=unknown.hint)

        return fail

    def block_call(self, node: nodes.Call) -> Run:
        """`block(name)`."""
        values = [*node.arguments.positional, *(value for _, value in node.arguments.named if value is not None)]
        names = [self._compiler.expression(value) for value in values]
        position = self._compiler.position(node.offset)
        blocks = self._blocks

        def call(frame: Frame) -> object:
            name = java_text(frame, names[0](frame)) if names else ""
            block = blocks.get(name)
            if block is None:
                raise EvaluationError(f"The block '{name}' does not exist.", position=position)
            frame.budget.turns(1)
            return block(frame)

        return call

    # typed results

    def _typed(self, parts: nodes.Body) -> Run:
        """The value of a body: that of its only expression, else its text, parsed when it is a JSON map or list."""
        visible = [part for part in parts if not isinstance(part, (nodes.Set, nodes.Macro))]
        only = visible[0] if len(visible) == 1 else None
        if not isinstance(only, (nodes.Print, nodes.If)):
            emit = self.body(parts)
            return lambda frame: _reread(emit(frame))
        before = [self._set(part) for part in parts if isinstance(part, nodes.Set)]
        value = self._compiler.expression(only.value) if isinstance(only, nodes.Print) else self._typed_if(only)
        if not before:
            return value

        def run(frame: Frame) -> object:
            for assign in before:
                assign(frame)
            return value(frame)

        return run

    def _typed_if(self, node: nodes.If) -> Run:
        choose = self._branch(node, self._typed)

        def value(frame: Frame) -> object:
            branch = choose(frame)
            return "" if branch is None else branch(frame)

        return value


def _holds(value: object) -> bool:
    if value is None:
        raise EvaluationError("null value given to if statement and strict variables is set to true")
    return condition(value, what='"if" statement')


def _in_condition(error: ExpressionError, position: Position) -> ExpressionError:
    """Kestra wraps whatever goes wrong in a condition, undefined names too, in one message."""
    if isinstance(error, LimitReached):
        return error.at(position)
    text = error.headline() if error.kind == "undefined" else error.message
    hint = "; ".join(filter(None, (text, error.advice())))
    message = "Wrong operand(s) type in conditional expression"
    return EvaluationError(message, position=error.position or position, hint=hint)


def _joined(pieces: list[str | Emit]) -> Emit:
    if not pieces:
        return lambda _: ""
    if len(pieces) == 1:
        only = pieces[0]
        return (lambda _: only) if isinstance(only, str) else only

    def emit(frame: Frame) -> str:
        texts = [piece if isinstance(piece, str) else piece(frame) for piece in pieces]
        text = "".join(texts)
        if len(text) > 4096:
            frame.budget.text(len(text))
        return text

    return emit


def _turns(frame: Frame, source: Iterable[object], scope: dict[str, object], variable: str, body: Emit) -> str | None:
    """The texts of all turns of a loop; None when there is none."""
    texts: list[str] = []
    budget = frame.budget
    size = turn = 0
    loop = scope.get("loop")
    info = loop if isinstance(loop, dict) else None
    for item in source:
        scope[variable] = item
        if info is not None:
            info["index"] = turn
            left = info["revindex"] = info["length"] - 1 - turn
            if turn < 2 or left == 0:
                info["first"], info["last"] = turn == 0, left == 0
        text = body(frame)
        texts.append(text)
        size += len(text) + 1
        turn += 1
        if turn % _TURNS_PER_CHARGE == 0:
            budget.turns(_TURNS_PER_CHARGE)
            budget.text(size)
            budget.work -= size  # the text is counted once, when the loop ends
    budget.turns(turn % _TURNS_PER_CHARGE)
    if turn == 0:
        return None
    if size > 4096:
        budget.text(size)
    return "".join(texts)


def _sequence(frame: Frame, value: object, position: Position, *, sized: bool) -> tuple[Iterable[object], int]:
    """What a loop goes through, and how many items there are (when `sized`)."""
    if not sized and (streamed := stream(value)) is not None:
        return streamed, 0
    value = settle(frame, value)
    if type(value) is list:
        found = as_list(value)
        return found, len(found)
    if is_map(value):
        mapping = as_map(value)
        entries = [Entry(key, mapping[key]) for key in mapping]
        return entries, len(entries)
    shown = java_text(frame, value)
    shown = shown if len(shown) <= 200 else shown[:199] + "…"
    hidden = "******" if frame.sources else shown
    raise EvaluationError(
        f"Not an iterable object. Value = [{hidden}]",
        position=position,
        hint=f"it is {preview(value)}: a loop goes through a list or a map; a JSON text needs `fromJson`",
    )


def _bind_macro(node: nodes.Call, parameters: list[str]) -> str | None:
    """What is wrong with the arguments of a macro call."""
    if len(node.arguments.positional) > len(parameters) > 0:
        return (
            f"The argument at position {len(parameters) + 1} is not allowed. "
            f"Only {len(parameters)} argument(s) are allowed."
        )
    unknown = [name for name, _ in node.arguments.named if parameters and name not in parameters]
    return f"The following named argument does not exist: {unknown[0]}" if unknown else None


def _reread(text: str) -> object:
    """A text that is a JSON map or list as its value (Kestra's typed mode for mixed output)."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "["):
        return text
    try:
        return parse_json(stripped)
    except ValueError:
        return text
