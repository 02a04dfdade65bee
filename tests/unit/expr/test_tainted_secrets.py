from __future__ import annotations

import base64
import json
import pickle
import shlex
from urllib.parse import quote, quote_plus

import pytest
from expr_contexts import make_context
from hypothesis import given
from hypothesis import strategies as st

from penstock.expr import MASK, Secret, compile_template, mask, render_value

PASSWORD = "p@ss w'rd/\"1\n$é"
VARIABLES: dict[str, object] = {
    "inputs": {"password": Secret(PASSWORD), "user": "admin"},
    "list": [Secret("one-secret"), "plain"],
    "key": "password",
}

CARRIERS = [
    "{{ inputs.password }}",
    "{{ inputs[key] }}",
    "x{{ inputs.password }}y",
    "{{ inputs.password ~ 'x' }}",
    "{{ 'x' + inputs.password }}",
    '{{ "Bearer #{inputs.password}" }}',
    "{{ inputs.password | upper }}",
    "{{ inputs.password | base64encode }}",
    "{{ inputs.password | sha256 }}",
    "{{ inputs }}",
    "{{ inputs | toJson }}",
    "{{ inputs | yaml }}",
    "{{ inputs | toIon }}",
    "{{ inputs | values | join(',') }}",
    "{{ inputs | jq('.password') | first }}",
    "{{ list | first }}",
    "{{ list | reverse | last }}",
    "{{ [inputs.password] | join }}",
    "{{ {'a': inputs.password} }}",
    "{{ inputs.missing ?? inputs.password }}",
    "{{ true ? inputs.password : '' }}",
    "{% set p = inputs.password %}{{ p }}",
    "{% for v in inputs %}{{ v.value }}{% endfor %}",
    "{% for v in list %}{{ v }}{% endfor %}",
    "{% macro m(p) %}{{ p }}{% endmacro %}{{ m(inputs.password) }}",
    "{% filter upper %}{{ inputs.password }}{% endfilter %}",
    "{% block b %}{{ inputs.password }}{% endblock %}",
    "{{ render('{{ inputs.password }}') }}",
    "{{ inputs.password | replace({'p': 'q'}) }}",
    "{{ inputs.password | split('@') }}",
    "{{ inputs.password | default('x') }}",
    "{{ inputs.password.length() }}",
]


@pytest.mark.parametrize("template", CARRIERS)
def test_the_mark_stays(template: str) -> None:
    context = make_context(VARIABLES)
    text = compile_template(template).render(context)
    assert isinstance(text, Secret)
    assert context.secrets
    assert text.sources <= context.secrets


@pytest.mark.parametrize("template", ["{{ inputs.user }}", "{{ key }}", "{{ inputs | keys }}", "{{ list | length }}"])
def test_what_is_not_secret_stays_plain(template: str) -> None:
    context = make_context(VARIABLES)
    assert type(compile_template(template).render(context)) is str
    assert context.secrets is None


def test_typed_results_are_marked_inside() -> None:
    value = compile_template("{{ {'a': [inputs.password ~ '!'], 'n': 1} }}").evaluate(make_context(VARIABLES))
    assert value == {"a": [PASSWORD + "!"], "n": 1}
    assert isinstance(value, dict)
    assert isinstance(value["a"][0], Secret)


def test_render_value_marks_only_what_holds_a_secret() -> None:
    value = render_value({"a": "{{ inputs.password }}", "b": "{{ inputs.user }}"}, make_context(VARIABLES))
    assert isinstance(value, dict)
    assert isinstance(value["a"], Secret)
    assert type(value["b"]) is str


def test_recursive_rendering_leaves_secrets_alone() -> None:
    context = make_context({"s": Secret("{{ x }}"), "x": "never", "t": "{{ s }}"}, recursive=True)
    assert compile_template("{{ t }} {{ s }}").render(context) == "{{ x }} {{ x }}"


def test_a_secret_does_not_show_itself() -> None:
    assert repr(Secret("hunter2")) == "Secret('******')"
    assert str(Secret("hunter2")) == "hunter2"
    joined = "a" + Secret("hunter2") + "b"
    assert isinstance(joined, Secret)
    assert joined.sources == {"hunter2"}
    assert pickle.loads(pickle.dumps(joined)).sources == {"hunter2"}


def test_messages_do_not_show_it() -> None:
    from penstock.expr import ExpressionError

    for template in (
        "{{ inputs.password > 1 }}",
        "{{ inputs.password.nope }}",
        "{% for x in inputs.password %}{% endfor %}",
    ):
        with pytest.raises(ExpressionError) as caught:
            compile_template(template).render(make_context(VARIABLES))
        assert PASSWORD not in str(caught.value)


FORMS = {
    "plain": lambda text: text,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "URL": lambda text: quote(text, safe=""),
    "URL path": quote,
    "form": quote_plus,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON with Unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[1:-1],
    "shell": shlex.quote,
    "shell, Kestra's": lambda text: text.replace("'", "'\\''"),
}


@pytest.mark.parametrize("form", FORMS)
def test_masking_in_every_form(form: str) -> None:
    written = FORMS[form](PASSWORD)
    assert mask(f"before {written} after", [PASSWORD]) == f"before {MASK} after"


@given(st.text(min_size=6, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_is_left_after_masking(secret: str, before: str, after: str) -> None:
    secret = secret.replace("*", "x")
    for write in FORMS.values():
        try:
            written = write(secret)
        except UnicodeEncodeError:
            continue
        assert secret not in mask(before + written + after, [secret])


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_base64_of_a_longer_text_is_masked(before: str) -> None:
    encoded = base64.b64encode(f"{before}:correct-horse-battery:x".encode()).decode()
    core = base64.b64encode(b"correct-horse-battery").decode()[4:-4]
    assert MASK in mask(encoded, ["correct-horse-battery"])
    assert core not in mask(encoded, ["correct-horse-battery"])


def test_the_longest_secret_goes_first() -> None:
    assert mask("ab abc", ["ab", "abc"]) == f"{MASK} {MASK}"
    assert mask("text", []) == "text"
    assert mask("text", [""]) == "text"
