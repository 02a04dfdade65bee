"""Values for the inputs of a flow, or of a Pause's `onResume`: found, rendered, typed and checked (engine.md 6.1-6.4).

`InputResolver.resolve` never raises for a wrong value: it says for each input what its value is, whether it is enabled,
whether the value is its default, and what is wrong. `Resolved.require` turns faults into the answer a caller gets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from penstock.catalog import rules
from penstock.catalog.coercion import Refused, coerce, text_of
from penstock.catalog.rendering import Renderer, flow_variables
from penstock.errors import PenstockError, Problem, Unprocessable
from penstock.expr import Secret
from penstock.model.mappings import nested
from penstock.ports.blob_paths import execution_prefix, input_file
from penstock.ports.platform import Caller

if TYPE_CHECKING:
    from penstock.catalog.vault import Vault
    from penstock.model.inputs import Input
    from penstock.ports.blobs import Blobs, Content

NO_ENCRYPTION: Final = "Unable to use a `SECRET` input/output as encryption is not configured"
FILE_SCHEMES: Final = ("kestra://", "nsfile://", "file://")
_TEXT_EVEN_WHEN_EMPTY: Final = frozenset({"STRING", "SELECT", "ENUM", "EMAIL", "SECRET"})
_CHOOSING: Final = frozenset({"SELECT", "ENUM", "MULTISELECT"})
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class FilePart:
    """An uploaded file: the name it was sent with and its bytes (whole, in chunks, or as an open file)."""

    name: str
    content: Content


@dataclass(frozen=True, slots=True)
class InputFault:
    """What is wrong with one input; `render_error` says that a template of the flow is at fault, not the value."""

    message: str
    render_error: bool = False


@dataclass(slots=True)
class ResolvedInput:
    """One input and what became of it.

    id: its full id, with that of its FORM in front. value: typed, or as it was given where it is refused.
    choices: the values that may be chosen, those of a rendered `expression` included.
    """

    declared: Input
    id: str
    value: object = None
    enabled: bool = True
    is_default: bool = False
    errors: list[InputFault] = field(default_factory=list)
    choices: list[str] | None = None


@dataclass(slots=True)
class Resolved:
    """All inputs, in the order of the flow, and warnings for values that no input declares."""

    inputs: list[ResolvedInput] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def values(self) -> dict[str, object]:
        """The values of the enabled inputs as an execution keeps them: dotted ids nested, secrets encrypted."""
        return nested({i.id: i.value for i in self.inputs if i.enabled})

    @property
    def errors(self) -> list[Problem]:
        """The faults of the enabled inputs."""
        return [Problem(fault.message, path=i.id) for i in self.inputs if i.enabled for fault in i.errors]

    @property
    def message(self) -> str:
        """All faults, one a line, without a path."""
        return "\n".join(problem.message for problem in self.errors)

    def require(self) -> dict[str, object]:
        """The values.

        Raises:
            Unprocessable: an enabled input has a fault; its text is `Invalid entity: ` and all of them.
        """
        problems = self.errors
        if problems:
            raise Unprocessable(f"Invalid entity: {self.message}", problems=problems)
        return self.values


@dataclass(frozen=True, slots=True)
class InputScope:
    """For whom inputs are resolved.

    variables: what templates see besides `inputs` and `flow` (`vars`, `labels`; for a Pause everything).
    subject: what the warning for undeclared values calls it; the flow when empty.
    store_files: whether uploaded files are kept; without it a FILE input has the name of its file.
    """

    caller: Caller
    revision: int
    variables: Mapping[str, object] = field(default_factory=dict)
    subject: str = ""
    store_files: bool = True


class InputResolver:
    """Resolves inputs with the installation's storage, key and templates."""

    def __init__(self, renderer: Renderer, *, blobs: Blobs | None = None, vault: Vault | None = None) -> None:
        """Without `vault` SECRET inputs are refused, Kestra's rule when no encryption key is configured."""
        self.renderer = renderer
        self.blobs = blobs
        self.vault = vault

    def resolve(self, declared: Sequence[Input], given: Mapping[str, object], scope: InputScope) -> Resolved:
        """What each of the `declared` inputs is, from the `given` texts, files and typed values.

        Given values are found by the full id (`a.b`), or inside maps (`{"a": {"b": …}}`). Files are stored before the
        execution exists, below its folder.
        """
        if not declared and not given:
            return Resolved()
        return _Resolution(self, declared, given, scope).run()


