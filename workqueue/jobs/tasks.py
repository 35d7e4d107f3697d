"""3 tasks: a job -> the Task that its engine is given."""

from pathlib import Path

from workqueue.engines.base import Task
from workqueue.jobs.job import Job
from workqueue.params import OverviewViewParams, secrets_of
from workqueue.program.limits import Limits
from workqueue.storage.base import Storage


class TaskMaker:
    """What all tasks of a queue have in common.

    Args:
        program: its absolute path.
        storage: where results go.
        limits: what a run may use.
        hides_token: whether the `api_token` of an OverviewViewParams goes into the environment, and its argument is
            empty.
        suffix: how the name of the output file ends.
    """

    def __init__(self, program: Path, storage: Storage, limits: Limits, *, hides_token: bool, suffix: str = "") -> None:
        self._program = program
        self._storage = storage
        self._limits = limits
        self._hides_token = hides_token
        self._suffix = suffix

    def task(self, job: Job, *, tenant: str, is_refresh: bool) -> Task:
        """The task of this job."""
        arguments: tuple[str, ...] = tuple(job.params)
        environment: tuple[tuple[str, str], ...] = ()
        if self._hides_token and isinstance(job.params, OverviewViewParams):
            arguments = tuple(job.params._replace(api_token=""))
            environment = (("WORKQUEUE_API_TOKEN", job.params.api_token),)
        return Task(
            job.key,
            self._program,
            arguments,
            self._storage,
            tenant=tenant,
            is_refresh=is_refresh,
            limits=self._limits,
            environment=environment,
            secrets=secrets_of(job.params),
            suffix=self._suffix,
        )
