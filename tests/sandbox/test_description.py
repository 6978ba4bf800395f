"""The running sandbox keeps to our description of the API, by schemathesis' own judgement."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from crm_sandbox import create_app
from crm_tools.description import document

APP = create_app()
SCHEMA = schemathesis.openapi.from_dict(
    {**document(), "servers": [{"url": "http://sandbox.invalid/api/data/v9.2"}]}
)
SCHEMA.app = APP
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@SCHEMA.parametrize()
@settings(derandomize=True, max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_described(case: schemathesis.Case) -> None:
    """Raises what the checks have against an answer."""
    case.call_and_validate(checks=CHECKS)
