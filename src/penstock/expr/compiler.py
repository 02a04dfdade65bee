"""Expression nodes -> closures. A closure takes the frame and returns the value; everything static is decided here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, cast

from penstock.expr import nodes, operators
from penstock.expr.errors import EvaluationError, Position, UndefinedVariable
from penstock.expr.frame import Frame, ScopeView
from penstock.expr.predicates import PREDICATES
from penstock.expr.registry import Operation, bind
from penstock.expr.shortcuts import (
    Run,
    absent,
    addition,
    context_path,
    equality,
    failing,
    is_long,
    loop_path,
    missing,
    negation,
)
from penstock.expr.text import java_text
from penstock.expr.values import PLAIN, UNDEFINED, condition, look_up, settle

_BINARY: Final[Mapping[str, Callable[[Frame, object, object], object]]] = {
    "-": operators.subtract,
    "*": operators.multiply,
    "/": operators.divide,
    "%": operators.modulo,
    "..": operators.span,
    "contains": operators.contains,
    "isIn": operators.is_in,
    "==": operators.equal,
    "!=": lambda frame, left, right: not operators.equal(frame, left, right),
    ">": lambda _, left, right: operators.greater(left, right),
    ">=": lambda _, left, right: operators.greater_or_equal(left, right),
    "<": lambda _, left, right: operators.less(left, right),
    "<=": lambda _, left, right: operators.less_or_equal(left, right),
}


class OwnCalls(Protocol):
    """What a template defines itself and its expressions may call."""

    def macro_call(self, node: nodes.Call) -> Run:
        """A call of a macro, or of a name that nothing has."""
        ...

    def block_call(self, node: nodes.Call) -> Run:
        """`block(name)`."""
        ...


class Compiler:
    """What the closures of one template share while they are made."""

    __slots__ = ("_own", "local_names", "source")

    def __init__(self, source: str, local_names: frozenset[str], own: OwnCalls) -> None:
        self.source = source
        self.local_names = local_names
        self._own = own

    def position(self, offset: int) -> Position:
        return Position(self.source, offset)

    def expression(self, node: nodes.Expression) -> Run:
        """The closure of a node; a name that does not exist raises UndefinedVariable."""
        match node:
            case nodes.Literal(value):
                return lambda _: value
            case nodes.Name():
                return self._name(node)
            case nodes.Attribute():
                return self._attribute(node)
            case nodes.Call():
                return self._call(node)
            case nodes.Filter():
                return self._filter(node)
            case nodes.Test():
                return self._test(node)
            case nodes.Unary():
                return self._unary(node)
            case nodes.Binary():
                return self._binary(node)
            case nodes.Concat():
                return self._concat(node)
            case nodes.Ternary():
                return self._ternary(node)
            case nodes.ListLiteral():
                items = [self.expression(item) for item in node.items]
                return lambda frame: [item(frame) for item in items]
            case nodes.MapLiteral():
                return self._map(node)

    def soft(self, node: nodes.Expression) -> Run:
        """Like `expression`, but a name that does not exist gives UNDEFINED; for `??`, `default` and `is defined`."""
        if isinstance(node, nodes.Name):
            return self._soft_name(node)
        if isinstance(node, nodes.Attribute) and node.call is None:
            return self._soft_attribute(node)
        run = self.expression(node)

        def soft(frame: Frame) -> object:
            try:
                return run(frame)
            except UndefinedVariable:
                return UNDEFINED

        return soft

    def raw(self, node: nodes.Expression) -> Run:
        """Like `expression`, but a lazy value stays as it is, so that a loop can stream it."""
        if not isinstance(node, (nodes.Name, nodes.Attribute)) or (isinstance(node, nodes.Attribute) and node.call):
            return self.expression(node)
        found = self._find_name(node) if isinstance(node, nodes.Name) else self._find_attribute(node)
        fail = self._undefined(node)

        def raw(frame: Frame) -> object:
            value = found(frame)
            return value if value is not UNDEFINED else fail(frame)

        return raw

    # names

    def _find_name(self, node: nodes.Name) -> Run:
        """The value of a name, not settled, or UNDEFINED."""
        name = node.name

        def find_context(frame: Frame) -> object:
            try:
                return frame.variables[name]
            except KeyError:
                return ScopeView(frame.variables, frame.scopes) if name == "_context" else UNDEFINED

        if name not in self.local_names:
            return find_context

        def find(frame: Frame) -> object:
            for scope in reversed(frame.scopes or ()):
                if name in scope:
                    return scope[name]
            return find_context(frame)

        return find

    def _name(self, node: nodes.Name) -> Run:
        name = node.name
        found = self._find_name(node)
        fail = self._undefined(node)

        def slow(frame: Frame) -> object:
            value = found(frame)
            return settle(frame, value) if value is not UNDEFINED else fail(frame)

        if name not in self.local_names:

            def context_name(frame: Frame) -> object:
                try:
                    value = frame.variables[name]
                except KeyError:
                    return slow(frame)
                return value if type(value) in PLAIN else settle(frame, value)

            return context_name

        def local_name(frame: Frame) -> object:
            scopes = frame.scopes
            if scopes and (value := scopes[-1].get(name, UNDEFINED)) is not UNDEFINED:
                return value if type(value) in PLAIN else settle(frame, value)
            return slow(frame)

        return local_name

    def _soft_name(self, node: nodes.Name) -> Run:
        found = self._find_name(node)

        def soft_name(frame: Frame) -> object:
            value = found(frame)
            return value if type(value) in PLAIN or value is UNDEFINED else settle(frame, value)

        return soft_name

    # attributes

    def _find_attribute(self, node: nodes.Attribute) -> Run:
        """The value of an attribute, not settled, or UNDEFINED; undefined anywhere in the chain is UNDEFINED too."""
        owner = self.soft(node.owner)
        position = self.position(node.offset)
        key = self.soft(node.key)

        def find(frame: Frame) -> object:
            value = owner(frame)
            if value is UNDEFINED or value is None:
                return UNDEFINED
            name = key(frame)
            if name is UNDEFINED:
                return UNDEFINED
            try:
                return look_up(value, name)
            except EvaluationError as error:
                raise error.at(position) from None

        return find

    def _soft_attribute(self, node: nodes.Attribute) -> Run:
        found = self._find_attribute(node)
        fast = self._fast_path(node)

        def soft_attribute(frame: Frame) -> object:
            value = found(frame)
            return value if type(value) in PLAIN or value is UNDEFINED else settle(frame, value)

        if fast is None:
            return soft_attribute

        def soft_path(frame: Frame) -> object:
            value = fast(frame)
            return soft_attribute(frame) if value is UNDEFINED else value

        return soft_path

    def _attribute(self, node: nodes.Attribute) -> Run:
        if node.call is not None:
            return self._method(node, node.call)
        slow = self._strict_attribute(node)
        fast = self._fast_path(node)
        if fast is None:
            return slow

        def path(frame: Frame) -> object:
            value = fast(frame)
            return slow(frame) if value is UNDEFINED else value

        return path

    def _strict_attribute(self, node: nodes.Attribute) -> Run:
        owner = self.expression(node.owner)
        position = self.position(node.offset)
        key = self.expression(node.key)
        root = node.owner.name if isinstance(node.owner, nodes.Name) else None
        constant = node.key.value if isinstance(node.key, nodes.Literal) and isinstance(node.key.value, str) else None

        def attribute(frame: Frame) -> object:
            value = owner(frame)
            if constant is not None and type(value) is dict and constant in value:
                found = value[constant]
            else:
                name = key(frame)
                try:
                    found = look_up(value, name)
                except EvaluationError as error:
                    raise error.at(position) from None
                if found is UNDEFINED:
                    raise missing(frame, value, name, root).at(position)
            return found if type(found) in PLAIN else settle(frame, found)

        return attribute

    def _fast_path(self, node: nodes.Attribute) -> Run | None:
        """`a.b.c` of literal keys below a context variable in one step; UNDEFINED where the slow way must look.

        Subscripting is safe here: the keys are texts, and only maps take a text as subscript.
        """
        keys: list[str] = []
        owner: nodes.Expression = node
        while isinstance(owner, nodes.Attribute) and owner.call is None:
            if not isinstance(owner.key, nodes.Literal) or not isinstance(owner.key.value, str):
                return None
            keys.insert(0, owner.key.value)
            owner = owner.owner
        if not isinstance(owner, nodes.Name) or len(keys) > 3:
            return None
        if owner.name in self.local_names:
            return loop_path(owner.name, keys[0]) if len(keys) == 1 else None
        return context_path(owner.name, keys)

    def _undefined(self, node: nodes.Expression) -> Run:
        """A closure that raises the undefined error of a name or attribute."""
        if isinstance(node, nodes.Attribute):
            return self._strict_attribute(node)
        name = cast("nodes.Name", node).name
        position = self.position(node.offset)

        def fail(frame: Frame) -> object:
            raise UndefinedVariable(name, owner=ScopeView(frame.variables, frame.scopes), root=True).at(position)

        return fail

    def _method(self, node: nodes.Attribute, call: nodes.Arguments) -> Run:
        from penstock.expr.methods import call_method

        owner = self.expression(node.owner)
        name = str(cast("nodes.Literal", node.key).value)
        arguments = [self.expression(argument) for argument in call.positional]
        position = self.position(node.offset)

        def method(frame: Frame) -> object:
            try:
                return settle(
                    frame, call_method(frame, owner(frame), name, [argument(frame) for argument in arguments])
                )
            except EvaluationError as error:
                raise error.at(position) from error.__cause__

        return method

    # calls

    def _call(self, node: nodes.Call) -> Run:
        from penstock.expr.functions import FUNCTIONS

        operation = FUNCTIONS.get(node.name)
        if operation is not None:
            return self.operation(operation, node.arguments, node.offset)
        if node.name == "block":
            return self._own.block_call(node)
        return self._own.macro_call(node)

    def _filter(self, node: nodes.Filter) -> Run:
        if node.name == "default":
            return self._default(node)
        operand = self.expression(node.operand)
        if node.name == "className" and is_long(node.operand):

            def long_name(frame: Frame) -> object:
                operand(frame)
                return "java.lang.Long"

            return long_name
        return self.filter(node.name, node.arguments, node.offset, operand)

    def filter(self, name: str, arguments: nodes.Arguments, offset: int, operand: Run) -> Run:
        """A filter applied to what `operand` gives."""
        from penstock.expr.filters import FILTERS

        operation = FILTERS.get(name)
        if operation is None:
            return failing(FILTERS.unknown(name).at(self.position(offset)))
        return self.operation(operation, arguments, offset, operand)

    def _default(self, node: nodes.Filter) -> Run:
        from penstock.expr.filters import FILTERS

        operation = cast("Operation", FILTERS.get("default"))
        operand = self.soft(node.operand)

        def swallow(frame: Frame) -> object:
            value = operand(frame)
            return None if value is UNDEFINED else value

        return self.operation(operation, node.arguments, node.offset, swallow)

    def operation(
        self, operation: Operation, arguments: nodes.Arguments, offset: int, operand: Run | None = None
    ) -> Run:
        """A call of a filter (with its operand) or function."""
        position = self.position(offset)
        try:
            bound = bind(operation, arguments)
        except EvaluationError as error:
            return failing(error.at(position))
        run = operation.run
        values = [self.expression(node) if node is not None else absent for node in bound]
        if operand is not None:
            values.insert(0, operand)
        if len(values) == 1:
            (only,) = values

            def call_one(frame: Frame) -> object:
                value = only(frame)
                try:
                    return run(frame, value)
                except EvaluationError as error:
                    raise error.at(position) from error.__cause__

            return call_one

        def call(frame: Frame) -> object:
            given = [value(frame) for value in values]
            try:
                return run(frame, *given)
            except EvaluationError as error:
                raise error.at(position) from error.__cause__

        return call

    def _test(self, node: nodes.Test) -> Run:
        negated = node.negated
        if node.name == "defined":
            operand = self.soft(node.operand)

            def defined(frame: Frame) -> object:
                value = operand(frame)
                return (value is UNDEFINED or value is None) is negated

            return defined
        predicate = PREDICATES.get(node.name)
        position = self.position(node.offset)
        if predicate is None:
            return failing(PREDICATES.unknown(node.name).at(position))
        strict = self.expression(node.operand)
        check = predicate.run

        def test(frame: Frame) -> object:
            value = strict(frame)
            try:
                return check(frame, value) is not negated
            except EvaluationError as error:
                raise error.at(position) from error.__cause__

        return test

    # operators

    def _unary(self, node: nodes.Unary) -> Run:
        operand = self.expression(node.operand)
        position = self.position(node.offset)
        if (
            isinstance(node.operand, nodes.Literal)
            and node.operator == "-"
            and type(node.operand.value) in (int, float)
        ):
            number = -cast("int", node.operand.value)
            return lambda _: number
        apply = {"not": negation, "-": operators.negate, "+": operators.positive}[node.operator]

        def unary(frame: Frame) -> object:
            value = operand(frame)
            try:
                return apply(frame, value)
            except EvaluationError as error:
                raise error.at(position) from error.__cause__

        return unary

    def _binary(self, node: nodes.Binary) -> Run:
        if node.operator in ("and", "or"):
            return self._logic(node)
        if node.operator in ("??", "???"):
            return self._coalesce(node)
        left, right = self.expression(node.left), self.expression(node.right)
        position = self.position(node.offset)
        if node.operator == "+":
            return addition(left, right, position)
        if node.operator in ("==", "!="):
            return equality(left, right, negated=node.operator == "!=")
        apply = _BINARY[node.operator]

        def binary(frame: Frame) -> object:
            one, other = left(frame), right(frame)
            try:
                return apply(frame, one, other)
            except EvaluationError as error:
                raise error.at(position) from error.__cause__

        return binary

    def _logic(self, node: nodes.Binary) -> Run:
        left, right = self.expression(node.left), self.expression(node.right)
        position = self.position(node.offset)
        word = node.operator

        def operand(value: object) -> bool:
            if value is True or value is False:
                return value
            try:
                if value is None:
                    raise EvaluationError(f"null value used in {word} operator and strict variables is set to true")
                return condition(value, what=f'"{word}"')
            except EvaluationError as error:
                raise error.at(position) from None

        if word == "and":
            return lambda frame: operand(left(frame)) and operand(right(frame))
        return lambda frame: operand(left(frame)) or operand(right(frame))

    def _coalesce(self, node: nodes.Binary) -> Run:
        left, right = self.soft(node.left), self.expression(node.right)
        if node.operator == "??":

            def coalesce(frame: Frame) -> object:
                value = left(frame)
                return right(frame) if value is UNDEFINED or value is None else value

            return coalesce

        def replace_undefined(frame: Frame) -> object:
            value = left(frame)
            return right(frame) if value is UNDEFINED else value

        return replace_undefined

    def _concat(self, node: nodes.Concat) -> Run:
        parts = [self.expression(part) for part in node.parts]

        def concat(frame: Frame) -> object:
            texts: list[str] = []
            for part in parts:
                value = part(frame)
                if type(value) is str:
                    texts.append(value)
                elif value is not None:
                    texts.append(java_text(frame, value))
            return operators.concat(frame, texts)

        return concat

    def _ternary(self, node: nodes.Ternary) -> Run:
        test, yes, no = self.expression(node.condition), self.expression(node.yes), self.expression(node.no)
        position = self.position(node.offset)

        def ternary(frame: Frame) -> object:
            value = test(frame)
            if value is True:
                return yes(frame)
            if value is False or value is None:
                return no(frame)
            try:
                holds = condition(value, what="the condition of `? :`")
            except EvaluationError as error:
                raise error.at(position) from None
            return yes(frame) if holds else no(frame)

        return ternary

    def _map(self, node: nodes.MapLiteral) -> Run:
        entries = [(self.expression(key), self.expression(value)) for key, value in node.entries]
        position = self.position(node.offset)

        def build(frame: Frame) -> object:
            made: dict[object, object] = {}
            for key, value in entries:
                name = key(frame)
                if isinstance(name, (list, Mapping)):
                    raise EvaluationError("The key of a map must be a text or a number").at(position)
                made[str(name) if isinstance(name, str) else name] = value(frame)
            return made

        return build
