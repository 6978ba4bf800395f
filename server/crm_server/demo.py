"""The demonstration: the real server over stdio, a real MCP client, the embedded CRM and four jobs.

Nothing here is staged but the requests: every answer and every policy decision comes from the server.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mcp import Client, StdioServerParameters
from mcp.client.session import ClientRequestContext
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from crm_server.demo_output import JsonLines, ReadableText
from crm_server.settings import PREFIX

CITY = "Seattle"
CUSTOMER = "Northwind Traders"


class Output(Protocol):
    """Where the demonstration is told."""

    def job(self, number: int, title: str, story: str) -> None:
        """A job begins."""

    def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """A tool is called."""

    def answer(
        self, content: Mapping[str, Any], text: str | None, is_error: bool, policy: Mapping[str, Any] | None
    ) -> None:
        """What the server answered, as a model reads it where that is no JSON, and the policy's decision."""

    def asked(self, question: str, answered: str) -> None:
        """A human was asked, and what the human said."""

    def end(self, command: str, arguments: list[str]) -> None:
        """The demonstration is over; how to start the server oneself."""


class DemoError(Exception):
    """The server did not do what the demonstration shows."""


@dataclass
class Assistant:
    """An MCP client that tells what it does."""

    client: Client
    output: Output

    async def call(self, tool: str, *, fails: bool = False, **arguments: Any) -> dict[str, Any]:
        """Call a tool; ``fails`` says that a refusal is expected."""
        self.output.call(tool, arguments)
        result = await self.client.call_tool(tool, arguments)
        content, text = _content(result)
        self.output.answer(content, text, bool(result.is_error), (result.meta or {}).get("policy"))
        if bool(result.is_error) != fails:
            raise DemoError(f"{tool} {'succeeded' if fails else 'failed'} against expectation")
        return content


async def run_demo(as_json: bool) -> int:
    """Run the demonstration and return the exit code: 0 when all went as shown, else 1."""
    output: Output = JsonLines() if as_json else ReadableText()
    failures: list[BaseException] = []
    # Task groups of the client put what is raised inside them into a group.
    try:
        async with _assistant(output) as client:
            assistant = Assistant(client, output)
            await _ask_in_own_words(assistant)
            await _ask_about_accounts(assistant)
            await _enter_a_lead(assistant)
        await _agent_run(output)
        output.end(*_own_command())
    except* BrokenPipeError:
        # Whoever read along has left; what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except* DemoError as group:
        failures = list(_leaves(group))
    for failure in failures:
        sys.stderr.write(f"dynamics-crm-mcp: the demonstration stopped: {failure}\n")
    return 1 if failures else 0


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _ask_in_own_words(assistant: Assistant) -> None:
    assistant.output.job(
        1,
        "One thought, one call",
        f'"What is open at {CUSTOMER}, and who should I call?" - "How does the pipeline look?" - '
        '"We lost their first deal on price."',
    )
    overview = await assistant.call("get_overview", record=CUSTOMER)
    await assistant.call(
        "summarize_records",
        table="opportunity",
        by=["stepname"],
        measures=["count", "sum estimatedvalue"],
        where=[{"column": "Status", "op": "eq", "value": "Open"}],
    )
    await assistant.call(
        "close_opportunity",
        opportunity=overview["opportunities"]["records"][0]["name"],
        outcome="lost",
        reason="Out-Sold",
        note="They found a lower price.",
    )


async def _ask_about_accounts(assistant: Assistant) -> None:
    assistant.output.job(
        2,
        "Ask about accounts",
        f'"Which are our largest accounts in {CITY}, and who do we know at the biggest one?"',
    )
    accounts = await assistant.call(
        "list_accounts",
        filter=f"address1_city eq '{CITY}' and statecode eq 'Active'",
        orderby="revenue desc",
        select=["name", "revenue", "industrycode", "primarycontactid"],
        top=3,
        count=True,
    )
    largest = accounts["records"][0]["accountid"]
    await assistant.call(
        "list_contacts",
        filter=f"parentcustomerid eq {largest}",
        select=["fullname", "jobtitle", "emailaddress1", "telephone1"],
        orderby="fullname",
    )


