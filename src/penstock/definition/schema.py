"""JSON Schema of the flow language, generated from the model and the plugins' types: editors complete and check by it.

It says what the parser says, in the extra keywords of Kestra: `$dynamic` for properties that may hold a template,
`$deprecated` for those kept for older flows. Types that cannot be imported take any properties.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import AliasChoices, BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from penstock.definition.type_index import CORE_ALIASES, CORE_TYPES, TypeIndex, find_type
from penstock.errors import MissingExtra
from penstock.model.conditions import Condition
from penstock.model.flow import Flow, PluginDefault
from penstock.model.task import Task
from penstock.model.triggers import Trigger

Json = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/{model}"
_BASES: Mapping[str, type[BaseModel]] = {"task": Task, "trigger": Trigger, "condition": Condition}
_NAMES = {
    "flow": "Flow", "task": "Task", "trigger": "Trigger", "condition": "Condition", "taskrunner": "TaskRunner",
    "plugindefault": "PluginDefault",
}  # fmt: skip
ROOTS = ("flow", "task", "trigger", "condition", "taskrunner", "plugindefault", "input")
"""The parts of the language that have a schema of their own."""


def schema_of(root: str, types: TypeIndex) -> Json | None:
    """The schema of a part of the language (`ROOTS`, any case, also in the plural), None when there is no such part."""
    name = root.lower().removesuffix("s")
    if name not in ROOTS:
        return None
    definitions = _definitions(types)
    head = _input(definitions) if name == "input" else {"$ref": f"#/$defs/{_NAMES[name]}"}
    return {"$schema": DIALECT, **head, "$defs": _reached(definitions, head)}


def _input(definitions: Mapping[str, Json]) -> Json:
    """An input of any type, as the flow's list of inputs has it."""
    inputs = definitions["Flow"]["properties"]["inputs"]
    return next(one["items"] for one in inputs["anyOf"] if "items" in one)


def schema_of_type(cls: type[BaseModel]) -> Json:
    """The schema of one record of the language by itself, such as a task's class; its children are tasks of any type."""
    made = cls.model_json_schema(by_alias=True, schema_generator=_Generator, ref_template=_REF)
    return _with_type(made, _names(cls))


def _definitions(types: TypeIndex) -> dict[str, Json]:
    """Every definition by name: those of types by the type's, the bases as a choice of all their types."""
    found, unknown = _classes(types)
    models: list[type[BaseModel]] = [Flow, PluginDefault, *_BASES.values(), *found]
    made, whole = models_json_schema(
        [(cls, "validation") for cls in models], by_alias=True, schema_generator=_Generator, ref_template=_REF
    )
    refs = {cls: str(made[cls, "validation"]["$ref"]) for cls in models}
    definitions: dict[str, Json] = whole.get("$defs", {})
    runners = _runner_base(found)
    for name, base in {**_BASES, **({"taskrunner": runners} if runners else {})}.items():
        _becomes_choice(definitions, refs, base, found, unknown=unknown if name in ("task", "trigger") else [])
    if runners is not None:
        _refer_to_runners(definitions, refs[runners])
    bases = {cls: _NAMES[name] for name, cls in _BASES.items()}
    return _renamed(definitions, {refs[cls]: bases.get(cls) or _type_name(cls) for cls in models})


def _type_name(cls: type[BaseModel]) -> str:
    return str(cls.__dict__.get("TYPE") or cls.__name__)


def _renamed(definitions: Mapping[str, Json], names: Mapping[str, str]) -> dict[str, Json]:
    """Definitions and references with names that users know in the place of those of classes."""
    by_old = {ref.rpartition("/")[2]: new for ref, new in names.items()}

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        ref = value.get("$ref")
        told = {**value, "$ref": f"#/$defs/{by_old[old]}"} if (old := str(ref).rpartition("/")[2]) in by_old else value
        return {name: inner if name == "$ref" else renamed(inner) for name, inner in told.items()}

    return {by_old.get(name, name): renamed(one) for name, one in definitions.items()}


def _classes(types: TypeIndex) -> tuple[list[type[BaseModel]], list[str]]:
    """The classes of all types, and the names of those whose package is not installed."""
    found: dict[type[BaseModel], None] = {}
    unknown: list[str] = []
    for name in dict.fromkeys([*CORE_TYPES, *types.names()]):
        try:
            cls = find_type(name, types)
        except MissingExtra:
            unknown.append(name)
            continue
        if isinstance(cls, type) and issubclass(cls, BaseModel):
            found[cls] = None
    for base in _task_runner_bases(found):
        found[base] = None
    return list(found), unknown


