"""The condition operators of Dataverse: what they are called, take and mean.

The one table serves ``Microsoft.Dynamics.CRM.*`` functions of ``$filter``, conditions of FetchXML, and
conditions of a QueryExpression.

https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/queryfunctions
https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference/operators
https://learn.microsoft.com/dotnet/api/microsoft.xrm.sdk.query.conditionoperator
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from crm_sandbox.errors import UNKNOWN_NAME, ODataError
from crm_sandbox.queries import operators_dates as dates
from crm_sandbox.queries import operators_people as people
from crm_sandbox.queries import operators_values as simple
from crm_sandbox.queries.operators_values import Builder, Refusal, negative
from crm_sandbox.queries.sql import Asker, Condition, Operand
from crm_sandbox.queries.syntax import Literal, LiteralKind, QueryFunction
from crm_sandbox.schema.model import (
    CHOICE_TYPES,
    ID_TYPES,
    NAMESPACE,
    NUMBER_TYPES,
    TEXT_TYPES,
    TIME_TYPES,
    ColumnType,
    Schema,
)

INVALID_OPERATOR = "0x80041120"
"""QueryBuilderInvalidConditionOperator."""
BAD_CONDITION = "0x80041106"
"""QueryBuilderBad_Condition."""


class Takes(Enum):
    """How many values an operator takes."""

    NONE = "no value"
    ONE = "one value"
    TWO = "two values"
    MANY = "one or more values"

    def fits(self, count: int) -> bool:
        """Whether so many values are right."""
        if self is Takes.MANY:
            return count > 0
        return count == {Takes.NONE: 0, Takes.ONE: 1, Takes.TWO: 2}[self]


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator.

    ``member`` is its name in the enumeration ConditionOperator, ``name`` that in FetchXML and ``function``
    the query function of the Web API; either is None where there is none.
    """

    member: str
    name: str | None
    function: str | None
    takes: Takes
    types: frozenset[ColumnType]
    builder: Builder


_ANY = frozenset(ColumnType)
_CHOICES = CHOICE_TYPES | {ColumnType.BOOLEAN, ColumnType.MULTI_SELECT}
_ORDERED = NUMBER_TYPES | TIME_TYPES | TEXT_TYPES
_LISTED = NUMBER_TYPES | TEXT_TYPES | ID_TYPES | _CHOICES
_MEASURED = NUMBER_TYPES | TIME_TYPES
_CONTAINING = CHOICE_TYPES | {ColumnType.MULTI_SELECT}
_MOMENTS = frozenset({ColumnType.DATE_TIME})
_LANGUAGES = frozenset({ColumnType.INTEGER})
_FULL_TEXT: frozenset[ColumnType] = frozenset()
"""Contains is for columns with full-text indexing, which no table of the sandbox has."""


def _plain(member: str, name: str, takes: Takes, types: frozenset[ColumnType], builder: Builder) -> Operator:
    """An operator without a query function: OData has its own word for it."""
    return Operator(member, name, None, takes, types, builder)


def _both(member: str, name: str, takes: Takes, types: frozenset[ColumnType], builder: Builder) -> Operator:
    """An operator whose query function is called as the member of ConditionOperator is."""
    return Operator(member, name, member, takes, types, builder)


def _function_only(member: str, takes: Takes, types: frozenset[ColumnType], builder: Builder) -> Operator:
    """A query function for which no FetchXML operator is documented."""
    return Operator(member, None, member, takes, types, builder)


def _text_test(member: str, name: str, builder: Builder) -> Operator:
    return _plain(member, name, Takes.ONE, TEXT_TYPES, builder)


def _date(member: str, name: str, builder: Builder) -> Operator:
    return _both(member, name, Takes.NONE, TIME_TYPES, builder)


def _date_of(member: str, name: str, builder: Builder) -> Operator:
    return _both(member, name, Takes.ONE, TIME_TYPES, builder)


def _moment_of(member: str, name: str, builder: Builder) -> Operator:
    """Hours and minutes are not for columns without a time of day."""
    return _both(member, name, Takes.ONE, _MOMENTS, builder)


