"""What a condition came to, and how templates are rendered for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Renderer(Protocol):
    """Renders templates of one flow's triggers; the flow's own variables (`flow`, `vars`, `envs` …) are known to it.

    Raises, in both methods:
        PenstockError: the template does not parse or cannot be rendered.
    """

    def text(self, template: str, variables: Mapping[str, object]) -> str:
        """The text of a template."""
        ...

    def value(self, template: str, variables: Mapping[str, object]) -> object:
        """The value of a template: typed when it is one expression."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether conditions hold; if not, which one did not and what it saw.

    warning: the condition could not be evaluated, which counts as false (engine.md 7.1); the text for the log.
    """

    holds: bool
    condition: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    warning: str | None = None


HOLDS = Verdict(holds=True)
"""Nothing stands in the way."""

_FALSE = frozenset({"", "0", "-0", "false"})


def is_true(text: object) -> bool:
    """Kestra's truth of a rendered condition (engine.md 1.3): false are null, blank, `0`, `-0` and `false`."""
    if text is None or text is False:
        return False
    return str(text).strip() not in _FALSE


def render_all(value: object, render: Renderer, variables: Mapping[str, object]) -> object:
    """`value` with every text inside it rendered; a text that is one expression becomes its typed value."""
    if isinstance(value, str):
        return render.value(value, variables) if "{" in value else value
    if isinstance(value, Mapping):
        return {str(key): render_all(item, render, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render_all(item, render, variables) for item in value]
    return value
