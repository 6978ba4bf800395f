"""CPU time of a request through the Dataverse client, against bare httpx making the same request.

    uv run --no-dev python bench/cpu.py

In turn and in the same run; the CRM is a process of its own. Bare httpx sends the same headers and reads the
answer as JSON, with no retries, pacing, deadline or check of what came.
"""

from __future__ import annotations

import json
import sys
import time

import anyio
import httpx

from crm_server.dataverse.client import open_client
from crm_server.dataverse.requests import build
from crm_server.dataverse.sender import API_PATH, COMMON_HEADERS
from crm_tools.description import load
from crm_tools.operations import Query
from hosted import root_of, sandbox

REQUESTS, WARM_UP = 600, 50
GOAL = 1.3
COLUMNS = ("accountid", "name", "revenue", "numberofemployees", "telephone1", "emailaddress1", "statecode")
TABLES = load().tables


def main() -> int:
    with sandbox() as ready:
        ours, bare = anyio.run(measured, root_of(ready))
    print(f"CPU of one list of 20 accounts: {ours * 1000:.2f} ms, bare httpx {bare * 1000:.2f} ms")
    print(f"ratio {ours / bare:.2f} (goal: at most {GOAL})")
    return 0 if ours / bare <= GOAL else 1


async def measured(root: str) -> tuple[float, float]:
    """Seconds of CPU for one request: ours, and bare."""
    query = Query("account", select=COLUMNS, filter="statecode eq 0", top=20)
    request = build(query, TABLES)
    client = open_client(base_url=root, tables=TABLES)
    spent = {"ours": 0.0, "bare": 0.0}
    async with httpx.AsyncClient() as plain:
        for number in range(WARM_UP + REQUESTS):
            before = time.process_time()
            rows = (await client.query(query)).rows
            between = time.process_time()
            answer = await plain.get(
                f"{root}{API_PATH}{request.path}", headers={**COMMON_HEADERS, **request.headers}
            )
            same = json.loads(answer.content)["value"]
            after = time.process_time()
            if list(rows) != same or len(same) != query.top:
                raise RuntimeError("the answers differ")
            if number >= WARM_UP:
                spent["ours"] += between - before
                spent["bare"] += after - between
    await client.aclose()
    return spent["ours"] / REQUESTS, spent["bare"] / REQUESTS


if __name__ == "__main__":
    sys.exit(main())
