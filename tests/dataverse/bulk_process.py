"""A bulk job as a process of its own, to be killed; its arguments are address, log and number of rows."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from crm_server.dataverse.bulk import Bulk
from crm_server.dataverse.sender import Sender
from tests.dataverse.bulk_jobs import NEW_LEADS, TABLES, job_log, leads


async def run(address: str, path: Path, rows: int) -> None:
    sender = Sender(address)
    async with job_log(path, NEW_LEADS) as log:
        await Bulk(sender, TABLES, chunk_rows=5).run(NEW_LEADS, leads(rows), log=log)
    await sender.aclose()


if __name__ == "__main__":
    anyio.run(run, sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
