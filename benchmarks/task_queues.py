"""task_queues: SAQ and Celery on Redis, each with one worker that does four jobs at once -> what asking them costs.

Each is set up as its manual says, and its job runs the program that ours runs and passes its lines on. A client asks
and watches in a process of its own. A job begins when its function is called in the worker, before anybody is told.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.peers import python_of, told

AT_ONCE: Final = 4

#: How both clients begin. `options` says what is asked for, `NAME` of `ask` is a job's.
_BEGINNING = """
import json, subprocess, sys, time
options = json.loads(sys.argv[1])
sys.path.append(options["root"])
from benchmarks.clock import cpu_seconds

def command(kind, name):
    return [options["program"], kind, name, options["directory"] + "/" + name]

def idle_share(worker):
    time.sleep(2)
    began, used = time.monotonic(), cpu_seconds(worker.pid)
    time.sleep(options["idle_seconds"])
    return (cpu_seconds(worker.pid) - used) / (time.monotonic() - began)

def stop(worker):
    worker.terminate()
    try:
        worker.wait(20)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
"""

_SAQ_WORKER = """
import asyncio, logging, sys, time
from saq import Queue, Worker

logging.disable(logging.WARNING)  # it is stopped when all is told

async def build(context, *, command):
    began = time.time()
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    async for line in process.stdout:
        fraction, _, message = line.decode().rstrip().partition("\\t")
        await context["job"].update(progress=float(fraction), meta={"message": message})
    assert not await process.wait()
    return began

asyncio.run(Worker(Queue.from_url(sys.argv[1]), functions=[build], concurrency=int(sys.argv[2])).start())
"""

# A client that waits for an end looks again and again: SAQ's own `apply` and `map` do so twice a second.
_SAQ_CLIENT = (
    _BEGINNING
    + """
import asyncio
from saq import Queue
from saq.job import TERMINAL_STATUSES, Status

async def main():
    queue = Queue.from_url(options["url"])
    await queue.connect()
    at_once = str(options["at_once"])
    worker = subprocess.Popen([sys.executable, "-P", "-c", options["worker"], options["url"], at_once])
    try:
        # A worker that starts aborts what it takes at that moment, so it is given nothing before it has looked.
        while not await queue.redis.exists("saq:default:sweep"):
            await asyncio.sleep(0.01)
        await end(await ask(queue, "now", "warm"))
        figures = {"begun": [await begun(queue, f"b{i}") for i in range(options["n_begun"])]}
        figures["late"] = await lines(queue)
        figures["asked"], figures["rate"] = await burst(queue)
        figures["idle"] = idle_share(worker)
        print(json.dumps(figures))
    finally:
        stop(worker)
        await queue.disconnect()

async def ask(queue, kind, name):
    return await queue.enqueue("build", key=name, timeout=0, command=command(kind, name))

async def end(job):
    while not job.completed:
        await asyncio.sleep(0.005)
        await job.refresh()
    assert job.status == Status.COMPLETE, job
    return job.result

async def begun(queue, name):
    asked = time.time()
    return await end(await ask(queue, "now", name)) - asked

async def lines(queue):
    # The best that SAQ offers a watcher: it is told over Redis's publish and subscribe, and gets the job then.
    seen = {}
    names = {f"l{i}" for i in range(options["at_once"])}
    left = set(names)

    async def look(name, status):
        job = await queue.job(name)
        if job.meta:
            seen.setdefault(job.meta["message"], time.time())
        if status in TERMINAL_STATUSES:
            left.discard(name)
        return not left

    watching = asyncio.create_task(queue.listen(names, look, timeout=None))
    await asyncio.sleep(0.2)
    for name in names:
        await ask(queue, "lines", name)
    await watching
    return [at - float(said) for said, at in seen.items()]

async def burst(queue):
    asked, jobs, began = [], [], time.perf_counter()
    for i in range(options["n_jobs"]):
        before = time.perf_counter()
        jobs.append(await ask(queue, "now", f"j{i}"))
        asked.append(time.perf_counter() - before)
    for job in jobs:
        await end(job)
    return asked, len(jobs) / (time.perf_counter() - began)

asyncio.run(main())
"""
)

_CELERY_TASKS = """
import os, subprocess, time
from celery import Celery

url = os.environ["REDIS_URL"]
app = Celery("tasks", broker=url, backend=url)

@app.task(bind=True)
def build(self, command):
    began = time.time()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            fraction, _, message = line.rstrip().partition("\\t")
            self.update_state(state="PROGRESS", meta={"fraction": float(fraction), "message": message})
    assert not process.returncode
    return began
"""

_CELERY_CLIENT = (
    _BEGINNING
    + """
import os
from pathlib import Path

here = Path(options["directory"], "celery")
here.mkdir()
(here / "tasks.py").write_text(options["worker"])
sys.path.insert(0, str(here))
# Its worker warns of root.
os.environ |= {"REDIS_URL": options["url"], "PYTHONWARNINGS": "ignore"}
from celery.result import ResultSet
from tasks import build

def ask(kind, name):
    return build.delay(command(kind, name))

def begun(name):
    asked = time.time()
    return ask("now", name).get() - asked

def lines():
    seen = {}

    def look(meta):
        if meta["status"] == "PROGRESS":
            seen.setdefault(meta["result"]["message"], time.time())

    ResultSet([ask("lines", f"l{i}") for i in range(options["at_once"])]).get(on_message=look)
    return [at - float(said) for said, at in seen.items()]

def burst():
    asked, results, began = [], [], time.perf_counter()
    for i in range(options["n_jobs"]):
        before = time.perf_counter()
        results.append(ask("now", f"j{i}"))
        asked.append(time.perf_counter() - before)
    for result in results:
        result.get()
    return asked, len(results) / (time.perf_counter() - began)

at_once = ["--concurrency", str(options["at_once"])]
worker = subprocess.Popen(
    [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--loglevel", "ERROR", *at_once],
    cwd=here, stdout=subprocess.DEVNULL)
try:
    ask("now", "warm").get(timeout=60)
    figures = {"begun": [begun(f"b{i}") for i in range(options["n_begun"])], "late": lines()}
    figures["asked"], figures["rate"] = burst()
    figures["idle"] = idle_share(worker)
    print(json.dumps(figures))
finally:
    stop(worker)
"""
)

_SCRIPTS: Final = {"saq": (_SAQ_CLIENT, _SAQ_WORKER), "celery": (_CELERY_CLIENT, _CELERY_TASKS)}


def figures_of(peer: str, url: str, program: Path, sizes: Mapping[str, float]) -> dict[str, Any]:
    """Ask a peer for jobs.

    Args:
        peer: "saq" or "celery".
        url: of a Redis.
        program: what a job runs: with "now", or "lines", a name, and a file for its output.
        sizes: how many jobs, and for how long its worker is idle; see `benchmarks.cluster.Sizes`.

    Returns:
        Lists of seconds: until a job's function begins ("begun"), from a line to the watcher ("late"), and what a
        client waits that asks ("asked"). How many jobs are done a second ("rate"), and what part of a core an idle
        worker takes ("idle").

    Raises:
        subprocess.CalledProcessError: it cannot be installed, or does not work.
    """
    client, worker = _SCRIPTS[peer]
    options = {
        **sizes,
        "root": str(Path(__file__).parent.parent),
        "url": url,
        "program": str(program),
        "directory": str(program.parent),
        "worker": worker,
        "at_once": AT_ONCE,
    }
    figures: dict[str, Any] = told(python_of(peer), client, json.dumps(options))
    return figures
