"""Errors as the Web API answers them."""

from __future__ import annotations

UNKNOWN_NAME = "0x80060888"
BAD_PROPERTY = "0x80048d19"
MISSING_ROW = "0x80040217"
DUPLICATE_KEY = "0x80040237"
VERSION_MISMATCH = "0x80060882"
TOO_LONG = "0x80044331"
BAD_CHOICE = "0x8004431a"
INTEGER_RANGE = "0x8004432f"
MONEY_RANGE = "0x80044330"
BAD_STATUS = "0x80048408"
CLOSED_BY_UPDATE = "0x80100005"
MISSING_ALTERNATE_KEY = "0x80060891"
DUPLICATE_ALTERNATE_KEY = "0x80060892"
DUPLICATE_FOUND = "0x80040333"
ASSOCIATED = "0x80040227"
MISSING_PRIVILEGE = "0x80040220"
NOT_A_MEMBER = "0x80072560"
TOO_MANY_TO_AGGREGATE = "0x8004e023"
REQUIRED_MISSING = "0x80040200"
READ_ONLY_TABLE = "0x80040800"
INVALID_ARGUMENT = "0x80040203"
UNKNOWN_TABLE = "0x80041102"
UNKNOWN_COLUMN = "0x80041103"
DUPLICATE_COLUMN = "0x80047013"
OTHER_ENTITY = "0x80041128"
DEPENDED_ON = "0x8004f01f"
EXPIRED_VERSION_STAMP = "0x80044352"
NOT_HERE = "0x80048d08"
"""Code of a 501. The documentation names no code for it; the status is what counts."""


class ODataError(Exception):
    """An answer of the form ``{"error": {"code", "message"}}``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class NotSignedInError(Exception):
    """No token that counts came with a request: 401, with the challenge that says where to get one.

    https://learn.microsoft.com/power-apps/developer/data-platform/authenticate-oauth
    """

    def __init__(self, challenge: str) -> None:
        super().__init__(challenge)
        self.challenge = challenge


def unknown_property(name: str, table: str) -> ODataError:
    """A name in a query option that the table does not have."""
    return ODataError(
        400,
        UNKNOWN_NAME,
        f"Could not find a property named '{name}' on type 'Microsoft.Dynamics.CRM.{table}'.",
    )


def bad_property(message: str) -> ODataError:
    """A property of a body that cannot be read."""
    return ODataError(400, BAD_PROPERTY, f"Error identified in Payload provided by the user: {message}")


def missing_row(table: str, key: str) -> ODataError:
    """A key without a row."""
    return ODataError(404, MISSING_ROW, f"Entity '{table}' With Id = {key} Does Not Exist")


def unknown_segment(name: str) -> ODataError:
    """A part of the path that names nothing."""
    return ODataError(404, UNKNOWN_NAME, f"Resource not found for the segment '{name}'.")


def not_here(feature: str) -> ODataError:
    """A feature of Dataverse that the sandbox does not have; see crm_sandbox.coverage."""
    return ODataError(501, NOT_HERE, f"The sandbox does not do this: {feature}.")
