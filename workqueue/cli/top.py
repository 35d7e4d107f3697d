"""Show what runs, how far it is, who waits, and what ended lately: of a host, or of a cluster.

With STORAGE, of all processes of this host that have it; with --nats, of a cluster, by its log. It is read from what
they share; nobody is asked. No argument of a program is shown: they may hold secrets.

Examples:
  workqueue top databases
  workqueue top databases --once --json
  workqueue top --nats nats://10.0.0.5:4222
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from workqueue.cli import host_top
from workqueue.cli.nats import add_cluster, tls_of
from workqueue.cli.place import CannotUseStorage, storage_address, told_to_the_user
from workqueue.cli.quantities import shown_age

if TYPE_CHECKING:
    from workqueue.engines.cluster.picture import Picture
    from workqueue.engines.cluster.view import Run

#: Between two looks.
_SECONDS = 1.0


class _Sight(NamedTuple):
    """What there is to look at, and how to show it."""

    take: Callable[[], Any]
    """Takes a picture, or returns why there is none."""

    as_dict: Callable[[Any], dict[str, Any]]
    shown: Callable[[Any], str]
    live: Callable[[], AbstractContextManager[Callable[[Any], None] | None]]
    """Draws pictures in one place; None where that cannot be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "storage", metavar="STORAGE", nargs="?", type=storage_address, help="the storage_dir of a queue of this host"
    )
    add_cluster(parser, is_required=False)
    parser.add_argument("--once", action="store_true", help="look once; else once a second, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="a JSON object for each look")


def run(options: argparse.Namespace) -> int:
    """Show it; return the exit status."""
    try:
        with told_to_the_user():
            sight = _sight(options)
    except CannotUseStorage as err:
        print(f"workqueue: {err}", file=sys.stderr)
        return 2
    with nullcontext() if options.once or options.json else sight.live() as draw:
        while True:
            picture = sight.take()
            if isinstance(picture, str):
                print(f"workqueue: {picture}", file=sys.stderr)
                return 2
            if draw is not None:
                draw(picture)
            else:
                print(json.dumps(sight.as_dict(picture)) if options.json else sight.shown(picture), flush=True)
            if options.once:
                return 0
            time.sleep(_SECONDS)
            if not options.json and draw is None:
                print()


def _sight(options: argparse.Namespace) -> _Sight:
    """What the options name.

    Raises:
        ImportError, ValueError: for an option that cannot be.
    """
    if options.storage is not None:
        if options.nats is not None:
            raise ValueError("name a STORAGE of this host, or a cluster with --nats; not both")
        take = host_top.taker(host_top.pictures_of(options.storage))
        return _Sight(take, host_top.as_dict, host_top.shown, host_top.live)
    options.nats = options.nats or os.environ.get("WORKQUEUE_NATS_URL")
    if not options.nats:
        raise ValueError("name a STORAGE, the storage_dir of a queue of this host; or a cluster, with --nats")
    return _Sight(_taker(options), as_dict, shown, nullcontext)


def _taker(options: argparse.Namespace) -> Any:
    """A function that takes a picture, or returns why there is none.

    Raises:
        ImportError, ValueError: for an option that cannot be.
    """
    try:
        from workqueue.engines.cluster.base import Unreachable, Unusable  # noqa: PLC0415
        from workqueue.engines.cluster.loop import loop  # noqa: PLC0415
        from workqueue.engines.cluster.options import access_to, check_name  # noqa: PLC0415 - needs an extra
        from workqueue.engines.cluster.picture import look  # noqa: PLC0415
    except ModuleNotFoundError as err:
        raise ImportError("it needs the extra: pip install 'overview-plugin-workqueue[cluster]'") from err
    name = check_name(options.cluster)
    access = access_to(options.nats, options.credentials, tls_of(options))
    loop.start()

    def take() -> "Picture | str":
        try:
            return loop.do(look(name, access)).result()
        except (Unreachable, Unusable) as err:
            return f"cannot use the cluster: {err}"

    return take


def as_dict(picture: "Picture") -> dict[str, Any]:
    """For programs."""
    workers = [
        {"worker": name, "capacity": beat.capacity, "name": beat.name, "version": beat.version, "since": beat.since}
        for name, beat in sorted(picture.workers.items())
    ]
    running = [
        {
            **_run(run),
            "worker": run.own.worker,
            "attempt": run.own.attempt,
            "fraction": getattr(picture.said.get(run.number), "fraction", 0.0),
            "message": getattr(picture.said.get(run.number), "message", None),
        }
        for run in picture.running
    ]
    waiting = [{**_run(run), "n_ahead": len(running) + i} for i, run in enumerate(picture.waiting)]
    return {"workers": workers, "running": running, "waiting": waiting}


def shown(picture: "Picture") -> str:
    """For people."""
    data = as_dict(picture)
    now = time.time()
    n_workers, n_running, n_waiting = (len(data[name]) for name in ("workers", "running", "waiting"))
    workers = "1 worker" if n_workers == 1 else f"{n_workers} workers"
    lines = [f"{workers}, {n_running} of {_capacity(picture)} running, {n_waiting} waiting"]
    lines += [
        f"  {worker['worker']}  {worker['name']} {worker['version']}  up {shown_age(now - worker['since'])}"
        for worker in data["workers"]
    ]
    lines += [
        f"  {run['key'][:8]}  {run['fraction']:4.0%}  {run['worker']}  {run['message'] or ''}".rstrip()
        for run in data["running"]
    ]
    lines += [f"  {run['key'][:8]}  {run['n_ahead']} ahead" for run in data["waiting"]]
    return "\n".join(lines)


def _capacity(picture: "Picture") -> int:
    return sum(beat.capacity for beat in picture.workers.values())


def _run(run: "Run") -> dict[str, Any]:
    return {"key": run.key, "name": run.job.name, "version": run.job.version, "tenant": run.tenant}