def _fiscal(member: str, name: str, builder: Builder) -> Operator:
    """A period and a year."""
    return _both(member, name, Takes.TWO, TIME_TYPES, builder)


def _person(member: str, name: str, builder: Builder) -> Operator:
    return _both(member, name, Takes.NONE, ID_TYPES, builder)


def _line(member: str, name: str, builder: Builder) -> Operator:
    return _both(member, name, Takes.ONE, ID_TYPES, builder)


OPERATORS: tuple[Operator, ...] = (
    _plain("Equal", "eq", Takes.ONE, _ANY, simple.compared("=")),
    _plain("NotEqual", "ne", Takes.ONE, _ANY, negative(simple.compared("="))),
    _plain("NotEqual", "neq", Takes.ONE, _ANY, negative(simple.compared("="))),
    _plain("GreaterThan", "gt", Takes.ONE, _ORDERED, simple.compared(">")),
    _plain("GreaterEqual", "ge", Takes.ONE, _ORDERED, simple.compared(">=")),
    _plain("LessThan", "lt", Takes.ONE, _ORDERED, simple.compared("<")),
    _plain("LessEqual", "le", Takes.ONE, _ORDERED, simple.compared("<=")),
    _text_test("Like", "like", simple.like),
    _text_test("NotLike", "not-like", negative(simple.like)),
    _text_test("BeginsWith", "begins-with", simple.text_at("startswith")),
    _text_test("DoesNotBeginWith", "not-begin-with", negative(simple.text_at("startswith"))),
    _text_test("EndsWith", "ends-with", simple.text_at("endswith")),
    _text_test("DoesNotEndWith", "not-end-with", negative(simple.text_at("endswith"))),
    _plain("Null", "null", Takes.NONE, _ANY, simple.null),
    _plain("NotNull", "not-null", Takes.NONE, _ANY, simple.not_null),
    _both("In", "in", Takes.MANY, _LISTED, simple.within),
    _both("NotIn", "not-in", Takes.MANY, _LISTED, negative(simple.within)),
    _both("Between", "between", Takes.TWO, _MEASURED, simple.between),
    _both("NotBetween", "not-between", Takes.TWO, _MEASURED, negative(simple.between)),
    _function_only("Contains", Takes.ONE, _FULL_TEXT, simple.text_at("contains")),
    _both("ContainValues", "contain-values", Takes.MANY, _CONTAINING, simple.containing),
    _both("DoesNotContainValues", "not-contain-values", Takes.MANY, _CONTAINING, negative(simple.containing)),
    _person("EqualUserId", "eq-userid", people.eq_user),
    _person("NotEqualUserId", "ne-userid", negative(people.eq_user)),
    _person("EqualBusinessId", "eq-businessid", people.eq_business),
    _person("NotEqualBusinessId", "ne-businessid", negative(people.eq_business)),
    _function_only("EqualRoleBusinessId", Takes.NONE, ID_TYPES, people.eq_role_business),
    _person("EqualUserTeams", "eq-userteams", people.eq_teams),
    _person("EqualUserOrUserTeams", "eq-useroruserteams", people.eq_user_or_teams),
    _person("EqualUserOrUserHierarchy", "eq-useroruserhierarchy", people.eq_reports),
    _person("EqualUserOrUserHierarchyAndTeams", "eq-useroruserhierarchyandteams", people.eq_reports_or_teams),
    _both("EqualUserLanguage", "eq-userlanguage", Takes.NONE, _LANGUAGES, people.eq_language),
    _line("Above", "above", people.above(itself=False)),
    _line("AboveOrEqual", "eq-or-above", people.above(itself=True)),
    _line("Under", "under", people.under(itself=False)),
    _line("UnderOrEqual", "eq-or-under", people.under(itself=True)),
    _line("NotUnder", "not-under", negative(people.under(itself=False))),
    _date("Yesterday", "yesterday", dates.period_of(dates.days, -1)),
    _date("Today", "today", dates.period_of(dates.days, 0)),
    _date("Tomorrow", "tomorrow", dates.period_of(dates.days, 1)),
    _date("LastWeek", "last-week", dates.period_of(dates.weeks, -1)),
    _date("ThisWeek", "this-week", dates.period_of(dates.weeks, 0)),
    _date("NextWeek", "next-week", dates.period_of(dates.weeks, 1)),
    _date("LastMonth", "last-month", dates.period_of(dates.months, -1)),
    _date("ThisMonth", "this-month", dates.period_of(dates.months, 0)),
    _date("NextMonth", "next-month", dates.period_of(dates.months, 1)),
    _date("LastYear", "last-year", dates.period_of(dates.years, -1)),
    _date("ThisYear", "this-year", dates.period_of(dates.years, 0)),
    _date("NextYear", "next-year", dates.period_of(dates.years, 1)),
    _date("LastFiscalPeriod", "last-fiscal-period", dates.period_of(dates.periods, -1)),
    _date("ThisFiscalPeriod", "this-fiscal-period", dates.period_of(dates.periods, 0)),
    _date("NextFiscalPeriod", "next-fiscal-period", dates.period_of(dates.periods, 1)),
    _date("LastFiscalYear", "last-fiscal-year", dates.period_of(dates.years, -1)),
    _date("ThisFiscalYear", "this-fiscal-year", dates.period_of(dates.years, 0)),
    _date("NextFiscalYear", "next-fiscal-year", dates.period_of(dates.years, 1)),
    _date("Last7Days", "last-seven-days", dates.last_days(7)),
    _date("Next7Days", "next-seven-days", dates.next_days(7)),
    _moment_of("LastXHours", "last-x-hours", dates.last_x(dates.hours)),
    _moment_of("NextXHours", "next-x-hours", dates.next_x(dates.hours)),
    _date_of("LastXDays", "last-x-days", dates.last_x(dates.days)),
    _date_of("NextXDays", "next-x-days", dates.next_x(dates.days)),
    _date_of("LastXWeeks", "last-x-weeks", dates.last_x(dates.weeks)),
    _date_of("NextXWeeks", "next-x-weeks", dates.next_x(dates.weeks)),
    _date_of("LastXMonths", "last-x-months", dates.last_x(dates.months)),
    _date_of("NextXMonths", "next-x-months", dates.next_x(dates.months)),
    _date_of("LastXYears", "last-x-years", dates.last_x(dates.years)),
    _date_of("NextXYears", "next-x-years", dates.next_x(dates.years)),
    _date_of("LastXFiscalPeriods", "last-x-fiscal-periods", dates.last_x_fiscal(dates.periods)),
    _date_of("NextXFiscalPeriods", "next-x-fiscal-periods", dates.next_x_fiscal(dates.periods)),
    _date_of("LastXFiscalYears", "last-x-fiscal-years", dates.last_x_fiscal(dates.years)),
    _date_of("NextXFiscalYears", "next-x-fiscal-years", dates.next_x_fiscal(dates.years)),
    _moment_of("OlderThanXMinutes", "olderthan-x-minutes", dates.older_than_x(dates.minutes)),
    _moment_of("OlderThanXHours", "olderthan-x-hours", dates.older_than_x(dates.hours)),
    _date_of("OlderThanXDays", "olderthan-x-days", dates.older_than_x(dates.days)),
    _date_of("OlderThanXWeeks", "olderthan-x-weeks", dates.older_than_x(dates.weeks)),
    _date_of("OlderThanXMonths", "olderthan-x-months", dates.older_than_x(dates.months)),
    _date_of("OlderThanXYears", "olderthan-x-years", dates.older_than_x(dates.years)),
    _date_of("On", "on", dates.on),
    _date_of("OnOrAfter", "on-or-after", dates.on_or_after),
    _date_of("OnOrBefore", "on-or-before", dates.on_or_before),
    _date_of("InFiscalYear", "in-fiscal-year", dates.in_fiscal_year),
    _date_of("InFiscalPeriod", "in-fiscal-period", dates.in_fiscal_period),
    _fiscal("InFiscalPeriodAndYear", "in-fiscal-period-and-year", dates.in_fiscal_period_and_year),
    _fiscal("InOrAfterFiscalPeriodAndYear", "in-or-after-fiscal-period-and-year", dates.from_period),
    _fiscal("InOrBeforeFiscalPeriodAndYear", "in-or-before-fiscal-period-and-year", dates.up_to_period),
)

