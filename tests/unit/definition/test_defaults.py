"""pluginDefaults by type, prefix and alias; forced or not; from the flow, the namespace and the server."""

from __future__ import annotations

from tests.unit.definition.sources import LOG, flow, parsed, spelled, told

from penstock.definition import parse_flow
from penstock.model.flow import PluginDefault
from penstock.plugin.registry import installed

CORE = "io.kestra.plugin.core."


def default(type_name: str, *, forced: bool = False, **values: object) -> PluginDefault:
    return PluginDefault(type=type_name, values=values, forced=forced)


def task_of(source: str, *others: PluginDefault) -> dict[str, object]:
    """The first task of a flow with its defaults, by the names of the source."""
    found = parse_flow(spelled(source), types=installed(), defaults=others)
    return found.flow.tasks[0].model_dump(by_alias=True, mode="json", exclude_none=True)


def test_a_type_a_prefix_and_an_alias_fit() -> None:
    for name in (LOG, CORE, CORE + "log", "io.kestra.core.tasks.log.Log"):
        source = flow(f"pluginDefaults: [{{type: {name}, values: {{level: WARN}}}}]")
        assert task_of(source)["level"] == "WARN", name
    assert task_of(flow(f"taskDefaults: [{{type: {LOG}, values: {{level: WARN}}}}]"))["level"] == "WARN"
    assert task_of(flow(f"pluginDefaults: [{{type: {CORE}kv, values: {{level: WARN}}}}]")).get("level") != "WARN"


def test_what_is_written_goes_before_a_default_and_after_a_forced_one() -> None:
    task = f"- {{id: t, type: {LOG}, message: hi, level: ERROR}}"
    assert task_of(flow(tasks=task), default(LOG, level="WARN"))["level"] == "ERROR"
    assert task_of(flow(tasks=task), default(LOG, forced=True, level="WARN"))["level"] == "WARN"


def test_the_nearest_default_wins_and_the_farthest_force() -> None:
    own = f"pluginDefaults: [{{type: {LOG}, values: {{level: WARN}}, forced: %s}}]"
    namespace, server = default(LOG, level="DEBUG"), default(LOG, level="TRACE")
    assert task_of(flow(own % "false"), namespace, server)["level"] == "WARN"
    forced = default(LOG, forced=True, level="DEBUG"), default(LOG, forced=True, level="TRACE")
    assert task_of(flow(own % "true"), *forced)["level"] == "TRACE"


def test_maps_are_merged_and_lists_replaced() -> None:
    task = "- {id: t, type: core.http.Request, uri: 'http://x', headers: {a: '1'}, options: {followRedirects: false}}"
    found = task_of(
        flow(tasks=task),
        default(CORE + "http.Request", headers={"a": "0", "b": "2"}, options={"defaultCharset": "UTF-16"}),
    )
    assert found["headers"] == {"a": "1", "b": "2"}


def test_they_reach_nested_tasks_triggers_conditions_and_runners() -> None:
    source = flow(
        f"""
        pluginDefaults:
          - {{type: {LOG}, values: {{message: from the default}}}}
          - {{type: {CORE}trigger.Schedule, values: {{timezone: Europe/Paris}}}}
          - {{type: {CORE}condition.DayWeek, values: {{dayOfWeek: MONDAY}}}}
        triggers:
          - id: s
            type: {CORE}trigger.Schedule
            cron: "@daily"
            conditions: [{{type: {CORE}condition.DayWeek}}]
        listeners: [{{tasks: [{{id: l, type: {LOG}}}]}}]
        """,
        tasks=f"""
        - id: s
          type: {CORE}flow.Sequential
          tasks: [{{id: a, type: {LOG}}}]
          errors: [{{id: b, type: {LOG}}}]
        """,
    )
    triggers = parsed(source).flow.triggers
    assert triggers is not None
    assert getattr(triggers[0], "timezone", None) == "Europe/Paris"


def test_the_document_is_never_changed() -> None:
    source = flow(f"pluginDefaults: [{{type: {LOG}, values: {{level: WARN}}}}]")
    assert parsed(source).document["tasks"] == [{"id": "t", "type": LOG, "message": "hi"}]


def test_a_prefix_gives_each_type_what_it_has_a_property_for() -> None:
    source = flow(f"pluginDefaults: [{{type: {CORE}, values: {{level: WARN, key: k, nothing: x}}}}]")
    assert task_of(source)["level"] == "WARN"


def test_older_names_of_properties_count_as_theirs() -> None:
    source = flow(f"pluginDefaults: [{{type: {LOG}, values: {{when: 'false'}}}}]")
    assert task_of(source)["runIf"] == "false"


def test_a_broken_default_is_told_where_it_is() -> None:
    assert told(flow("pluginDefaults: [{type: x}, 5]")) == [
        "pluginDefaults[0].values: must not be null",
        "pluginDefaults[1]: expected a map, found `5`",
    ]


def test_data_is_left_alone() -> None:
    source = flow(
        f"pluginDefaults: [{{type: {LOG}, values: {{level: WARN}}}}]\nvariables: {{x: {{type: {LOG}}}}}\nextend: {{type: {LOG}}}"
    )
    found = parsed(source)
    assert found.flow.variables == {"x": {"type": LOG}}
    assert "extend" not in found.document
