"""Acts: looked at as the record stands, judged, shown to a human where one is asked, and carried out once."""

from __future__ import annotations

from collections.abc import Mapping

from crm_server.gateway.journaling import carried_out
from crm_server.gateway.session import Session
from crm_server.gateway.writes import NO_UNDO, Undo, Writes
from crm_tools.acts import Act, Close, Link, Merge, Qualify
from crm_tools.operations import Row


class Acts:
    """The acts of one call."""

    def __init__(self, session: Session, writes: Writes) -> None:
        self._session = session
        self._writes = writes

    async def carry_out(self, act: Act, undo: Undo = NO_UNDO) -> Mapping[str, str]:
        """Carry it out; the keys of what it made, by table."""
        judgement, before = await self._writes.look(act)
        presentable = await self._writes.presentable(act, before)
        approval = await self._session.ask(act, judgement.decision, presentable, because=undo.because)
        made: dict[str, str] = {}

        async def send() -> Row | None:
            made.update(await self._sent(act))
            return None

        await carried_out(self._session, act, before, approval, send, undo.of)
        for key in made.values():
            self._session.trail.touched(key)
        return made

    async def _sent(self, act: Act) -> Mapping[str, str]:
        client = self._session.client()
        match act:
            case Qualify():
                return await client.qualify(act)
            case Close():
                await client.close(act)
            case Merge():
                await client.merge(act)
            case Link():
                await client.link(act)
        return {}