_BY_NAME = {operator.name: operator for operator in OPERATORS if operator.name is not None}
_BY_FUNCTION = {operator.function: operator for operator in OPERATORS if operator.function is not None}
_BY_MEMBER = {operator.member: operator for operator in reversed(OPERATORS)}


def query_function(function: QueryFunction, operand: Operand, asker: Asker, schema: Schema) -> Condition:
    """The condition of a query function on a column.

    Raises:
        ODataError: 400, there is no such function, the column's type is none of its types, or the values
            are too many, too few or not of the type.
    """
    operator = _BY_FUNCTION.get(function.name)
    name = f"{NAMESPACE}.{function.name}"
    if operator is None:
        raise ODataError(400, UNKNOWN_NAME, f"An unknown function with name '{name}' was found.")
    try:
        values = [_text(literal) for literal in function.values]
        return _condition(operator, operand, values, asker, schema)
    except Refusal as refusal:
        message = f"The function '{name}' cannot be applied: {refusal}."
        raise ODataError(400, UNKNOWN_NAME, message) from None


def fetch_condition(
    operator: str, operand: Operand, values: Sequence[str], asker: Asker, schema: Schema
) -> Condition:
    """The condition of a FetchXML operator on a column.

    Raises:
        ODataError: 400, there is no such operator, the column's type is none of its types, or the values
            are too many, too few or not of the type.
    """
    known = _BY_NAME.get(operator)
    if known is None:
        raise ODataError(400, INVALID_OPERATOR, f"Invalid condition operator: '{operator[:80]}'.")
    if known.takes is Takes.NONE and not any(values):
        # View designers leave an empty value on operators that take none.
        values = ()
    return _reported(known, operator, operand, values, asker, schema)


