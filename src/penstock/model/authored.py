"""What people write: strict, frozen records with camelCase names, and properties that may hold a template."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar, Union, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.config import JsonDict
from pydantic_core import core_schema

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


def refuse(faults: Iterable[str]) -> None:
    """Raises ValueError with all `faults`, a line each; does nothing when there are none."""
    lines = "\n".join(faults)
    if lines:
        raise ValueError(lines)


def holds_template(value: object) -> bool:
    """Whether a text anywhere inside `value` has an expression (`{{`) or a tag (`{%`)."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(holds_template(k) or holds_template(v) for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return any(holds_template(v) for v in value)
    return False


class _Templated:
    """Makes `T | str` mean: a `T`, or anything with a template in it."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        members = get_args(source)
        wanted = Union[members[:-1]] if len(members) > 1 and members[-1] is str else source  # noqa: UP007
        inner = handler.generate_schema(wanted)
        written = core_schema.wrap_serializer_function_ser_schema(_as_written, schema=inner)
        return core_schema.no_info_wrap_validator_function(_accept_template, inner, serialization=written)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = handler(schema)
        if described.get("type") == "string" and len(described) == 1:
            return {**described, "$dynamic": True}
        return {"anyOf": [described, {"type": "string"}], "$dynamic": True}


def _accept_template(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    if holds_template(value):
        return value
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        return handler(_from_json(value))
    return handler(value)


def _from_json(text: str) -> object:
    """Lists and maps may be written as one text that is JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _as_written(value: object, handler: SerializerFunctionWrapHandler) -> object:
    return value if holds_template(value) else handler(value)


Dynamic = Annotated[T | str, _Templated()]
"""A property that is either a `T` or a template which renders to one (`Property<T>` in Kestra).

Written with a template anywhere in it, the value is kept as written and rendered by `RunContext.render(value, T)`.
Without one it is checked against `T` when the flow is parsed.
"""


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


UPPER = BeforeValidator(_upper)
"""For a `Literal` of upper-case words: they are read in any case, as Kestra does."""


class Word(StrEnum):
    """A closed set of upper-case words that are read in any case."""

    @classmethod
    def _missing_(cls, value: object) -> Word | None:
        wanted = value.upper() if isinstance(value, str) else value
        return next((member for member in cls if member.value == wanted), None)


DEPRECATED: JsonDict = {"$deprecated": True}
"""Extra schema keywords of a property that is only kept for older flows."""

Free = Annotated[object, WithJsonSchema({})]
"""Any JSON value, templates allowed in every text."""
