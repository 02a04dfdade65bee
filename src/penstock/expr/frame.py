"""The state of one rendering: scopes, the mark of secrets, and the budget it may spend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from penstock.expr.errors import EvaluationError, LimitReached
from penstock.expr.secrets import Secret

if TYPE_CHECKING:
    from penstock.expr.context import Limits, RenderContext

_SPENDINGS_PER_LOOK: Final = 256
_LARGE: Final = 100_000
_BYTES_PER_ITEM: Final = 64
_WORK_PER_OUTPUT: Final = 10


class Compiled(Protocol):
    """A compiled template, as a rendering sees it."""

    is_plain: bool

    def emit(self, frame: Frame) -> str:
        """The text within a rendering that already runs."""
        ...

    def compiled(self, text: str) -> Compiled:
        """The compiled form of another text, which came up while rendering."""
        ...


class Budget:
    """What all renderings inside one another have spent together."""

    __slots__ = ("_deadline", "_limits", "_monotonic", "_spendings", "iterations", "passes", "work")

    def __init__(self, context: RenderContext) -> None:
        self._limits: Limits = context.limits
        self._monotonic = context.monotonic
        self._deadline = context.monotonic() + context.limits.seconds
        self._spendings = 0
        self.iterations = 0
        self.passes = 0
        self.work = 0

    def turns(self, count: int) -> None:
        """Notes that loops turned this many times."""
        self.iterations += count
        if self.iterations > self._limits.iterations:
            raise LimitReached(
                f"The loops of this template turn more than {self._limits.iterations} times",
                hint="loop in the flow (ForEach, Loop) or in a script instead",
            )
        self.remaining()

    def remaining(self) -> float:
        """Seconds until the deadline; LimitReached when there are none."""
        left = self._deadline - self._monotonic()
        if left <= 0:
            raise LimitReached(f"Rendering took longer than {self._limits.seconds:g} seconds")
        return left

    def text(self, length: int) -> None:
        """Notes that a text of this many characters is about to be built."""
        if length > self._limits.output:
            raise LimitReached(
                f"The rendered text would have {length} characters, the maximum allowed size is {self._limits.output}",
                hint="pass large values as files: write them to internal storage and hand over the URI",
            )
        self.spend(length)

    def spend(self, amount: int) -> None:
        """Notes work: characters written, and bytes of lists and maps built or walked through."""
        self.work += amount
        if self.work > self._limits.output * _WORK_PER_OUTPUT:
            raise LimitReached("This template builds more text and lists than it may, all together")
        self._spendings += 1
        if amount > _LARGE or self._spendings % _SPENDINGS_PER_LOOK == 0:
            self.remaining()

    def items(self, count: int) -> None:
        """Notes that a list or map of this many items is about to be built or walked through."""
        if count * 8 > self._limits.output:
            raise LimitReached(f"A list of {count} items is larger than a template may build")
        self.spend(count * _BYTES_PER_ITEM + _BYTES_PER_ITEM)


class Frame:
    """One rendering of one template; macros and nested renderings get frames that share the budget."""

    __slots__ = ("_budget", "context", "depth", "protected", "scopes", "sources", "template", "variables")

    def __init__(self, context: RenderContext, template: Compiled) -> None:
        self.context = context
        self.template = template
        self.variables: Mapping[str, object] = context.variables
        self.scopes: list[dict[str, object]] | None = None
        self.sources: set[str] | None = None
        self.protected: list[str] | None = None
        self.depth = 0
        self._budget: Budget | None = None

    @property
    def budget(self) -> Budget:
        """The budget; its clock starts when it is first asked for."""
        if self._budget is None:
            self._budget = Budget(self.context)
        return self._budget

    def touch(self, secret: Secret) -> None:
        """Notes that a secret was read: all text of this rendering is secret from here on."""
        self.absorb(secret.sources)

    def absorb(self, sources: Iterable[str]) -> None:
        """Notes secrets that a nested rendering or a converter met."""
        if self.sources is None:
            self.sources = set()
        self.sources.update(sources)
        if self.context.secrets is None:
            self.context.secrets = set()
        self.context.secrets.update(sources)

    def inner(self, template: Compiled, variables: Mapping[str, object]) -> Frame:
        """A frame for a macro or a nested rendering: other variables, the same budget."""
        frame = Frame(self.context, template)
        frame.variables = variables
        frame.depth = self.depth + 1
        frame.protected = self.protected
        frame._budget = self.budget
        if frame.depth > self.context.limits.depth:
            raise LimitReached(f"Macros and renderings are nested deeper than {self.context.limits.depth} levels")
        return frame

    def finish(self, inner: Frame) -> None:
        """Takes over what an inner frame learned."""
        if inner.sources is not None:
            self.absorb(inner.sources)

    def render_again(self, text: str) -> str:
        """`text` rendered until it no longer changes; EvaluationError after the limit of passes."""
        for _ in range(self.context.limits.passes):
            template = self.template.compiled(text)
            if template.is_plain:
                return text
            inner = self.inner(template, self.variables)
            rendered = template.emit(inner)
            self.finish(inner)
            if rendered == text:
                return text
            text = rendered
        raise EvaluationError("Too many rendering attempts", hint="two variables refer to one another")

    def protect(self, text: str) -> str:
        """A placeholder for text that must survive further passes of a recursive rendering."""
        if self.protected is None:
            return text
        self.protected.append(text)
        return f"\ue000{len(self.protected) - 1}\ue001"


class ScopeView(Mapping[str, object]):
    """All variables a template sees: its own, innermost first, then the context's (`_context`, `printContext()`)."""

    __slots__ = ("_scopes", "_variables")

    def __init__(self, variables: Mapping[str, object], scopes: list[dict[str, object]] | None) -> None:
        self._variables = variables
        self._scopes = list(scopes or ())

    def __getitem__(self, name: str) -> object:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(self._variables)
        for scope in self._scopes:
            names.update(dict.fromkeys(scope))
        return iter(names)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def known_names(self) -> list[str]:
        """The names for an error message."""
        return list(self)
