"""Ways in which a secret may come to light: what a flow does with it, how it ends, and what shows it was used."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

HARD = 'Kl4us & S\u00f6hne "7" it\'s $q/+x=%'
"""A secret that every encoding writes differently."""
PLAIN = "swordfish-Zq81-tidewater"
USER = "ada-lovelace-of-the-vault"
GIVEN = "given-by-hand-Xp55-kestrel"
DEFAULT = "written-in-secret-store-Wb9"
ALL = (HARD, PLAIN, USER, GIVEN, DEFAULT)


def written(secret: str) -> set[str]:
    """How a secret may be written down: as it is, and encoded by base64, URL, JSON and the shell."""
    raw = secret.encode()
    return {
        secret,
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret, ensure_ascii=False)[1:-1], ensure_ascii=False)[1:-1],
        shlex.quote(secret),
    }


NEEDLES = {form.encode() for secret in ALL for form in written(secret)}


def leaks(content: bytes) -> list[str]:
    """The forms of any secret that stand in `content`."""
    return sorted(needle.decode() for needle in NEEDLES if needle in content)


@dataclass(frozen=True)
class Form:
    """tasks: the flow below `namespace`. state: how it ends. used: a text of logs or outputs, or what the server heard,
    that is only there when the secret really passed through.
    """

    tasks: str
    state: str = "SUCCESS"
    used: str = "******"

    @property
    def given(self) -> bool:
        """Whether the flow has the input `pass`."""
        return "inputs:\n  - {id: pass" in self.tasks


LOG = "io.kestra.plugin.core.log.Log"
RETURN = "io.kestra.plugin.core.debug.Return"
FAIL = "io.kestra.plugin.core.execution.Fail"
REQUEST = "io.kestra.plugin.core.http.Request"
SHELL = "io.kestra.plugin.scripts.shell.Commands"
INPUT = "inputs:\n  - {id: pass, type: SECRET}\n"
VALUES = "io.kestra.plugin.core.output.OutputValues"
_RUNNER = "taskRunner: {type: io.kestra.plugin.core.runner.Process}"


def _task(type_name: str, *properties: str, more: str = "") -> str:
    lines = "".join(f"\n    {line}" for text in properties for line in text.splitlines())
    return f"tasks:\n  - id: t\n    type: {type_name}{lines}\n{more}"


def _log(template: str) -> Form:
    return Form(_task(LOG, f"message: >-\n  here {template}"))


def _return(template: str) -> Form:
    return Form(_task(RETURN, f"format: >-\n  here {template}"))


def _shell(*commands: str, extra: str = "", state: str = "SUCCESS", used: str = "******") -> Form:
    env = "env:\n  S: \"{{ secret('HARD') }}\""
    listed = "commands:" + "".join(f"\n  - |\n    {command}" for command in commands)
    return Form(_task(SHELL, _RUNNER, env, listed, extra), state, used)


def _request(*properties: str, state: str = "SUCCESS", used: str = "******") -> Form:
    return Form(_task(REQUEST, *properties), state, used)


def forms(server: str) -> dict[str, Form]:
    """All forms; `server` is the address of an HTTP server that echoes."""
    s = "{{ secret('HARD') }}"
    p = "{{ secret('PLAIN') }}"
    body = f'body: "{s}"'
    return {
        # --- logs
        "log": _log(s),
        "log-list": Form(_task(LOG, f'message: ["one {s}", "two {p}"]')),
        "log-concatenated": _log("{{ 'x' ~ secret('HARD') ~ 'y' }}"),
        "log-base64": _log("{{ secret('HARD') | base64encode }}"),
        "log-base64-inside": _log("{{ ('user:' ~ secret('HARD')) | base64encode }}"),
        "log-url": _log("{{ secret('HARD') | urlencode }}"),
        "log-json": _log("{{ {'a': secret('HARD')} | toJson }}"),
        "log-json-twice": _log("{{ ({'a': secret('HARD')} | toJson) | toJson }}"),
        "log-map": _log("{{ {'a': [secret('HARD')]} }}"),
        "log-subkey": _log("{{ secret('LOGIN', subkey='user') }}"),
        "log-whole-json-secret": _log("{{ secret('LOGIN') }}"),
        "log-json-parsed": _log("{{ fromJson(secret('LOGIN')).user }}"),
        "log-stored-secret": _log("{{ secret('STORED') }}"),
        "log-conditional": _log("{{ secret('PLAIN') is empty ? 'none' : secret('PLAIN') }}"),
        "log-replaced": _log("{{ 'say WORD' | replace({'WORD': secret('PLAIN')}) }}"),
        "log-variable": Form(_task(LOG, 'message: "{{ render(vars.v) }}"', more=f'variables:\n  v: "{p}"\n')),
        "log-to-file": Form(_task(LOG, f'message: "{s}"', "logToFile: true")),
        "log-yaml-source": Form(
            _task(LOG, 'message: "{{ read(outputs.w.uri) }}"').replace(
                "tasks:\n",
                "tasks:\n  - {id: w, type: io.kestra.plugin.core.storage.Write, content: none}\n"
                f'  - {{id: u, type: {LOG}, message: "{p}"}}\n',
            )
        ),
        # --- outputs
        "return": _return(s),
        "return-base64": _return("{{ secret('HARD') | base64encode }}"),
        "return-large": Form(_task(RETURN, f'format: "{"x" * 20_000}{p}"')),
        "output-values": Form(_task(VALUES, f'values:\n  a: "{s}"\n  "{p}": key\n  b: ["{p}"]')),
        "flow-output": Form(
            _task(
                RETURN, f'format: "{s}"', more='outputs:\n  - {id: o, type: STRING, value: "{{ outputs.t.value }}"}\n'
            )
        ),
        "flow-output-direct": Form(
            _task(LOG, "message: x", more=f'outputs:\n  - {{id: o, type: STRING, value: "{s}"}}\n')
        ),
        "flow-output-json": Form(
            _task(
                LOG,
                "message: x",
                more="outputs:\n  - {id: o, type: JSON, value: \"{{ {'a': secret('PLAIN')} | toJson }}\"}\n",
            )
        ),
        "flow-output-of-input": Form(
            _task(LOG, "message: x", more='outputs:\n  - {id: o, type: STRING, value: "{{ inputs.pass }}"}\n' + INPUT)
        ),
        "flow-output-secret": Form(
            _task(LOG, "message: x", more=f'outputs:\n  - {{id: o, type: SECRET, value: "{s}"}}\n'),
            used="aes_encrypted",
        ),
        "loop-output": Form(
            _task(
                "io.kestra.plugin.core.flow.Loop",
                f'values: ["a"]\noutputs:\n  - {{id: o, type: STRING, value: "{s}"}}\ntasks:\n  - {{id: u, type: {LOG}, message: x}}',
            )
        ),
        "second-task": Form(
            _task(RETURN, f'format: "{s}"')
            + f'  - {{id: u, type: {LOG}, message: "again {{{{ outputs.t.value }}}}"}}\n'
        ),
        # --- failures
        "fail-message": Form(_task(FAIL, f'errorMessage: "no {s}"'), "FAILED"),
        "failing-template": Form(_task(LOG, "message: \"{{ secret('PLAIN') | date('yyyy') }}\""), "FAILED"),
        "failing-number": Form(_task(LOG, "message: \"{{ secret('PLAIN') | number('INT') }}\""), "FAILED"),
        "failing-property": Form(_task("io.kestra.plugin.core.flow.Sleep", f'duration: "{p}"'), "FAILED"),
        "failing-uri": Form(_task("io.kestra.plugin.core.storage.Size", f'uri: "kestra:///e2e/{p}"'), "FAILED"),
        "retried": Form(
            _task(FAIL, f'errorMessage: "no {s}"', "retry: {type: constant, interval: PT0.01S, maxAttempts: 2}"),
            "FAILED",
        ),
        "errors-branch": Form(
            _task(
                FAIL,
                f'errorMessage: "no {s}"',
                more=f'errors:\n  - {{id: e, type: {LOG}, message: "seen {{{{ errorLogs() }}}}"}}\n',
            ),
            "FAILED",
        ),
        "assert-message": Form(
            _task("io.kestra.plugin.core.execution.Assert", f'conditions: ["false"]\nerrorMessage: "not {s}"'), "FAILED"
        ),
        # --- HTTP
        "http-url": _request(f"uri: \"{server}/echo/{p}?q={{{{ secret('HARD') | urlencode }}}}\""),
        "http-header": _request(f"uri: {server}/echo", f'headers: {{X-Token: "Bearer {p}"}}'),
        "http-body": _request(f"uri: {server}/echo", "method: POST", body),
        "http-form": _request(f"uri: {server}/echo", "method: POST", f'formData: {{a: "{s}"}}'),
        "http-params": _request(f"uri: {server}/echo", f'params: {{a: "{s}"}}'),
        "http-basic": _request(
            f"uri: {server}/echo", f'options: {{auth: {{type: BASIC, username: me, password: "{s}"}}}}'
        ),
        "http-failure": _request(f"uri: {server}/fail/{p}", "method: POST", body, state="FAILED"),
        "http-redirect": _request(f'uri: "{server}/redirect/{p}"'),
        "http-no-server": _request(f'uri: "http://127.0.0.1:9/{p}"', "options: {connectTimeout: PT2S}", state="FAILED"),
        "http-bad-url": _request(f'uri: "ftp://{p}"', state="FAILED", used="ftp"),
        # --- scripts
        "script-stdout": _shell('echo "out $S"'),
        "script-stderr": _shell('echo "err $S" >&2'),
        "script-inline": Form(_task(SHELL, _RUNNER, f'commands: ["echo out {p}"]')),
        "script-base64": _shell('echo "b64 $(printf %s "$S" | base64 -w0)"'),
        "script-vars": Form(
            _task(SHELL, _RUNNER, 'commands: ["echo {{ render(vars.v) }}"]', more=f'variables:\n  v: "{p}"\n')
        ),
        "script-outputs": Form(
            _task(
                SHELL,
                _RUNNER,
                f'env: {{S: "{p}"}}',
                'commands:\n  - |\n    printf \'::{"outputs":{"a":"%s"}}::\\n\' "$S"',
            )
        ),
        "script-failure": _shell('echo "bad $S" >&2; exit 3', state="FAILED"),
        "script-no-such-command": Form(_task(SHELL, _RUNNER, f'commands: ["{p}"]'), "FAILED"),
        "script-multi-line": _shell('printf "%s\\n%s\\n" "$S" "$S"'),
        # --- inputs, subflows, pauses, metrics, keys
        "input": Form(_task(LOG, 'message: "got {{ inputs.pass }}"', more="inputs:\n  - {id: pass, type: SECRET}\n")),
        "input-output": Form(
            _task(RETURN, 'format: "got {{ inputs.pass }}"', more="inputs:\n  - {id: pass, type: SECRET}\n")
        ),
        "subflow": Form(
            _task(
                "io.kestra.plugin.core.flow.Subflow",
                f'namespace: e2e\nflowId: child\nwait: true\ninputs: {{pass: "{p}"}}',
            )
        ),
        "metric-tag": Form(
            _task(
                "io.kestra.plugin.core.metric.Publish",
                f'metrics:\n  - {{name: "m", type: counter, value: 1, tags: {{who: "{p}"}}}}',
            )
        ),
        "key-name": Form(_task("io.kestra.plugin.core.kv.Get", f'key: "{p}"\nerrorOnMissing: true'), "FAILED"),
        "pause": Form(
            _task("io.kestra.plugin.core.flow.Pause", "onResume:\n  - {id: pass, type: SECRET}")
            + f"  - {{id: u, type: {LOG}, message: got it}}\n",
            used="aes_encrypted",
        ),
        # --- flow of control
        "if": Form(
            _task(
                "io.kestra.plugin.core.flow.If",
                f"condition: \"{{{{ secret('PLAIN') == 'x' }}}}\"\nthen:\n  - {{id: u, type: {LOG}, message: a}}\nelse:\n  - {{id: v, type: {LOG}, message: \"{p}\"}}",
            )
        ),
        "switch": Form(
            _task(
                "io.kestra.plugin.core.flow.Switch",
                f'value: "{p}"\ncases:\n  x: [{{id: u, type: {LOG}, message: a}}]\ndefaults:\n  - {{id: v, type: {LOG}, message: "{p}"}}',
            )
        ),
        "switch-input": Form(
            _task(
                "io.kestra.plugin.core.flow.Switch",
                f'value: "{{{{ inputs.pass }}}}"\ncases:\n  x: [{{id: u, type: {LOG}, message: a}}]',
                more=INPUT,
            ),
            "FAILED",
        ),
        "run-if": Form(_task(LOG, "runIf: \"{{ secret('PLAIN') != '' }}\"", f'message: "{p}"')),
        "working-directory": Form(
            _task(
                "io.kestra.plugin.core.flow.WorkingDirectory",
                f'tasks:\n  - {{id: u, type: {LOG}, message: "{p}"}}\n  - {{id: v, type: {RETURN}, format: "{s}"}}',
            )
        ),
        "input-file": _shell("cat in.txt", extra=f'inputFiles:\n  in.txt: "{s}"'),
    }
