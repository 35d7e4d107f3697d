"""4 cluster wire: a Task <-> what of it travels to a worker, in the form of the seal; pure.

Program and storage do not travel: a worker has its own. A path of another host's means nothing here, and whoever can
write to the log must not choose what is run.
"""

from collections.abc import Collection
from typing import Any, Final, get_args

from workqueue.engines.base import Task
from workqueue.engines.cluster.seal import Broken, Seal
from workqueue.engines.cluster.view import Run
from workqueue.naming import check_suffix
from workqueue.program.command import Command
from workqueue.program.environment import check_environment
from workqueue.program.limits import Limits, check_limits
from workqueue.program.retry import Retry, check_retry
from workqueue.storage.base import Form, Storage

#: What a task may always set of a program's environment.
TOKEN: Final = "WORKQUEUE_API_TOKEN"  # noqa: S105 - a name

_FORMS: Final = get_args(Form)


class NotAllowed(Exception):
    """A task wants of a worker what that was not told to allow; the text says what."""


def to_wire(task: Task, seal: Seal) -> str:
    """What travels of a task."""
    inherit = task.inherit_env
    return seal.close(
        task.key,
        {
            "arguments": task.arguments,
            "refresh": task.is_refresh,
            "replaces": task.replaces,
            "limits": task.limits._asdict(),
            "environment": task.environment,
            "inherit_env": inherit if isinstance(inherit, bool) else list(inherit),
            "retry": list(task.retry),
            "secrets": task.secrets,
            "suffix": task.suffix,
            "form": task.form,
        },
    )


def from_wire(run: Run, seal: Seal, command: Command, storage: Storage, allowed_env: Collection[str] = ()) -> Task:
    """The task of a run, for the worker that has this program and storage.

    Args:
        run: from the log.
        seal: opens it.
        command: the worker's program.
        storage: the worker's.
        allowed_env: the names that it may set in the program's environment; others could change what is run.

    Raises:
        Broken: it was not sealed by those who share our secret, or says nothing that can be a task.
        NotAllowed: it sets another name.
    """
    data = seal.open(run.key, run.job.task)
    try:
        task = _task(run, data, command, storage)
    except (KeyError, TypeError, ValueError) as err:
        raise Broken(f"it is no task that this version knows: {type(err).__name__}") from err
    unknown = {name for name, _ in task.environment} - {*allowed_env, TOKEN}
    if unknown:
        raise NotAllowed(f"it sets {', '.join(sorted(unknown))}, which --env does not allow")
    return task


def _task(run: Run, data: dict[str, Any], command: Command, storage: Storage) -> Task:
    inherit, form, suffix, replaces = data["inherit_env"], data["form"], data["suffix"], data["replaces"]
    inherit = inherit if isinstance(inherit, bool) else _texts(inherit)
    limits, retry = Limits(**data["limits"]), Retry(*data["retry"])
    environment = tuple((name, value) for name, value in map(_texts, data["environment"]))
    # As where a queue is made: unsealed, anybody who reaches the server may have written it.
    if form not in _FORMS or not isinstance(replaces, int | float | None):
        raise ValueError(form, replaces)
    check_suffix(suffix)
    check_limits(limits)
    check_retry(retry)
    check_environment(dict(environment), inherit)
    return Task(
        run.key,
        command,
        _texts(data["arguments"]),
        storage,
        tenant=run.tenant,
        is_refresh=bool(data["refresh"]),
        replaces=replaces,
        limits=limits,
        environment=environment,
        inherit_env=inherit,
        retry=retry,
        secrets=_texts(data["secrets"]),
        suffix=suffix,
        form=form,
        name=run.job.name,
        version=run.job.version,
    )


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError(values)
    return tuple(values)
