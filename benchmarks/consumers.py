"""consumers: programs that print the time of day -> who saw which line, and when; our ways out and the peers'.

Each consumer is a script in a process of its own, with a program of its own, which begins to print when its consumer
is there. It prints a list of pairs: the time that a line told, and the time at which it was seen. All run at once: each
is asleep for most of the time, and whatever else the machine does meets all of them.
"""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.answer import OURS
from benchmarks.peers import NAMES, python_of, told
from benchmarks.redis_server import redis_server

Seen = list[tuple[float, float]]
"""What the line said, its own time, and when it was seen; in order. Lines that were not seen are not in it."""

#: The rows' names.
THREAD = f"{OURS}: thread"
ASYNCIO = f"{OURS}: asyncio"
HTTP = f"{OURS}: HTTP"
PROCESS = f"{OURS}: another process"
ANCESTOR = f"{NAMES['ancestor']}: thread"
BROADCAST = "asyncio by hand"
SAQ = NAMES["saq"]

_PROGRAM = """#!{python} -IS
import os, sys, time
gaps = {gaps}
while not os.path.exists(__file__ + ".go"):
    time.sleep(0.01)
for i, gap in enumerate(gaps):
    time.sleep(gap)
    print(f"{{i / len(gaps)}}\\t{{time.time()}}", flush=True)
with open(sys.argv[-1], "w") as output:
    output.write("built")
"""

# For both: the names of 1.0.1 are ours.
_IN_THREAD = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from workqueue import OverviewViewParams, WorkQueue

program, directory = sys.argv[1:3]
queue = WorkQueue(Path(program), ThreadPoolExecutor(1), Path(directory))
job = queue.ensure_run(OverviewViewParams("http://localhost", "1", "token"))
seen = {}
for progress in queue.report_job_progress_until_completed(job):
    now = time.time()
    if progress.message is not None:
        seen.setdefault(float(progress.message), now)
    elif sys.argv[3:] == ["owner"]:
        print("runs", flush=True)
    else:
        Path(program + ".go").touch()
assert progress.returncode == 0, progress
print(json.dumps(list(seen.items())))
"""

_IN_ASYNCIO = """
import asyncio, json, sys, time
from pathlib import Path
from workqueue import OverviewViewParams, WorkQueue
from workqueue.streams import to_async_iter

program, directory = sys.argv[1:]

async def main():
    seen = []
    job = queue.ensure_run(OverviewViewParams("http://localhost", "1", "token"))
    async for progress in to_async_iter(job.progress):
        if progress.message is not None:
            seen.append((float(progress.message), time.time()))
        else:
            Path(program + ".go").touch()
    assert progress.returncode == 0, progress
    print(json.dumps(seen))

with WorkQueue(program, storage_dir=directory) as queue:
    asyncio.run(main())
"""

_SERVER = """
import socket, sys
import uvicorn
from workqueue import WorkQueue
from workqueue.web.asgi import GenerateApp

program, directory = sys.argv[1:]
app = GenerateApp(WorkQueue(program, storage_dir=directory), max_duration=None)
with socket.create_server(("127.0.0.1", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
"""

_OVER_HTTP = """
import base64, http.client, json, subprocess, sys, time
from pathlib import Path

program, directory, script = sys.argv[1:]
server = subprocess.Popen([sys.executable, "-P", "-c", script, program, directory], stdout=subprocess.PIPE)
try:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.stdout.readline()))
    connection.request("POST", "/generate", "server=http://localhost&documentSetId=1", {
        "Accept": "application/x-ndjson",
        "Authorization": "Basic " + base64.b64encode(b"token:x-auth-token").decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    })
    seen = []
    for line in connection.getresponse():
        now = time.time()
        event = json.loads(line)
        if event["message"] is not None:
            seen.append((float(event["message"]), now))
        else:
            Path(program + ".go").touch()
    assert event["returncode"] == 0, event
finally:
    server.terminate()
    server.wait()
print(json.dumps(seen))
"""

# The owner is there first, so this process follows.
_IN_ANOTHER_PROCESS = (
    """
import subprocess, sys
command = [sys.executable, "-P", "-c", sys.argv.pop(), *sys.argv[1:], "owner"]
owner = subprocess.Popen(command, stdout=subprocess.PIPE)
assert owner.stdout.readline() == b"runs\\n"
"""
    + _IN_THREAD
    + "assert not owner.wait()"
)

_BY_HAND = """
import asyncio, json, sys, time
from pathlib import Path

clients = set()