class _Resolution:
    """The work of one call of `resolve`."""

    def __init__(
        self, tools: InputResolver, declared: Sequence[Input], given: Mapping[str, object], scope: InputScope
    ) -> None:
        self._tools = tools
        self._scope = scope
        self._declared = dict(flattened(declared))
        self._given = given
        self._done: dict[str, ResolvedInput] = {}
        self._busy: set[str] = set()

    def run(self) -> Resolved:
        for full_id in self._declared:
            self._resolve(full_id)
        return Resolved([self._done[full_id] for full_id in self._declared], self._undeclared())

    def _resolve(self, full_id: str) -> ResolvedInput:
        found = self._done.get(full_id)
        if found is not None:
            return found
        self._busy.add(full_id)
        made = ResolvedInput(self._declared[full_id], full_id)
        try:
            if self._enable(made):
                self._fill(made)
        except Refused as fault:
            made.errors.append(InputFault(f"Invalid value for input `{full_id}`. Cause: {fault}"))
        self._busy.discard(full_id)
        self._done[full_id] = made
        return made

    def _enable(self, made: ResolvedInput) -> bool:
        depends = made.declared.depends_on
        if depends is None:
            return True
        made.enabled = all(self._has_value(other, made.id) for other in depends.inputs or ())
        if made.enabled and depends.condition:
            made.enabled = self._holds(depends.condition, made)
        return made.enabled

    def _has_value(self, other: str, of: str) -> bool:
        full_id = other if other in self._declared else f"{of.rpartition('.')[0]}.{other}"
        if full_id not in self._declared or full_id in self._busy:
            return False
        found = self._resolve(full_id)
        return found.enabled and found.value is not None

    def _holds(self, condition: str, made: ResolvedInput) -> bool:
        try:
            held = self._render(condition)
        except PenstockError as fault:
            made.errors.append(InputFault(f"Invalid condition: {fault}", render_error=True))
            return False
        return held is True or (isinstance(held, str) and held.strip() == "true")

    def _fill(self, made: ResolvedInput) -> None:
        declared = made.declared
        made.choices = self._choices(made)
        value = self._given_value(made)
        if value is _ABSENT:
            value = self._default(made)
        if value is None:
            self._miss(made)
            return
        made.value = value.name if isinstance(value, FilePart) else value
        typed = self._typed(made, value)
        rules.check(declared.type, typed, rules=vars(declared), choices=made.choices)
        made.value = self._sealed(text_of(typed)) if declared.type == "SECRET" else typed

    def _miss(self, made: ResolvedInput) -> None:
        if made.declared.required and not made.errors:
            made.errors.append(InputFault(f"Missing required input:{made.id}"))

    def _given_value(self, made: ResolvedInput) -> object:
        value = look_up(self._given, made.id)
        if value is None or value is _ABSENT:
            return _ABSENT
        if isinstance(value, FilePart):
            return value if value.name else _ABSENT
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if value == "" and made.declared.type not in _TEXT_EVEN_WHEN_EMPTY:
            return _ABSENT
        return value

    def _default(self, made: ResolvedInput) -> object:
        default = made.declared.defaults
        if default is None:
            return self._first_choice(made)
        made.is_default = True
        try:
            return self._render(default)
        except PenstockError as fault:
            made.errors.append(InputFault(f"Invalid value for input `{made.id}`. Cause: {fault}", render_error=True))
            return None

    def _first_choice(self, made: ResolvedInput) -> object:
        if not made.choices or not getattr(made.declared, "auto_select_first", False):
            return None
        made.is_default = True
        return [made.choices[0]] if made.declared.type == "MULTISELECT" else made.choices[0]

    def _typed(self, made: ResolvedInput, value: object) -> object:
        declared = made.declared
        if declared.type == "FILE":
            return self._file(made, value)
        if isinstance(value, FilePart):
            value = _text_of_part(value)
        return coerce(declared.type, value, item_type=_item_type(declared))

    def _file(self, made: ResolvedInput, value: object) -> str:
        if not isinstance(value, FilePart):
            uri = text_of(value)
            if not uri.startswith(FILE_SCHEMES):
                raise Refused(f"expected an uploaded file or a URI that starts with {' or '.join(FILE_SCHEMES)}")
            rules.check_file(uri, vars(made.declared))
            return uri
        name = PurePosixPath(value.name.replace("\\", "/")).name or f"{made.id}.upl"
        rules.check_file(name, vars(made.declared))
        if not self._scope.store_files or self._tools.blobs is None:
            return name
        caller = self._scope.caller
        folder = execution_prefix(caller.namespace, caller.flow_id, caller.execution_id or "")
        return self._tools.blobs.put(caller.tenant, input_file(folder, made.id, file=name), value.content)

    def _sealed(self, plain: str) -> object:
        if self._tools.vault is None:
            raise Refused(NO_ENCRYPTION)
        return self._tools.vault.wrap(plain)

    def _choices(self, made: ResolvedInput) -> list[str] | None:
        declared = made.declared
        if declared.type not in _CHOOSING:
            return None
        expression = getattr(declared, "expression", None)
        if not expression:
            listed = getattr(declared, "values", None) or getattr(declared, "options", None)
            return [choice_value(choice) for choice in listed or ()]
        try:
            rendered = coerce("JSON", self._render(expression))
        except (PenstockError, Refused) as fault:
            made.errors.append(InputFault(f"Invalid expression: {fault}", render_error=True))
            return None
        if not isinstance(rendered, Sequence) or isinstance(rendered, str | bytes):
            message = "Invalid expression result. Expected a list of values"
            made.errors.append(InputFault(message, render_error=True))
            return None
        return [choice_value(v) for v in rendered]

    def _render(self, template: object) -> object:
        scope = self._scope
        variables = {
            "flow": flow_variables(scope.caller, scope.revision),
            **scope.variables,
            "inputs": self._inputs_so_far(),
        }
        return self._tools.renderer.value(template, variables, caller=scope.caller)

    def _inputs_so_far(self) -> dict[str, object]:
        vault = self._tools.vault
        shown = {i.id: i.value for i in self._done.values() if i.enabled and not i.errors}
        return reveal(nested(shown), vault) if vault is not None else nested(shown)

    def _undeclared(self) -> list[str]:
        caller = self._scope.caller
        subject = self._scope.subject or f"workflow {caller.namespace}.{caller.flow_id}"
        return [
            f"Input {key} was provided for {subject} but isn't declared in the workflow inputs"
            for key in _paths(self._given, self._declared)
            if key not in self._declared
        ]


