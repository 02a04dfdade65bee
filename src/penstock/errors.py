"""Every error Penstock raises on purpose, by who can act on it.

PenstockError
├── FlowInvalid        the author of a flow: all problems at once, each with path and line
├── ExpressionError    the author of a template (raised in penstock.expr)
├── CallerError        whoever called
│   ├── BadRequest         a value that cannot be read
│   ├── NotFound           no such thing
│   │   └── Gone           it was there and has expired
│   ├── Conflict           the thing is in a state that does not allow it
│   ├── Forbidden          not allowed
│   ├── Unprocessable      readable but not valid
│   └── LimitExceeded      a limit that an administrator set
├── Retryable          try again later
│   ├── StoreUnavailable   the database cannot be reached or is full
│   └── Timeout            it took longer than allowed
├── TaskFailed         a plugin's task
├── MissingExtra       an optional package is not installed; names the install command
├── CorruptStore       a database file that is not ours or is damaged; never overwritten
└── Bug                us
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class PenstockError(Exception):
    """The root of all errors raised on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a flow: where it is and what was expected.

    `path` is Kestra's dotted path (`tasks[0].type`), `line` and `column` are 1-based positions in the source,
    `suggestion` the nearest known name where there is one.
    """

    message: str
    path: str = ""
    line: int | None = None
    column: int | None = None
    suggestion: str | None = None

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        if self.suggestion:
            text += f" (did you mean `{self.suggestion}`?)"
        return f"{text} (line {self.line})" if self.line else text


class FlowInvalid(PenstockError):
    """A flow's source that does not parse or validate; holds every problem found."""

    def __init__(self, problems: Sequence[Problem], *, flow: str | None = None) -> None:
        self.problems = list(problems)
        self.flow = flow
        super().__init__("Invalid Flow: " + ", ".join(str(p) for p in self.problems))


class CallerError(PenstockError):
    """Something the caller asked for that cannot be done as asked."""


class BadRequest(CallerError):
    """A value that cannot be read."""


class NotFound(CallerError):
    """No such thing."""


class Gone(NotFound):
    """It was there and has expired."""


class Conflict(CallerError):
    """The thing is in a state that does not allow what was asked."""


class Forbidden(CallerError):
    """Not allowed, whoever asks must have other rights."""


class Unprocessable(CallerError):
    """Readable, but not valid; `problems` holds each fault where there are several."""

    def __init__(self, message: str, *, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = list(problems)


class LimitExceeded(CallerError):
    """A limit that an administrator set."""


class Retryable(PenstockError):
    """Nothing is wrong with the request: try again later."""


class StoreUnavailable(Retryable):
    """The database cannot be reached, is locked, or its disk is full."""


class Timeout(Retryable):
    """It took longer than allowed."""


class TaskFailed(PenstockError):
    """A task ended in failure; `outputs` holds what it produced all the same."""

    def __init__(self, message: str, *, outputs: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.outputs = outputs


class MissingExtra(PenstockError):
    """An optional package is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs an optional package: install it with `pip install 'penstock[{extra}]'`")


class CorruptStore(PenstockError):
    """A database file that is damaged or is not Penstock's. It is left exactly as it was."""


class Bug(PenstockError):
    """Penstock itself is wrong: a state that its own rules exclude."""
