from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from expr_contexts import make_context

from penstock.errors import NotFound, StoreUnavailable
from penstock.expr import EvaluationError, ExpressionError, Secret, compile_template
from penstock.testing.expressions import FixtureHost

Render = Callable[..., str]
FIXTURE: dict[str, Any] = {
    "kv": {"company": {"shared": [1]}, "company.team": {"key": {"field": 1}}, "other": {"key": "x"}},
    "secrets": {"company.team": {"TOKEN": "t0k3n", "DB": '{"password": "pw"}'}},
    "storage": {"kestra:///a.txt": "content", "kestra:///empty": ""},
    "namespace_files": {"company.team": {"f.txt": "ns"}, "other": {"f.txt": "other"}},
    "logs": [{"level": "ERROR", "message": "m"}, {"level": "INFO", "message": "i"}],
    "http": {"GET https://x": {"json": [1]}, "POST https://x": {"text": "made"}, "GET https://e": {"status": 404}},
    "subflows": {"company.team.child": {"id": "1", "state": "SUCCESS", "outputs": {"o": 5}}},
    "credentials": {"c": "token"},
}
VARIABLES: dict[str, object] = {"flow": {"namespace": "company.team", "id": "f"}}


def hosted(template: str, **variables: object) -> object:
    """Evaluates with the fixture host."""
    values: Mapping[str, object] = {**VARIABLES, **variables}
    return compile_template(template).evaluate(make_context(values, host=FixtureHost(FIXTURE, values)))


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ kv('key').field }}", 1),
        ("{{ kv('shared') }}", [1]),
        ("{{ kv('key', 'other') }}", "x"),
        ("{{ kv('no', errorOnMissing=false) }}", None),
        ("{{ kv('no', errorOnMissing=false) ?? 'd' }}", "d"),
        ("{{ secret('TOKEN') }}", "t0k3n"),
        ("{{ secret('DB', subkey='password') }}", "pw"),
        ("{{ secret('TOKEN', full=true).value }}", "t0k3n"),
        ("{{ read('kestra:///a.txt') }}", "content"),
        ("{{ read('f.txt') ~ read('f.txt', namespace='other') }}", "nsother"),
        ("{{ fileSize('kestra:///a.txt') }}", 7),
        ("{{ isFileEmpty('kestra:///empty') }}", True),
        ("{{ fileExists('nope') }}", False),
        ("{{ fileURI('/d/x') }}", "kestra:///company/team/_files/d/x"),
        ("{{ errorLogs() | length }}", 1),
        ("{{ http('https://x') }}", [1]),
        ("{{ http('https://x', 'post', body={'a': 1}) }}", "made"),
        ("{{ subflow('company.team', 'child').outputs.o }}", 5),
        ("{{ credential('c') }}", "token"),
        ("{{ appLink('app') }}", "https://localhost/apps/app"),
    ],
)
def test_the_outside(template: str, value: object) -> None:
    assert hosted(template) == value


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ kv('no') }}", "The key 'no' does not exist in the namespace 'company.team'."),
        ("{{ kv() }}", "The 'kv' function expects an argument 'key'."),
        ("{{ secret('NO') }}", "Cannot find secret for key 'NO'."),
        ("{{ secret('DB', subkey='x') }}", "subkey 'x'"),
        ("{{ secret('DB', subkey='x', full=true) }}", "together with 'subkey'"),
        ("{{ read('no') }}", "File not found"),
        ("{{ fileURI('a/../b') }}", "Path must not contain '../'"),
        ("{{ http('https://e') }}", "server respond with status 404"),
        ("{{ http('https://x', headers='a') }}", "'headers' to be a map"),
        ("{{ subflow('a') }}", "expects the arguments 'namespace' and 'id'"),
        ("{{ subflow('a', 'b') }}", "does not exist"),
    ],
)
def test_what_the_outside_refuses(template: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=re.escape(message)):
        hosted(template)


def test_subflow_only_while_inputs_are_rendered() -> None:
    with pytest.raises(EvaluationError, match="only be used while the inputs"):
        hosted("{{ subflow('company.team', 'child') }}", taskrun={"id": "1"})