async def broadcast(program, output):
    process = await asyncio.create_subprocess_exec(program, output, stdout=asyncio.subprocess.PIPE)
    async for line in process.stdout:
        fraction, _, message = line.decode().rstrip().partition("\\t")
        for client in clients:
            client.put_nowait((float(fraction), message))
    await process.wait()
    for client in clients:
        client.put_nowait(None)

async def main():
    seen = []
    client = asyncio.Queue()
    clients.add(client)
    program, directory = sys.argv[1:]
    running = asyncio.create_task(broadcast(program, directory + "/output"))
    Path(program + ".go").touch()
    while (event := await client.get()) is not None:
        seen.append((float(event[1]), time.time()))
    await running
    print(json.dumps(seen))

asyncio.run(main())
"""

_SAQ_WORKER = """
import asyncio, logging, sys
from saq import Queue, Worker

logging.disable(logging.WARNING)  # it is stopped when all is told

async def build(context, *, command):
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async for line in process.stdout:
        fraction, _, message = line.decode().rstrip().partition("\\t")
        await context["job"].update(progress=float(fraction), meta={"message": message})
    await process.wait()

asyncio.run(Worker(Queue.from_url(sys.argv[1]), functions=[build], concurrency=1).start())
"""

# The best that SAQ offers a watcher: it is told over Redis's publish and subscribe, and gets the job then.
_SAQ_WATCHER = """
import asyncio, json, subprocess, sys, time
from pathlib import Path
from saq import Job, Queue
from saq.job import TERMINAL_STATUSES, Status

program, directory, url, script = sys.argv[1:]
go = Path(program + ".go")

async def main():
    queue = Queue.from_url(url)
    await queue.connect()
    seen = {}

    async def look(key, status):
        job = await queue.job(key)
        if job.meta:
            seen.setdefault(float(job.meta["message"]), time.time())
        else:
            go.touch()
        return status in TERMINAL_STATUSES

    worker = subprocess.Popen([sys.executable, "-P", "-c", script, url])
    try:
        # A worker that starts aborts what it takes at that moment, so it is not given the job before it has looked.
        while not await queue.redis.exists("saq:default:sweep"):
            await asyncio.sleep(0.01)
        watching = asyncio.create_task(queue.listen(["build"], look, timeout=None))
        command = [program, directory + "/output"]
        job = await queue.enqueue(Job("build", key="build", kwargs={"command": command}, timeout=0))
        while not go.exists():
            await queue.notify(job)
            await asyncio.sleep(0.05)
        await watching
    finally:
        worker.terminate()
        worker.wait()
    job = await queue.job("build")
    assert job.status == Status.COMPLETE, job
    await queue.disconnect()
    print(json.dumps(list(seen.items())))

asyncio.run(main())
"""


def seen_by(gaps: Mapping[str, Sequence[float]]) -> dict[str, Seen]:
    """Let consumers watch, all at once; return what each saw. One whose peer cannot be had is left out.

    Args:
        gaps: which consumers, by the rows' names; and the seconds that each one's program sleeps before its lines.
    """
    seen = {}
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(redis_server()) if SAQ in gaps else None
        watches = _watches(redis)
        name = stack.enter_context(tempfile.TemporaryDirectory())
        threads = stack.enter_context(ThreadPoolExecutor(len(gaps)))
        for i, who in enumerate(gaps.keys() & watches.keys()):
            directory = Path(name, str(i))
            directory.mkdir()
            program = write_program(directory / "program", gaps[who])
            seen[who] = threads.submit(watches[who], str(program), str(directory))
        return {who: [(said, at) for said, at in future.result()] for who, future in seen.items()}


def _watches(redis: str | None) -> dict[str, Callable[[str, str], Seen]]:
    """For each consumer, what has it watch a program, with a directory of its own."""
    ours = sys.executable
    watches: dict[str, Callable[[str, str], Seen]] = {
        THREAD: lambda *paths: told(ours, _IN_THREAD, *paths),
        ASYNCIO: lambda *paths: told(ours, _IN_ASYNCIO, *paths),
        HTTP: lambda *paths: told(ours, _OVER_HTTP, *paths, _SERVER),
        PROCESS: lambda *paths: told(ours, _IN_ANOTHER_PROCESS, *paths, _IN_THREAD),
        ANCESTOR: lambda *paths: told(python_of("ancestor"), _IN_THREAD, *paths),
        BROADCAST: lambda *paths: told(ours, _BY_HAND, *paths),
    }
    if redis is not None:
        watches[SAQ] = lambda *paths: told(python_of("saq"), _SAQ_WATCHER, *paths, redis, _SAQ_WORKER)
    return watches


def write_program(path: Path, gaps: Sequence[float]) -> Path:
    path.write_text(_PROGRAM.format(python=sys.executable, gaps=list(gaps)))
    path.chmod(0o755)
    return path
