"""Type names of the family, and where their classes are."""

from __future__ import annotations

_SCRIPTS = "io.kestra.plugin.scripts."
_OTHERS = [  # those of `languages.LANGUAGES`
    *("node", "bun", "deno", "ruby", "perl", "php", "lua", "julia", "r", "go", "powershell", "jbang", "dotnet"),
    "groovy",
]

_WATCHED = ["shell", "python", "node", "ruby", "go"]  # those of `triggers.LANGUAGES`

TYPES = {
    _SCRIPTS + "shell.Commands": ".shell:Commands",
    _SCRIPTS + "shell.Script": ".shell:Script",
    _SCRIPTS + "python.Commands": ".python:Commands",
    _SCRIPTS + "python.Script": ".python:Script",
    _SCRIPTS + "runner.docker.Docker": ".docker:Docker",
    **{f"{_SCRIPTS}{language}.Commands": f".languages:{language}_commands" for language in _OTHERS},
    **{f"{_SCRIPTS}{language}.Script": f".languages:{language}_script" for language in _OTHERS},
    **{f"{_SCRIPTS}{language}.CommandsTrigger": f".triggers:{language}_commands" for language in _WATCHED},
    **{f"{_SCRIPTS}{language}.ScriptTrigger": f".triggers:{language}_script" for language in _WATCHED},
}

ALIASES = {
    _SCRIPTS + "runner.docker.DockerTaskRunner": _SCRIPTS + "runner.docker.Docker",
}