def flattened(declared: Sequence[Input], prefix: str = "") -> Iterator[tuple[str, Input]]:
    """Every input by its full id, the children of a FORM (`<form>.<child>`) in its place."""
    for one in declared:
        full_id = prefix + one.id
        children = getattr(one, "inputs", None) if one.type == "FORM" else None
        if children is not None:
            yield from flattened(children, full_id + ".")
        elif one.type != "REUSABLE_INPUTS":
            yield full_id, one


def reveal(values: Mapping[str, object], vault: Vault) -> dict[str, object]:
    """`values` with every encrypted one decrypted, as a text that stays marked as secret."""
    return {key: _revealed(value, vault) for key, value in values.items()}


def _revealed(value: object, vault: Vault) -> object:
    from penstock.catalog.vault import is_wrapped

    if isinstance(value, Mapping):
        return Secret(vault.unwrap(value)) if is_wrapped(value) else reveal(value, vault)
    if isinstance(value, list):
        return [_revealed(item, vault) for item in value]
    return value


def choice_value(choice: object) -> str:
    """The value behind a choice: itself, or the `value` of a `{label, value}`."""
    if isinstance(choice, Mapping) and "value" in choice:
        return text_of(choice["value"])
    return text_of(getattr(choice, "value", choice))


def look_up(given: Mapping[str, object], full_id: str) -> object:
    """The value given for an id, as it stands or inside maps; a marker when there is none."""
    if full_id in given:
        return given[full_id]
    head, dot, rest = full_id.partition(".")
    below = given.get(head)
    return look_up(below, rest) if dot and isinstance(below, Mapping) else _ABSENT


def _paths(given: Mapping[str, object], declared: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    """The full ids of what was given; maps are entered only where declared ids lie below them."""
    for key, value in given.items():
        full_id = prefix + key
        enters = full_id not in declared and isinstance(value, Mapping)
        if enters and any(other.startswith(full_id + ".") for other in declared):
            yield from _paths(value, declared, full_id + ".")  # pyright: ignore[reportArgumentType]
        else:
            yield full_id


def _item_type(declared: Input) -> str | None:
    found = getattr(declared, "item_type", None)
    if found is None and declared.type == "MULTISELECT":
        return "STRING"
    return None if found is None else str(found)


def _text_of_part(part: FilePart) -> str:
    content = part.content
    if not isinstance(content, bytes):
        read = getattr(content, "read", None)
        content = read() if read is not None else b"".join(content)  # pyright: ignore[reportArgumentType]
    return content.decode("utf-8", "replace")
