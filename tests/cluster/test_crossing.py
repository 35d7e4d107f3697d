"""A claim and an end that cross: of three servers the leader may take both; see `Moves.is_wanted`.

That takes a millisecond in which the servers have not agreed yet, so here the claim is put without its condition.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.cluster.in_process import worker_in_process
from tests.cluster.nats_servers import NatsServers
from tests.cluster.reports import Reports, task_of
from tests.servers.server import TIMEOUT, eventually
from workqueue.engines.cluster import ClusterEngine, records
from workqueue.engines.cluster.base import Record
from workqueue.engines.cluster.loop import loop
from workqueue.engines.cluster.member import Member
from workqueue.engines.cluster.records import Own, State, own_subject
from workqueue.engines.cluster.view import Run
from workqueue.program.command import command_of
from workqueue.progress import cancelled, succeeded
from workqueue.storage import DiskStorage
from workqueue.testing import ScriptedProgram, output

Crossing = Callable[[Member, Run, Own], Awaitable[int]]


async def put(member: Member, run: Run, own: Own) -> Record:
    subject, value = own_subject(run.tenant, run.number), records.encode_own(own)
    return Record(subject, await member.log.put(subject, value, is_only=True), value)


async def end(member: Member, run: Run) -> None:
    """As a client's process does, whose run waits."""
    await put(member, run, Own(State.END, "", run.own.attempt, run.own.lost, cancelled()))


async def take(member: Member, run: Run, own: Own) -> int:
    """As a worker does: what it puts is in its view before it is heard."""
    record = await put(member, run, own)
    member.apply(record)
    return record.sequence


async def after_its_end(member: Member, run: Run, own: Own) -> int:
    await end(member, run)
    return await take(member, run, own)


async def after_its_end_was_heard(member: Member, run: Run, own: Own) -> int:
    await end(member, run)
    while run.number in member.view.runs:  # noqa: ASYNC110 - a view tells nobody
        await asyncio.sleep(0.001)
    return await take(member, run, own)


async def before_its_end(member: Member, run: Run, own: Own) -> int:
    claim = await take(member, run, own)
    await end(member, run)
    return claim


@pytest.mark.parametrize("cross", [after_its_end, after_its_end_was_heard, before_its_end])
def test_a_run_that_was_cancelled_when_it_was_claimed_is_not_begun(
    nats: NatsServers,
    cluster: str,
    make_engine: Callable[..., ClusterEngine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cross: Crossing,
) -> None:
    storage = DiskStorage(tmp_path / "storage")
    with ScriptedProgram(tmp_path / "program", output(b"built")) as program:
        engine, client = make_engine(), Reports()
        with worker_in_process(
            nats.url, cluster, command_of(program.path), storage, max_running_per_tenant=1, lease=60.0
        ) as worker:
            crossed: list[Run] = []

            async def claim(run: Run, name: str, _expect: int, _on: str | None) -> int:
                crossed.append(run)
                # Its client watches it: else that would be given another run.
                while not any(watched.mark is not None for watched in engine._desk._watched.values()):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                await worker.member.moves.cancel(run.number, for_all=True)
                return await cross(worker.member, run, Own(State.RUN, name, run.own.attempt + 1, run.own.lost))

            with monkeypatch.context() as patch:
                patch.setattr(worker.member.moves, "claim", claim)
                client.ticket = engine.submit(task_of(program.path, storage, 1), client)
                assert client.hear_end() == cancelled()
                eventually(lambda: not worker.held and not worker.member.view.runs)
            [run] = crossed
            subject = own_subject(run.tenant, run.number)

            def is_buried() -> bool:
                own = records.decode_own(loop.do(worker.member.log.last(subject)).result(TIMEOUT).value)
                return own is not None and own.state is State.END

            eventually(is_buried)
            client.check()
            assert program.runs == []

            again = Reports()
            again.ticket = engine.submit(task_of(program.path, storage, 1), again)
            assert again.hear_end() == succeeded()
            assert len(program.runs) == 1
