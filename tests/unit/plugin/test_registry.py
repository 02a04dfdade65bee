"""Types by name."""

from __future__ import annotations

from types import ModuleType

import pytest

from penstock.errors import Bug, MissingExtra
from penstock.plugin import PluginRegistry, RunnableTask, installed


def index(name: str, **members: object) -> ModuleType:
    module = ModuleType(name)
    module.__package__ = name.rpartition(".")[0]
    for key, value in members.items():
        setattr(module, key, value)
    return module


def test_every_built_in_type_loads_under_its_own_name_and_has_a_schema() -> None:
    registry = installed()
    names = [
        name for name in registry.names() if name.startswith(("io.kestra.plugin.core.", "io.kestra.plugin.scripts."))
    ]
    assert len(names) > 60
    for name in names:
        found = registry.resolve(name)
        assert found is not None
        assert found.__dict__.get("TYPE") == name
        assert found.model_json_schema()["type"] == "object"  # pyright: ignore[reportAttributeAccessIssue]


def test_aliases_of_classes_and_of_the_index_agree() -> None:
    registry = installed()
    for alias, target in registry.aliases().items():
        assert registry.resolve(alias) is registry.resolve(target)
    for name in registry.names():
        if name.startswith("io.kestra.plugin.core."):
            for alias in getattr(registry.resolve(name), "ALIASES", ()):
                assert registry.alias_target(alias) == name


def test_an_alias_is_the_same_class() -> None:
    registry = installed()
    old = "io.kestra.core.tasks.log.Log"
    assert registry.resolve(old) is registry.resolve("io.kestra.plugin.core.log.Log")
    assert registry.alias_target(old) == "io.kestra.plugin.core.log.Log"


def test_names_the_nearest_type() -> None:
    assert installed().nearest("io.kestra.plugin.core.log.Lgo") == "io.kestra.plugin.core.log.Log"
    assert installed().nearest("acme.Return") == "io.kestra.plugin.core.debug.Return"
    assert installed().nearest("zzz") is None


def test_loads_a_module_only_when_its_type_is_asked_for() -> None:
    registry = PluginRegistry()
    registry.add(index("nowhere.index", TYPES={"acme.Ping": ".ping:Ping"}, ALIASES={"acme.Old": "acme.Ping"}))
    assert registry.names() == ["acme.Ping"]
    assert registry.resolve("acme.Other") is None
    with pytest.raises(Bug, match=r"acme\.Old cannot be loaded"):
        registry.resolve("acme.Old")


def test_names_the_package_to_install_when_an_import_fails() -> None:
    registry = PluginRegistry()
    registry.add(index("nowhere.index", TYPES={"acme.Ping": "no_such_module:Ping"}, EXTRAS={"acme.Ping": "acme"}))
    with pytest.raises(MissingExtra, match=r"penstock\[acme\]"):
        registry.resolve("acme.Ping")


def test_asks_for_other_packages_only_when_a_name_is_unknown() -> None:
    asked = []

    def discover() -> list[ModuleType]:
        asked.append(True)
        return [index("penstock.plugin.index", TYPES={"acme.Base": ".task:RunnableTask"})]

    registry = PluginRegistry(discover)
    registry.add_class(RunnableTask, name="acme.Known")
    assert registry.resolve("acme.Known") is RunnableTask
    assert not asked
    assert registry.resolve("acme.Base") is RunnableTask
    assert registry.resolve("acme.None") is None
    assert asked == [True]