def test_secrets_of_the_host_are_marked() -> None:
    for template in (
        "{{ secret('TOKEN') }}",
        "{{ secret('TOKEN', full=true).value }}",
        "{{ secret('DB', subkey='password') }}",
        "{{ credential('c') }}",
    ):
        assert isinstance(hosted(template), Secret)
    full = hosted("{{ secret('TOKEN', full=true) }}")
    assert isinstance(full, dict)
    assert isinstance(full["value"], Secret)


class Failing(FixtureHost):
    def __init__(self, error: Exception) -> None:
        super().__init__({}, {})
        self.error = error

    def kv(self, key: str, namespace: str | None, *, error_on_missing: bool) -> object:
        raise self.error


def test_errors_of_the_host_become_the_templates() -> None:
    with pytest.raises(EvaluationError, match="no such namespace") as caught:
        compile_template("{{ kv('a') }}").render(make_context(host=Failing(NotFound("no such namespace"))))
    assert isinstance(caught.value.__cause__, NotFound)


def test_what_may_work_later_is_not_the_templates_fault() -> None:
    with pytest.raises(StoreUnavailable):
        compile_template("{{ kv('a') }}").render(make_context(host=Failing(StoreUnavailable("locked"))))


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ max(1, null, 2.5) }} {{ min('b', 'a') }} {{ max(null) }}", "2.5 a "),
        ("{{ range(0, 6, 2) }}{{ range('a', 'c') }}{{ range(3, 1, -1) }}", '[0,2,4,6]["a","b","c"][3,2,1]'),
        ("{{ fromJson('{\"a\": [1, 2.0, null]}') }}{{ fromJson('null') }}", '{"a":[1,2.0,null]}'),
        ("{{ fromIon('{a:1, b:[x, 2.5, null], c:2024-01-01T}').b }}", '["x",2.5,null]'),
        ("{{ fromIon('1 2 3', allRows=true) }}{{ fromIon('') }}", "[1,2,3]"),
        ("{{ yaml('a: 1\nb: [x, null, 2024-01-01]\n1: t') }}", '{"a":1,"b":["x",null,"2024-01-01"],"1":"t"}'),
        ("{{ decrypt(k, encrypt(k, 'é')) }}{{ encrypt(k, '') }}{{ decrypt(k, null) }}", "é"),
        ("{{ uuid() | length }} {{ id() }} {{ ksuid() | length }} {{ nanoId(5, 'a') }}", "36 5cBZ1JF8kim8fbFg13bumX 27 aaaaa"),
        ("{{ randomInt(3, 3) }}{{ randomInt(0, 1) }}", "30"),
        ("{{ now() }} {{ now('yyyy', timeZone='Asia/Tokyo') }}", "2024-05-06T07:08:09.123456Z 2024"),
        ("{{ env('x') }}{{ env('y', 'd') }}{{ env('e', 'f') }}", "1df"),
        ("{{ loopOutputs(loop, 'o') }}", "[1,null]"),
        ("{{ tasksWithState('failed') }}", '[{"taskId":"a","state":"FAILED"},{"taskId":"each","value":"v2","state":"FAILED"}]'),
        ("{{ currentEachOutput(outputs.nested).v }}", "deep"),
        ("{{ iterationOutput('it') }}{{ iterationOutput('it', 0) }}", "onezero"),
        ("{{ dayOfWeek('2025-01-06T10:00:00+02:00') }} {{ dayOfMonth(d) }} {{ monthOfYear('2025-12-31') }} {{ hourOfDay('2025-01-01') }}", "MONDAY 6 12 0"),
        ("{{ isWeekend('2025-01-04') }} {{ isLastWorkingDay('2025-08-29') }} {{ isLastWorkingDay('2025-08-31', 'sunday, Monday') }}", "true true true"),
        ("{{ isDayWeekInMonth('2025-11-24', 'monday', 'last') }} {{ isDayWeekInMonth('2025-11-25', 'MONDAY', 'LAST') }}", "true false"),
        ("{{ isPublicHoliday('2024-11-11', 'FR', 'IDF') }} {{ isPublicHoliday('2024-11-11', 'FR', '') }} {{ isPublicHoliday('2024-12-26', 'FR', '57') }}", "true true true"),
        ("{{ isDateBetween(d, '2024-01-01T00:00:00Z', '2025-01-01T00:00:00+01:00') }}", "true"),
        ("{{ render({'{{ a }}': ['{{ b }}', 1]}) }}{{ renderOnce('{{ b }}') }}{{ render(5) }}", '{"v":["v",1]}{{ a }}5'),
        ("{% set x = 1 %}{{ render('{{ x }}') }}{{ printContext().x }}{{ fetchContext() | length > 5 }}", "11true"),
    ],
)  # fmt: skip
def test_functions(render: Render, template: str, text: str) -> None:
    assert (
        render(
            template,
            a="v",
            b="{{ a }}",
            k="MTIzNDU2Nzg5MDEyMzQ1Ng==",
            d=datetime(2024, 5, 6, tzinfo=UTC),
            envs={"x": "1", "e": ""},
            loop=[{"outputs": {"o": 1}}, {"outputs": {}}],
            tasks={
                "a": {"state": "FAILED"},
                "b": {"state": "SUCCESS"},
                "each": {"v1": {"state": "SUCCESS"}, "v2": {"state": "FAILED"}},
            },
            outputs={"nested": {"p": {"c": {"v": "deep"}}}, "it": {"0": {"value": "zero"}, "1": {"value": "one"}}},
            parents=[{"taskrun": {"value": "p"}}],
            taskrun={"value": "c", "iteration": 2},
        )
        == text
    )


