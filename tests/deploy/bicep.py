"""Holds a Bicep file against Microsoft's own models of its resources, and its names against each other.

The compiler of Bicep is no package of Python, npm or Debian. Its types are made from the same descriptions
of the API as the models of Azure's SDK for Python.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from enum import EnumMeta
from typing import Any

from azure.mgmt.appcontainers import models
from pycep import BicepParser

MODELS = {
    ("Microsoft.App/containerApps", "2024-03-01"): models.ContainerApp,
    ("Microsoft.App/managedEnvironments", "2024-03-01"): models.ManagedEnvironment,
}
"""By type and version of the API; version 3.1 of the SDK's package is of this one."""

_OF_BICEP = {"name", "dependsOn", "scope", "parent"}
"""What a resource has in Bicep, whatever its type."""
_PRIMITIVES = {"str": str, "int": int, "bool": bool}


def problems(text: str) -> list[str]:
    """What is wrong with a file; a text that cannot be parsed is an error of the parser."""
    described = BicepParser().parse(text=text)
    names = {name: kind for kind in ("parameters", "variables", "resources") for name in described[kind]}
    found = list(_of_names(text, names))
    for name, resource in described["resources"].items():
        model = MODELS.get((resource["type"], resource["api_version"]))
        if model is not None:
            config = {key: value for key, value in resource["config"].items() if key not in _OF_BICEP}
            found += _of_object(config, model, name, set(names))
    return found


def _of_object(value: Any, model: Any, path: str, names: set[str]) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{path}: is no object"
        return
    rules, hints = model._validation, inspect.signature(model.__init__).parameters
    nested = {key: attribute for attribute, about in model._attribute_map.items() if (key := about["key"])}
    flat = dict(_flattened(value, {key.partition(".")[0] for key in nested if "." in key}))
    for key, part in flat.items():
        if key not in nested:
            yield f"{path}: there is no {key}"
        elif rules.get(nested[key], {}).get("readonly"):
            yield f"{path}: {key} cannot be set"
        else:
            attribute = nested[key]
            kind = model._attribute_map[attribute]["type"]
            yield from _of_value(part, kind, hints.get(attribute), f"{path}.{key}", names)
    for attribute, rule in rules.items():
        key = model._attribute_map[attribute]["key"]
        if rule.get("required") and key not in flat:
            yield f"{path}: {key} is missing"


def _flattened(value: Mapping[str, Any], groups: set[str]) -> Iterator[tuple[str, Any]]:
    """The model has what stands in ``properties`` beside the rest, as ``properties.x``."""
    for key, part in value.items():
        if key in groups and isinstance(part, Mapping):
            yield from ((f"{key}.{inner}", innermost) for inner, innermost in part.items())
        else:
            yield key, part


def _of_value(value: Any, kind: str, hint: Any, path: str, names: set[str]) -> Iterator[str]:
    if _is_expression(value, names):
        return
    if kind.startswith("["):
        yield from _of_list(value, kind[1:-1], path, names)
    elif kind.startswith("{"):
        for key, item in value.items():
            yield from _of_value(item, kind[1:-1], None, f"{path}.{key}", names)
    elif kind in _PRIMITIVES:
        yield from _of_primitive(value, kind, _choices(hint), path)
    elif isinstance(model := getattr(models, kind, None), type):
        yield from _of_object(value, model, path, names)


def _of_list(value: Any, kind: str, path: str, names: set[str]) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: is no list"
        return
    for number, item in enumerate(value):
        yield from _of_value(item, kind, None, f"{path}[{number}]", names)


def _of_primitive(value: Any, kind: str, choices: set[str], path: str) -> Iterator[str]:
    if type(value) is not _PRIMITIVES[kind]:
        yield f"{path}: {value!r} is no {kind}"
    elif choices and str(value).lower() not in choices:
        yield f"{path}: {value!r} is none of {', '.join(sorted(choices))}"


def _is_expression(value: Any, names: set[str]) -> bool:
    """What is only known when it is deployed; the parser gives a name that stands alone as a text."""
    if isinstance(value, Mapping):
        return bool({"operator", "function"} & set(value))
    return isinstance(value, str) and (value in names or "${" in value)


def _choices(hint: Any) -> set[str]:
    """The values of the enumeration in an annotation; Azure does not tell their cases apart."""
    found = re.search(r"_models\.(\w+)", str(hint))
    kind = getattr(models, found[1], None) if found else None
    return {member.value.lower() for member in kind} if isinstance(kind, EnumMeta) else set()


def _of_names(text: str, names: Mapping[str, str]) -> Iterator[str]:
    """Names that nobody declares or uses: BCP057, no-unused-params and no-unused-vars of Bicep's compiler."""
    used = list(_used(text))
    for name, kind in names.items():
        if kind != "resources" and name not in used:
            yield f"{name} is not used"
    for name in used:
        if name not in names and name not in _KNOWN:
            yield f"{name} is not declared"


def _used(text: str) -> Iterator[str]:
    """Names that stand where a value does: in an expression or, within a text, between ${ and }."""
    code = re.sub(r"//.*|^@.*", "", text, flags=re.MULTILINE)
    inner = " ".join(re.findall(r"\$\{([^}]*)\}", code))
    code = re.sub(_HEADS, "", re.sub(r"'[^'\n]*'", "''", code), flags=re.MULTILINE)
    yield from re.findall(r"(?<![\w.])[A-Za-z_]\w*\b(?!\s*:)", f"{code}\n{inner}")


_HEADS = r"^(param \w+ \w+|(var|output \w+) \w+|resource \w+ ''( existing)?|targetScope)"
"""What stands before a value is declared."""
_KNOWN = {
    *("environment", "guid", "json", "resourceGroup", "subscription", "subscriptionResourceId"),
    *("true", "false", "null"),
}
"""Functions and words of the language that the file may use."""
