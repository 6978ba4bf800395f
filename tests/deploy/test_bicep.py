"""The Bicep file: read by a parser of Bicep, and of one mind with Microsoft's models of what it describes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pycep import BicepParser

from tests.deploy.bicep import MODELS, problems

BICEP = (Path(__file__).parent.parent.parent / "deploy" / "container-apps.bicep").read_text()


def test_nothing_is_wrong_with_the_file() -> None:
    assert problems(BICEP) == []


def test_both_resources_of_container_apps_are_looked_at() -> None:
    described = BicepParser().parse(text=BICEP)["resources"].values()
    assert {(one["type"], one["api_version"]) for one in described} > set(MODELS)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("param image string", "param image"),
        ("location: location", "location location"),
        ("name: 'state'", "name: 'state"),
        ("targetScope = ", "targetScope "),
    ],
)
def test_what_the_parser_does_not_take_is_an_error(right: str, wrong: str) -> None:
    assert right in BICEP
    with pytest.raises(Exception, match=r"Unexpected|No terminal"):
        problems(BICEP.replace(right, wrong, 1))


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ("targetPort: port", "targetPorts: port", "there is no targetPorts"),
        ("targetPort: port", "targetPort: '8321'", "is no int"),
        ("transport: 'http'", "transport: 'https'", "is none of auto, http, http2, tcp"),
        ("activeRevisionsMode: 'Single'", "activeRevisionMode: 'Single'", "there is no activeRevisionMode"),
        ("type: 'UserAssigned'", "types: 'UserAssigned'", "type is missing"),
        ("external: true", "external: 'true'", "is no bool"),
        ("external: true", "fqdn: 'x.example'", "fqdn cannot be set"),
        ("storageType: 'EmptyDir'", "storageType: 'Memory'", "is none of"),
        ("secretRef: 'state-key'", "secretReference: 'state-key'", "there is no secretReference"),
        ("image: image", "image: picture", "picture is not declared"),
        ("value: policy", "value: 'read-only'", "policy is not used"),
        ("'${audience},${clientId}'", "'${audiences},${clientId}'", "audiences is not declared"),
        ("guid(registry.id,", "guid(registries.id,", "registries is not declared"),
        ("customerId: logs.properties", "customer: logs.properties", "there is no customer"),
    ],
)
def test_what_microsofts_models_do_not_have_is_told(right: str, wrong: str, problem: str) -> None:
    assert right in BICEP
    found = problems(BICEP.replace(right, wrong, 1))
    assert any(problem in one for one in found), found