@pytest.mark.parametrize(
    "template",
    ["{{ max(1, 'a') }}", "{{ range(1) }}", "{{ range('a', 2) }}", "{{ range(0, 1, 0) }}", "{{ fromJson(1) }}", "{{ fromJson('{') }}", "{{ fromJson('NaN') }}", "{{ fromIon(1) }}", "{{ fromIon('{a:') }}", "{{ yaml(null) }}",
     "{{ yaml('a: [') }}", "{{ yaml('a: &x 1\nb: *x') }}", "{{ yaml('!!python/object:os.system {}') }}", "{{ encrypt('x', 'y') }}", "{{ encrypt('a') }}", "{{ decrypt('MTIzNDU2Nzg5MDEyMzQ1Ng==', 'AAAA') }}", "{{ nanoId(0) }}", "{{ nanoId(5, '') }}",
     "{{ randomInt(2, 1) }}", "{{ randomInt('a', 'b') }}", "{{ env() }}", "{{ loopOutputs([], null) }}", "{{ tasksWithState() }}", "{{ currentEachOutput({}) }}", "{{ currentEachOutput('x') }}", "{{ iterationOutput('a') }}", "{{ dayOfWeek() }}", "{{ dayOfWeek('x') }}",
     "{{ isLastWorkingDay('2025-01-31', 'MONDAY,BLURSDAY') }}", "{{ isPublicHoliday() }}", "{{ isPublicHoliday('2024-12-25', 'XX') }}", "{{ isPublicHoliday('x', 'FR') }}", "{{ isDayWeekInMonth('2025-11-24', 'X', 'LAST') }}", "{{ isDateBetween('x', 'y', 'z') }}", "{{ isDateBetween() }}",
     "{{ render() }}", "{{ renderOnce() }}", "{{ parent() }}", "{{ block('none') }}", "{{ nope() }}", "{{ now(timeZone='X/Y') }}", "{{ kv('a') }}", "{{ errorLogs() }}"],
)  # fmt: skip
def test_what_a_function_refuses(render: Render, template: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(template)
    assert caught.value.kind == "evaluation"


def test_chance_comes_from_the_context() -> None:
    template = compile_template("{{ uuid() }} {{ nanoId() }} {{ randomInt(0, 1000000) }}")
    assert template.render(make_context()) == template.render(make_context())


def test_a_random_port_without_a_host() -> None:
    assert 49152 <= int(compile_template("{{ randomPort() }}").render(make_context())) <= 65535