def _task_runner_bases(found: Iterable[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Plugins that are neither task, trigger nor condition have a base of their own, which stands for all of them."""
    for cls in found:
        if not issubclass(cls, (*_BASES.values(),)):
            yield from (b for b in cls.__mro__ if b.__name__ == "TaskRunner" and issubclass(b, BaseModel))
            return


def _runner_base(found: Iterable[type[BaseModel]]) -> type[BaseModel] | None:
    return next((cls for cls in found if cls.__name__ == "TaskRunner" and not cls.__dict__.get("TYPE")), None)


def _becomes_choice(
    definitions: dict[str, Json],
    refs: Mapping[type[BaseModel], str],
    base: type[BaseModel],
    found: Iterable[type[BaseModel]],
    *,
    unknown: Iterable[str],
) -> None:
    """The definition of a base becomes: any of its types, each with its names."""
    choices: list[Json] = []
    for cls in found:
        if cls is base or not issubclass(cls, base):
            continue
        name = refs[cls].rpartition("/")[2]
        definitions[name] = _with_type(definitions[name], _names(cls))
        choices.append({"$ref": refs[cls]})
    if names := sorted(unknown):
        own = definitions[refs[base].rpartition("/")[2]]
        choices.append(_with_type({**own, "additionalProperties": True}, names))
    definitions[refs[base].rpartition("/")[2]] = {"anyOf": choices}


def _names(cls: type[BaseModel]) -> list[str]:
    name = str(cls.__dict__.get("TYPE") or "")
    aliases = [*cls.__dict__.get("ALIASES", ()), *(a for a, target in CORE_ALIASES.items() if target == name)]
    return list(dict.fromkeys([name, *aliases])) if name else []


def _with_type(made: Json, names: list[str]) -> Json:
    if not names or "properties" not in made:
        return made
    kind: Json = {"const": names[0]} if len(names) == 1 else {"enum": names}
    return {**made, "properties": {**made["properties"], "type": kind}}


def _refer_to_runners(definitions: Mapping[str, Json], ref: str) -> None:
    for one in definitions.values():
        properties = one.get("properties", {})
        if isinstance(properties.get("taskRunner"), dict):
            properties["taskRunner"] = {"$ref": ref}


def _reached(definitions: Mapping[str, Json], head: object) -> dict[str, Json]:
    """The definitions that are referred to from `head`, near or far."""
    kept: dict[str, Json] = {}
    waiting = list(_refs(head))
    while waiting:
        name = waiting.pop()
        if name not in kept and name in definitions:
            kept[name] = definitions[name]
            waiting.extend(_refs(definitions[name]))
    return dict(sorted(kept.items()))


def _refs(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "$ref" and isinstance(inner, str):
                yield inner.rpartition("/")[2]
            else:
                yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


class _Generator(GenerateJsonSchema):
    """Writes down every name that a property is read by, the older ones as deprecated."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """A title made of the name would only repeat it."""
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A record; one that stands for all its types takes the properties of any."""
        made = super().model_schema(schema)
        cls = schema["cls"]
        if cls in _BASES.values():
            made = {name: value for name, value in made.items() if name != "additionalProperties"}
        return _with_older_names(cls, made) if "properties" in made else made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without defaults that are none: `null` there would read as a value that may be written."""
        made = super().default_schema(schema)
        if made.get("default", ...) is None:
            del made["default"]
        return made


def _with_older_names(cls: type[BaseModel], made: Json) -> Json:
    properties, required = dict(made["properties"]), list(made.get("required", ()))
    for field in cls.model_fields.values():
        choices = field.validation_alias
        if not isinstance(choices, AliasChoices):
            continue
        first, *others = (name for name in choices.choices if isinstance(name, str))
        if first not in properties:
            continue
        properties.update(
            {name: {**properties[first], "$deprecated": True} for name in others if name not in properties}
        )
        if first in required:
            required.remove(first)
    left = {name: value for name, value in made.items() if name != "required"}
    return {**left, "properties": properties, **({"required": required} if required else {})}
