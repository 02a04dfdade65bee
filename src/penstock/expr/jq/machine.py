"""Runs the tree of a jq program. Each part is a generator of `(path, value)`; the path is None unless asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from penstock.expr.errors import LimitReached
from penstock.expr.jq.formats import formatted
from penstock.expr.jq.parser import Node
from penstock.expr.jq.prelude import prelude
from penstock.expr.jq.scope import (
    NOWHERE,
    BreakSignal,
    Function,
    Path,
    Results,
    Scope,
    as_function,
    below,
    holds,
    lost,
    names_in,
)
from penstock.expr.jq.table import BUILTINS
from penstock.expr.jq.values import (
    JqError,
    arithmetic,
    compare,
    cut,
    delete_paths,
    get_path,
    index,
    set_path,
    shown,
    to_json,
    truth,
    type_of,
    weight,
)

if TYPE_CHECKING:
    from penstock.expr.frame import Frame

_TURNS_PER_CHARGE: Final = 128
_MAX_PENDING: Final = 10_000


class Machine:
    """One run of a program within the budget of a frame."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.budget = frame.budget
        self._steps = 0

    def run(self, tree: Node, value: object) -> Results:
        """The outputs of a whole program."""
        root = Scope()
        for name, parameters, body in prelude():
            root.functions[name, len(parameters)] = Function(parameters, body, root)
        return self.each(tree, Scope(root), None, value)

    def step(self) -> None:
        """Counts a step; LimitReached when there were too many."""
        self._steps += 1
        if self._steps % _TURNS_PER_CHARGE == 0:
            self.budget.turns(_TURNS_PER_CHARGE)

    def each(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        """The outputs of a part for one input."""
        self.step()
        return _PARTS[node[0]](self, node, scope, path, value)

    def values(self, node: Node, scope: Scope, value: Any) -> Iterator[Any]:
        """The outputs of a part whose paths do not matter."""
        for _, found in self.each(node, scope, None, value):
            yield found

    def paths(self, node: Node, scope: Scope, value: Any) -> Iterator[list[Any]]:
        """The paths of what a part selects from its input."""
        for path, found in self.each(node, scope, (), value):
            if path is None or path is NOWHERE:
                raise JqError(f"Invalid path expression with result {shown(found)}")
            yield list(path)

    def text(self, form: str | None, value: Any) -> str:
        """A value as text, or written in a format."""
        if form is None and isinstance(value, str):
            return value
        self.budget.text(weight(self.budget, value))
        written = to_json(value) if form is None else formatted(form, value)
        self.budget.text(len(written))
        return written

    # leaves

    def identity(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        yield path, value

    def literal(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        found = node[1]
        yield lost(path), list(found) if type(found) is list else found

    def variable(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        yield lost(path), scope.variable(node[1])

    def format_value(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        yield lost(path), self.text(node[1], value)

    def string(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for parts in self._product(node[1], scope, value):
            self.budget.text(sum(map(len, parts)))
            yield lost(path), "".join(parts)

    def formatted(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for found in self.values(node[2], scope, value):
            yield None, self.text(node[1], found)

    def _product(self, nodes: tuple[Node, ...], scope: Scope, value: Any) -> Iterator[list[Any]]:
        """Every combination of the outputs of some parts, the last one turning slowest, as jq does."""
        if not nodes:
            yield []
            return
        *before, last = nodes
        for final in self.values(last, scope, value):
            for combination in self._product(tuple(before), scope, value):
                yield [*combination, final]

    # access

    def index(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, owner, key_node = node
        if key_node[0] == "literal":
            key = key_node[1]
            for at, found in self.each(owner, scope, path, value):
                yield below(at, key, found), index(self.budget, found, key)
            return
        for at, found in self.each(owner, scope, path, value):
            for key in self.values(key_node, scope, value):
                yield below(at, key, found), index(self.budget, found, key)

    def slice(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, owner, start_node, end_node = node
        nothing: Node = ("literal", None)
        for at, found in self.each(owner, scope, path, value):
            for end in self.values(end_node or nothing, scope, value):
                for start in self.values(start_node or nothing, scope, value):
                    yield below(at, {"start": start, "end": end}, found), cut(found, start, end)

    def iterate(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for at, found in self.each(node[1], scope, path, value):
            if isinstance(found, list):
                for key, item in enumerate(found):
                    self.step()
                    yield below(at, key, found), item
            elif isinstance(found, dict):
                for key, item in found.items():
                    self.step()
                    yield below(at, key, found), item
            else:
                detail = f" ({shown(found)})" if found is not None else ""
                raise JqError(f"Cannot iterate over {type_of(found)}{detail}")

    # flow

    def pipe(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for at, found in self.each(node[1], scope, path, value):
            yield from self.each(node[2], scope, at, found)

    def comma(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for part in node[1]:
            yield from self.each(part, scope, path, value)

    def condition(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, test, yes, no = node
        for found in self.values(test, scope, value):
            yield from self.each(yes if truth(found) else no, scope, path, value)

    def alternative(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        some = False
        try:
            for at, found in self.each(node[1], scope, path, value):
                if truth(found):
                    some = True
                    yield at, found
        except JqError:
            pass  # `//` goes on with its right side when the left one fails
        if not some:
            yield from self.each(node[2], scope, path, value)

    def attempt(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, body, handler = node
        results: Results | None = None
        while True:
            try:
                results = results or self.each(body, scope, path, value)
                item = next(results)
            except StopIteration:
                return
            except JqError as error:
                if handler is not None:
                    yield from self.each(handler, scope, lost(path), error.value)
                return
            yield item

    def label(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        inner = Scope(scope)
        mark = object()
        inner.variables[f"*label*{node[1]}"] = mark
        try:
            yield from self.each(node[2], inner, path, value)
        except BreakSignal as signal:
            if signal.label is not mark:
                raise

    def break_out(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        raise BreakSignal(scope.variable(f"*label*{node[1]}"))
        yield path, value

    # operators

    def logic_and(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for left in self.values(node[1], scope, value):
            if not truth(left):
                yield lost(path), False
                continue
            for right in self.values(node[2], scope, value):
                yield lost(path), truth(right)

    def logic_or(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for left in self.values(node[1], scope, value):
            if truth(left):
                yield lost(path), True
                continue
            for right in self.values(node[2], scope, value):
                yield lost(path), truth(right)

    def comparison(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, operator, left_node, right_node = node
        for right in self.values(right_node, scope, value):
            for left in self.values(left_node, scope, value):
                if isinstance(left, (list, dict)) and isinstance(right, (list, dict)):
                    weight(self.budget, left)
                yield lost(path), holds(operator, compare(left, right))

    def arithmetic(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, operator, left_node, right_node = node
        for right in self.values(right_node, scope, value):
            for left in self.values(left_node, scope, value):
                yield lost(path), arithmetic(self.budget, operator, left, right)

    def negate(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for found in self.values(node[1], scope, value):
            if not isinstance(found, (int, float)) or isinstance(found, bool):
                raise JqError(f"{type_of(found)} ({shown(found)}) cannot be negated")
            yield lost(path), -found

    # construction

    def collect(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        found: list[Any] = []
        for item in self.values(node[1], scope, value):
            found.append(item)
            if len(found) % 1000 == 0:
                self.budget.items(1000)
        yield lost(path), found

    def object(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        for made in self._objects(node[1], scope, value):
            yield lost(path), made

    def _objects(self, entries: tuple[tuple[Node, Node], ...], scope: Scope, value: Any) -> Iterator[dict[str, Any]]:
        if not entries:
            yield {}
            return
        *before, (key_node, value_node) = entries
        for made in self._objects(tuple(before), scope, value):
            for key in self.values(key_node, scope, value):
                if not isinstance(key, str):
                    raise JqError(f"Object keys must be strings, not {type_of(key)} ({shown(key)})")
                for item in self.values(value_node, scope, value):
                    yield {**made, key: item}

    # binding

    def bind(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, source, patterns, body = node
        names = {name for pattern in patterns for name in names_in(pattern)} if len(patterns) > 1 else set()
        for found in self.values(source, scope, value):
            yield from self._first_fit(patterns, names, body, scope, found, path, value)

    def _first_fit(
        self, patterns: tuple[Node, ...], names: set[str], body: Node, scope: Scope, found: Any, path: Path, value: Any
    ) -> Results:
        """The body with the first pattern that fits; the next one is tried when it or the body fails (`?//`)."""
        for number, pattern in enumerate(patterns):
            try:
                for inner in self.match(pattern, scope, found, value):
                    for name in names:
                        inner.variables.setdefault(name, None)
                    yield from self.each(body, inner, path, value)
            except JqError:
                if number == len(patterns) - 1:
                    raise
            else:
                return

    def match(self, pattern: Node, scope: Scope, found: Any, value: Any) -> Iterator[Scope]:
        """Scopes in which a pattern's variables are bound to a value."""
        if pattern[0] == "bind":
            inner = Scope(scope)
            inner.variables[pattern[1]] = found
            yield inner
        elif pattern[0] == "bind_list":
            if found is not None and not isinstance(found, list):
                raise JqError(f"Cannot index {type_of(found)} with number")
            yield from self._match_items(pattern[1], 0, scope, found, value)
        else:
            yield from self._match_entries(pattern[1], scope, found, value)

    def _match_items(self, items: tuple[Node, ...], at: int, scope: Scope, found: Any, value: Any) -> Iterator[Scope]:
        if at == len(items):
            yield scope
            return
        for inner in self.match(items[at], scope, index(self.budget, found, at), value):
            yield from self._match_items(items, at + 1, inner, found, value)

    def _match_entries(self, entries: tuple[Any, ...], scope: Scope, found: Any, value: Any) -> Iterator[Scope]:
        if not entries:
            yield scope
            return
        (variable, key_node, inner_pattern), *rest = entries
        for key in self.values(key_node, scope, value):
            if not isinstance(key, str):
                raise JqError(f"Cannot index {type_of(found)} with {type_of(key)}")
            part = index(self.budget, found, key)
            inner = Scope(scope)
            if variable is not None:
                inner.variables[variable] = part
            for matched in self.match(inner_pattern, inner, part, value) if inner_pattern else (inner,):
                yield from self._match_entries(tuple(rest), matched, found, value)

    def reduce(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, source, pattern, start_node, update = node
        for start in self.values(start_node, scope, value):
            state: Any = start
            for found in self.values(source, scope, value):
                for inner in self.match(pattern, scope, found, value):
                    last = deque(self.values(update, inner, state), maxlen=1)
                    state = last[0] if last else None
            yield lost(path), state

    def foreach(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, source, pattern, start_node, update, extract = node
        for start in self.values(start_node, scope, value):
            state: Any = start
            for found in self.values(source, scope, value):
                for inner in self.match(pattern, scope, found, value):
                    for after in self.values(update, inner, state):
                        state = after
                        if extract is None:
                            yield lost(path), after
                        else:
                            yield from self.each(extract, inner, lost(path), after)

    # functions

    def define(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, (name, parameters, body), rest = node
        inner = Scope(scope)
        inner.functions[name, len(parameters)] = Function(parameters, body, inner)
        return self.each(rest, inner, path, value)

    def call(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, name, arguments = node
        function = scope.function(name, len(arguments))
        if function is not None:
            return self._call(function, arguments, scope, path, value)
        special = _SPECIAL.get((name, len(arguments)))
        if special is not None:
            return special(self, arguments, scope, path, value)
        native = BUILTINS.get((name, len(arguments)))
        if native is None:
            raise JqError(f"{name}/{len(arguments)} is not defined")
        return self._native(native, arguments, scope, path, value)

    def _native(
        self, native: Callable[..., object], arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any
    ) -> Results:
        for given in self._product(arguments, scope, value):
            yield lost(path), native(self, value, *given)

    def _call(self, function: Function, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        inner = Scope(function.scope)
        by_value: list[tuple[str, Node]] = []
        for parameter, argument in zip(function.parameters, arguments, strict=True):
            name = parameter.removeprefix("$")
            if parameter != name:
                by_value.append((name, argument))
            else:
                inner.functions[name, 0] = as_function(argument, scope)
        return self._with_values(by_value, inner, function, scope, path, value)

    def _with_values(
        self, by_value: list[tuple[str, Node]], inner: Scope, function: Function, scope: Scope, path: Path, value: Any
    ) -> Results:
        if not by_value:
            yield from self.each(function.body, inner, path, value)
            return
        (name, argument), *rest = by_value
        for given in self.values(argument, scope, value):
            bound = Scope(inner)
            bound.variables[name] = given
            bound.functions[name, 0] = Function((), ("literal", given), bound)
            yield from self._with_values(rest, bound, function, scope, path, value)

    # functions that work on paths or streams

    def empty(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        return iter(())

    def path_of(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        for found in self.paths(arguments[0], scope, value):
            yield lost(path), found

    def get_path(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        for wanted in self.values(arguments[0], scope, value):
            if not isinstance(wanted, list):
                raise JqError("Path must be specified as an array")
            at = path
            for key in wanted if path is not None else ():
                at = below(at, key, value)
            try:
                found = get_path(self.budget, value, wanted)
            except JqError:
                if path is None:
                    raise
                found = None
            yield at, found

    def range_of(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        given: list[Node] = list(arguments)
        if len(given) == 1:
            given.insert(0, ("literal", 0))
        if len(given) == 2:
            given.append(("literal", 1))
        for start, end, by in self._product(tuple(given), scope, value):
            if not all(isinstance(bound, (int, float)) and not isinstance(bound, bool) for bound in (start, end, by)):
                raise JqError("Range bounds must be numeric")
            at = start
            while (by > 0 and at < end) or (by < 0 and at > end):
                self.step()
                yield lost(path), at
                at += by

    def limit(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        for count in self.values(arguments[0], scope, value):
            if not isinstance(count, (int, float)):
                raise JqError("Invalid limit: it must be a number")
            left = count
            if left <= 0:
                continue
            for result in self.each(arguments[1], scope, path, value):
                yield result
                left -= 1
                if left <= 0:
                    break

    def first_of(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        for result in self.each(arguments[0], scope, path, value):
            yield result
            return

    def last_of(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        last: list[tuple[Path, Any]] = []
        for result in self.each(arguments[0], scope, path, value):
            last = [result]
        yield from last

    def error_with(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        for found in self.values(arguments[0], scope, value) if arguments else (value,):
            raise JqError(found)
        yield from ()

    # loops: written out, since jq calls them in tail position and this machine has a stack

    def recurse(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        """`recurse(f)` and `repeat(f)`: the input, then the same for each output of `f`."""
        update: Node = arguments[0] if arguments else ("try", ("iterate", ("identity",)), None)
        return self._unfold(update, scope, (path, value), lambda _: (True, True))

    def while_holds(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        def decide(found: Any) -> tuple[bool, bool]:
            holds = self.any_true(arguments[0], scope, found)
            return holds, holds

        return self._unfold(arguments[1], scope, (path, value), decide)

    def until_holds(self, arguments: tuple[Node, ...], scope: Scope, path: Path, value: Any) -> Results:
        def decide(found: Any) -> tuple[bool, bool]:
            holds = self.any_true(arguments[0], scope, found)
            return holds, not holds

        return self._unfold(arguments[1], scope, (path, value), decide)

    def any_true(self, test: Node, scope: Scope, value: Any) -> bool:
        return any(map(truth, self.values(test, scope, value)))

    def _unfold(
        self, update: Node, scope: Scope, start: tuple[Path, Any], decide: Callable[[Any], tuple[bool, bool]]
    ) -> Results:
        """Values reached from a start by `update`; `decide` tells whether to give one out, and to go on from it."""
        pending: list[tuple[tuple[Path, Any], Results]] = [(start, iter(()))]
        while pending:
            self.step()
            (path, value), rest = pending.pop()
            # The next sibling is fetched before going deeper: a chain of single outputs then needs no stack.
            following = next(rest, None)
            if following is not None:
                pending.append((following, rest))
            give, go_on = decide(value)
            if give:
                yield path, value
            if go_on:
                below = self.each(update, scope, path, value)
                first = next(below, None)
                if first is not None:
                    pending.append((first, below))
            if len(pending) > _MAX_PENDING:
                raise LimitReached(f"A jq program is nested deeper than {_MAX_PENDING} levels")

    # assignment

    def assign(self, node: Node, scope: Scope, path: Path, value: Any) -> Results:
        _, operator, left, right = node
        if operator == "|=":
            yield lost(path), self._update(left, right, scope, value)
            return
        for new in self.values(right, scope, value):
            made = value
            for target in list(self.paths(left, scope, value)):
                self.step()
                made = set_path(self.budget, made, target, self._assigned(operator, made, target, new))
            yield lost(path), made

    def _assigned(self, operator: str, value: Any, target: list[Any], new: Any) -> object:
        if operator == "=":
            return new
        old = get_path(self.budget, value, target)
        if operator == "//=":
            return old if truth(old) else new
        return arithmetic(self.budget, operator[:-1], old, new)

    def _update(self, left: Node, right: Node, scope: Scope, value: Any) -> object:
        gone: list[list[Any]] = []
        made = value
        for target in list(self.paths(left, scope, value)):
            self.step()
            old = get_path(self.budget, made, target)
            for new in self.values(right, scope, old):
                made = set_path(self.budget, made, target, new)
                break
            else:
                gone.append(target)
        return delete_paths(self.budget, made, gone)


_PARTS: Final[dict[str, Callable[[Machine, Node, Scope, Path, Any], Results]]] = {
    "identity": Machine.identity,
    "literal": Machine.literal,
    "variable": Machine.variable,
    "format": Machine.format_value,
    "string": Machine.string,
    "formatted": Machine.formatted,
    "index": Machine.index,
    "slice": Machine.slice,
    "iterate": Machine.iterate,
    "pipe": Machine.pipe,
    "comma": Machine.comma,
    "if": Machine.condition,
    "alternative": Machine.alternative,
    "try": Machine.attempt,
    "label": Machine.label,
    "break": Machine.break_out,
    "and": Machine.logic_and,
    "or": Machine.logic_or,
    "compare": Machine.comparison,
    "arithmetic": Machine.arithmetic,
    "negate": Machine.negate,
    "collect": Machine.collect,
    "object": Machine.object,
    "as": Machine.bind,
    "reduce": Machine.reduce,
    "foreach": Machine.foreach,
    "def": Machine.define,
    "call": Machine.call,
    "assign": Machine.assign,
}
_SPECIAL: Final[dict[tuple[str, int], Callable[[Machine, tuple[Node, ...], Scope, Path, Any], Results]]] = {
    ("empty", 0): Machine.empty,
    ("path", 1): Machine.path_of,
    ("getpath", 1): Machine.get_path,
    ("recurse", 0): Machine.recurse,
    ("recurse", 1): Machine.recurse,
    ("repeat", 1): Machine.recurse,
    ("while", 2): Machine.while_holds,
    ("until", 2): Machine.until_holds,
    ("range", 1): Machine.range_of,
    ("range", 2): Machine.range_of,
    ("range", 3): Machine.range_of,
    ("limit", 2): Machine.limit,
    ("first", 1): Machine.first_of,
    ("last", 1): Machine.last_of,
    ("error", 0): Machine.error_with,
    ("error", 1): Machine.error_with,
}
