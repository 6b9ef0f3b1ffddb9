"""Server-sent events of one job: its state and its log lines as they come. Used by `bootos job follow` and the
job page. Ends when the job has ended, or when the server does (the client then asks again, with the last id)."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import msgspec
from litestar.response.sse import ServerSentEventMessage

from bootos.printable import show_line
from bootos.server.context import Context
from bootos.server.lifecycle import ENDED, State
from bootos.server.store.job import find_job
from bootos.server.view.job import BATCH, LogView, list_lines, view_job

KEEPALIVE_S = 15.0


def read_lines(context: Context, job_id: int, after: int, limit: int = BATCH) -> list[LogView]:
    """Log lines of a job in the order they came in, at most `limit`, from the one after number `after` on."""
    with context.store.read() as session:
        return list_lines(session, job_id, after, limit)


def write_log(context: Context, job_id: int) -> Iterator[str]:
    """The whole log of a job as a text, some lines at a time: a log may be larger than what is sent at once."""
    last = 0
    while lines := read_lines(context, job_id, last):
        last = lines[-1].seq
        yield "".join(
            f"{show_line(f'{line.at} {line.level:7} {line.text.expandtabs()}')}\n" for line in lines
        )


async def stream_job(context: Context, job_id: int, after: int) -> AsyncIterator[ServerSentEventMessage]:
    """Events: `job` (JobView) when it changed, `change` (the same) when only its report did, `line` (LogView, its
    id is the line's seq), `end` (JobView)."""
    topic, shown, woken = f"job:{job_id}", "", False
    while True:
        mark = context.hub.mark(topic)
        job = await asyncio.to_thread(_read_job, context, job_id)
        while lines := await asyncio.to_thread(read_lines, context, job_id, after):
            for line in lines:
                after = line.seq
                yield ServerSentEventMessage(
                    data=msgspec.json.encode(line).decode(), event="line", id=str(line.seq)
                )
        if job != shown:
            shown = job
            yield ServerSentEventMessage(data=job, event="job")
        elif woken:
            yield ServerSentEventMessage(data=job, event="change")
        if State(msgspec.json.decode(job)["state"]) in ENDED:
            yield ServerSentEventMessage(data=job, event="end")
            return
        if context.hub.closed:
            return
        woken = await context.hub.wait(topic, mark, KEEPALIVE_S)
        if not woken and not context.hub.closed:
            yield ServerSentEventMessage(comment="still here")


def _read_job(context: Context, job_id: int) -> str:
    with context.store.read() as session:
        return msgspec.json.encode(view_job(find_job(session, job_id))).decode()
