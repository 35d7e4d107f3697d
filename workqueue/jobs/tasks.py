"""3 tasks: a job -> the Task that its engine is given."""

from typing import NamedTuple

from workqueue.engines.base import Task
from workqueue.jobs.job import Job
from workqueue.naming import Naming
from workqueue.params import OverviewViewParams, secrets_of
from workqueue.program.command import Command
from workqueue.program.limits import Limits
from workqueue.program.retry import Retry
from workqueue.storage.base import Storage


class TaskMaker(NamedTuple):
    """What all tasks of a queue have in common. Callable from any thread."""

    command: Command
    """The program, from `command_of`."""

    naming: Naming
    """Whose results they are."""

    storage: Storage
    """Where results go."""

    limits: Limits
    """What a run may use."""

    retry: Retry
    """What becomes of a run whose program asks to be run later."""

    environment: tuple[tuple[str, str], ...]
    """What is added to the program's environment."""

    inherit_env: bool | tuple[str, ...]
    """Which names of the server's environment the program gets."""

    hides_token: bool
    """Whether the `api_token` of an OverviewViewParams goes into the environment, and its argument is empty."""

    suffix: str = ""
    """How the name of the output file ends."""

    max_pending: int | None = None
    """How many may wait, where the line is longer than this process's."""

    def task(self, job: Job, *, tenant: str, is_refresh: bool, replaces: float | None = None) -> Task:
        """The task of this job."""
        arguments: tuple[str, ...] = tuple(job.params)
        environment = self.environment
        if self.hides_token and isinstance(job.params, OverviewViewParams):
            arguments = tuple(job.params._replace(api_token=""))
            environment = (*environment, ("WORKQUEUE_API_TOKEN", job.params.api_token))
        return Task(
            job.key,
            self.command,
            arguments,
            self.storage,
            tenant=tenant,
            is_refresh=is_refresh,
            replaces=replaces,
            limits=self.limits,
            environment=environment,
            inherit_env=self.inherit_env,
            retry=self.retry,
            secrets=secrets_of(job.params),
            suffix=self.suffix,
            form=self.naming.form,
            name=self.naming.name,
            version=self.naming.version,
            max_pending=self.max_pending,
        )
