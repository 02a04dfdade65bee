"""Inputs of a flow, by type (engine.md 6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AliasChoices, Discriminator, Field, Tag

from penstock.model.authored import UPPER, Authored, Free

INPUT_ID = r"^[a-zA-Z0-9][.a-zA-Z0-9_-]*$"


class DependsOn(Authored):
    """The inputs that must have a value, and a condition that must hold, for an input to be asked for."""

    inputs: list[str] = []
    condition: str | None = None


class InputBase(Authored):
    """What inputs of every type have."""

    id: str = Field(pattern=INPUT_ID, validation_alias=AliasChoices("id", "name"))
    description: str | None = None
    display_name: str | None = None
    required: bool = True
    defaults: Free = None
    prefill: Free = None
    depends_on: DependsOn | None = None


class StringInput(InputBase):
    """A text; `validator` is a regular expression it must match as a whole."""

    type: Annotated[Literal["STRING"], UPPER]
    validator: str | None = None


class SecretInput(InputBase):
    """A text that is kept encrypted."""

    type: Annotated[Literal["SECRET"], UPPER]
    validator: str | None = None


class Choice(Authored):
    """One choice of a SELECT, with a label of its own."""

    label: str
    value: str


class SelectInput(InputBase):
    """One of `values`, or of what `expression` renders to."""

    type: Annotated[Literal["SELECT", "ENUM"], UPPER]
    values: list[Choice | str] | None = None
    expression: str | None = None
    allow_custom_value: bool = False
    is_radio: bool = False
    auto_select_first: bool = False


class MultiselectInput(InputBase):
    """Some of `values`, or of what `expression` renders to."""

    type: Annotated[Literal["MULTISELECT"], UPPER]
    values: list[Choice | str] | None = None
    options: list[str] | None = None
    expression: str | None = None
    allow_custom_value: bool = False
    auto_select_first: bool = False
    item_type: str = "STRING"


class ArrayInput(InputBase):
    """A list of elements of one type."""

    type: Annotated[Literal["ARRAY"], UPPER]
    item_type: str


class IntInput(InputBase):
    """A whole number within inclusive bounds."""

    type: Annotated[Literal["INT"], UPPER]
    min: int | None = None
    max: int | None = None


class FloatInput(InputBase):
    """A number within inclusive bounds."""

    type: Annotated[Literal["FLOAT"], UPPER]
    min: float | None = None
    max: float | None = None


class BoolInput(InputBase):
    """True or false."""

    type: Annotated[Literal["BOOL", "BOOLEAN"], UPPER]


class DatedInput(InputBase):
    """An instant, a date or a time of day within inclusive bounds."""

    type: Annotated[Literal["DATETIME", "DATE", "TIME"], UPPER]
    after: str | None = None
    before: str | None = None


class DurationInput(InputBase):
    """A length of time within inclusive bounds."""

    type: Annotated[Literal["DURATION"], UPPER]
    min: str | None = None
    max: str | None = None


class FileInput(InputBase):
    """A file, uploaded or named by its URI."""

    type: Annotated[Literal["FILE"], UPPER]
    extension: str | None = None
    allowed_file_extensions: list[str] | None = None
    accept: list[str] | None = None


class JsonInput(InputBase):
    """Any JSON value; `json_schema` is a schema it must obey."""

    type: Annotated[Literal["JSON"], UPPER]
    json_schema: Mapping[str, object] | str | None = None


class PlainInput(InputBase):
    """A value with no properties of its own."""

    type: Annotated[Literal["YAML", "URI", "EMAIL", "ION"], UPPER]


class FormInput(InputBase):
    """A group of inputs; their ids lie below its own."""

    type: Annotated[Literal["FORM"], UPPER]
    inputs: list[Input]


class ReusableInputs(InputBase):
    """Inputs kept elsewhere under a name."""

    type: Annotated[Literal["REUSABLE_INPUTS"], UPPER]
    ref: str | None = None


_TYPES: dict[str, str] = {
    "STRING": "string", "SECRET": "secret", "SELECT": "select", "ENUM": "select", "MULTISELECT": "multiselect",
    "ARRAY": "array", "INT": "int", "FLOAT": "float", "BOOL": "bool", "BOOLEAN": "bool", "DATETIME": "dated",
    "DATE": "dated", "TIME": "dated", "DURATION": "duration", "FILE": "file", "JSON": "json", "YAML": "plain",
    "URI": "plain", "EMAIL": "plain", "ION": "plain", "FORM": "form", "REUSABLE_INPUTS": "reusable",
}  # fmt: skip


def _tag(value: object) -> str | None:
    kind = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return _TYPES.get(str(kind).upper())


Input = Annotated[
    Annotated[StringInput, Tag("string")]
    | Annotated[SecretInput, Tag("secret")]
    | Annotated[SelectInput, Tag("select")]
    | Annotated[MultiselectInput, Tag("multiselect")]
    | Annotated[ArrayInput, Tag("array")]
    | Annotated[IntInput, Tag("int")]
    | Annotated[FloatInput, Tag("float")]
    | Annotated[BoolInput, Tag("bool")]
    | Annotated[DatedInput, Tag("dated")]
    | Annotated[DurationInput, Tag("duration")]
    | Annotated[FileInput, Tag("file")]
    | Annotated[JsonInput, Tag("json")]
    | Annotated[PlainInput, Tag("plain")]
    | Annotated[FormInput, Tag("form")]
    | Annotated[ReusableInputs, Tag("reusable")],
    Discriminator(_tag),
]
"""An input of any type."""

INPUT_TYPES = tuple(_TYPES)
"""The names of all input types."""