async def _enter_a_lead(assistant: Assistant) -> None:
    assistant.output.job(
        3,
        "Enter a lead from a chat",
        '"Just met Maria Campbell, purchasing manager at Tailspin Toys. She wants a quote for 200 licences, '
        'budget about 50,000. maria.campbell@tailspintoys.example, found us on the web. Put that in."',
    )
    await assistant.call(
        "list_leads",
        filter="emailaddress1 eq 'maria.campbell@tailspintoys.example'",
        select=["fullname", "companyname", "statecode"],
    )
    await assistant.call(
        "create_lead",
        subject="Quote for 200 licences",
        firstname="Maria",
        lastname="Campbell",
        jobtitle="Purchasing Manager",
        companyname="Tailspin Toys",
        emailaddress1="maria.campbell@tailspintoys.example",
        estimatedamount=50000,
        leadsourcecode="Web",
        leadqualitycode="Hot",
    )


async def _agent_run(output: Output) -> None:
    output.job(
        4,
        "An agent cleans up the pipeline",
        "An agent that nobody watches moves an overdue opportunity and tries to delete it. "
        "Then a person looks on, while the agent deletes a deal that was lost long ago.",
    )
    columns = ["name", "estimatedvalue", "estimatedclosedate", "statecode"]
    async with _assistant(output) as client:
        agent = Assistant(client, output)
        overdue = await agent.call(
            "list_opportunities",
            filter="statecode eq 'Open' and estimatedclosedate lt 2026-11-23",
            orderby="estimatedvalue",
            select=columns,
            top=1,
        )
        found = overdue["records"][0]
        key, etag = found["opportunityid"], found["etag"]
        changes: dict[str, Any] = {"estimatedclosedate": "2026-12-18", "closeprobability": 20}
        await agent.call("update_opportunity", opportunityid=key, etag=etag, dry_run=True, **changes)
        await agent.call("update_opportunity", opportunityid=key, etag=etag, **changes)
        await agent.call("delete_opportunity", opportunityid=key, fails=True)
    async with _assistant(output, human=lambda _question: True) as client:
        agent = Assistant(client, output)
        lost = await agent.call(
            "list_opportunities",
            filter="statecode eq 'Lost'",
            orderby="actualclosedate",
            select=[*columns, "actualclosedate"],
            top=1,
        )
        await agent.call("delete_opportunity", opportunityid=lost["records"][0]["opportunityid"])


def _assistant(output: Output, human: Callable[[str], bool] | None = None) -> Client:
    """A client of a new server process. With a ``human`` it can be asked; without, it says it cannot."""

    async def elicit(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        if human is None:
            raise DemoError("nobody is there to be asked")
        agreed = human(params.message)
        output.asked(params.message, "accept" if agreed else "decline")
        return ElicitResult(action="accept" if agreed else "decline")

    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "crm_server", "serve", "--sandbox"],
        env={**environment, "DYNAMICS_LOG_LEVEL": "warning"},
    )
    return Client(server, elicitation_callback=elicit if human is not None else None)


def _content(result: CallToolResult) -> tuple[dict[str, Any], str | None]:
    """The answer, and the text that stands for it where that is made for reading."""
    text = result.content[0]
    if not isinstance(text, TextContent):
        raise DemoError("an answer is not text")
    if result.structured_content is None or text.text.startswith("{"):
        content: dict[str, Any] = json.loads(text.text)
        return content, None
    return result.structured_content, text.text


def _own_command() -> tuple[str, list[str]]:
    """How this installation's server is started from anywhere."""
    return sys.executable, ["-m", "crm_server", "serve", "--sandbox"]