def member_condition(
    member: str, operand: Operand, values: Sequence[str], asker: Asker, schema: Schema
) -> Condition:
    """The condition of a member of the enumeration ConditionOperator on a column.

    Raises:
        ODataError: 400, as :func:`fetch_condition`.
    """
    known = _BY_MEMBER.get(member)
    if known is None:
        raise ODataError(400, INVALID_OPERATOR, f"Invalid condition operator: '{member[:80]}'.")
    return _reported(known, member, operand, values, asker, schema)


def _reported(
    operator: Operator, name: str, operand: Operand, values: Sequence[str], asker: Asker, schema: Schema
) -> Condition:
    try:
        return _condition(operator, operand, values, asker, schema)
    except Refusal as refusal:
        message = f"The condition operator '{name}' cannot be applied: {refusal}."
        raise ODataError(400, BAD_CONDITION, message) from None


def _condition(
    operator: Operator, operand: Operand, values: Sequence[str], asker: Asker, schema: Schema
) -> Condition:
    column = operand.column
    if not operator.types:
        raise Refusal(f"'{column.name}' has no full-text index")
    if column.type not in operator.types:
        raise Refusal(f"it is not valid for '{column.name}', which is of type {column.type}")
    if not operator.takes.fits(len(values)):
        raise Refusal(f"it takes {operator.takes.value} and {len(values)} were given")
    if re.search("[\ud800-\udfff]", "".join(values)):
        # JSON can write half of a character, which no column holds and SQLite does not take.
        raise Refusal("a value is not valid Unicode text")
    return operator.builder(operand, values, asker, schema)


def _text(literal: Literal) -> str:
    """A literal as FetchXML writes it; a query function takes numbers and texts alike."""
    if literal.kind is LiteralKind.NULL:
        raise Refusal("null is not a value that it can compare with")
    if literal.kind is LiteralKind.BOOLEAN:
        return "true" if literal.value else "false"
    return str(literal.value)
