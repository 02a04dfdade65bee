"""What people write: strict, frozen records with camelCase names, and properties that may hold a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, ValidatorFunctionWrapHandler, WithJsonSchema, WrapValidator
from pydantic.alias_generators import to_camel

T = TypeVar("T")


class Authored(BaseModel):
    """A record of a flow's source: unknown properties are refused, values never change after parsing."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        defer_build=True,
        arbitrary_types_allowed=True,
        coerce_numbers_to_str=True,
        protected_namespaces=(),
    )


def holds_template(value: object) -> bool:
    """Whether a text anywhere inside `value` has an expression (`{{`) or a tag (`{%`)."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(holds_template(k) or holds_template(v) for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return any(holds_template(v) for v in value)
    return False


def _accept_template(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    return value if holds_template(value) else handler(value)


Dynamic = Annotated[T | str, WrapValidator(_accept_template)]
"""A property that is either a `T` or a template which renders to one (`Property<T>` in Kestra).

Written with a template anywhere in it, the value is kept as written and rendered by `RunContext.render(value, T)`.
Without one it is checked against `T` when the flow is parsed.
"""

Free = Annotated[object, WithJsonSchema({})]
"""Any JSON value, templates allowed in every text."""
