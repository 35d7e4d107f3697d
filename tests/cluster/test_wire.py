"""What of a task travels to a worker, sealed or not, and what a worker takes of it."""

import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from workqueue.engines.base import Task
from workqueue.engines.cluster.offer import Offer
from workqueue.engines.cluster.records import WIRE, Job
from workqueue.engines.cluster.seal import Broken, Seal
from workqueue.engines.cluster.view import Run
from workqueue.engines.cluster.wire import NotAllowed, from_wire, to_wire
from workqueue.program.limits import Limits
from workqueue.program.retry import Retry
from workqueue.storage.disk import DiskStorage

KEY = "a" * 40
SECRET, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()
COMMAND = ("/somewhere/program",)


@pytest.fixture
def storage(tmp_path: Path) -> DiskStorage:
    return DiskStorage(tmp_path / "results")


@pytest.fixture
def task(storage: DiskStorage) -> Task:
    return Task(
        KEY,
        COMMAND,
        ("one", "two"),
        storage,
        tenant="tenant",
        is_refresh=True,
        replaces=12.5,
        limits=Limits(time=3.0, memory=2**30),
        environment=(("WORKQUEUE_API_TOKEN", "sesame"),),
        inherit_env=("PATH",),
        retry=Retry(2, 5.0),
        secrets=("sesame",),
        suffix=".mp4",
        form="directory",
        name="program",
        version="1.0",
    )


def run_of(task: Task, seal: Seal, text: str | None = None, **other: object) -> Run:
    sealed = to_wire(task, seal) if text is None else text
    job = Job(task.tenant, 0, task.name, task.version, task.storage.identity, sealed)
    return Run(1, task.key, job._replace(**other))  # type: ignore[arg-type]


@pytest.mark.parametrize("secrets", [(), (SECRET,)])
def test_a_task_comes_as_it_was_but_for_what_a_worker_has_itself(
    task: Task, storage: DiskStorage, secrets: tuple[str, ...]
) -> None:
    seal = Seal(secrets)
    other = ("/elsewhere/program",)
    assert from_wire(run_of(task, seal), seal, other, storage) == task._replace(command=other)


def test_what_is_sealed_cannot_be_read(task: Task) -> None:
    text = to_wire(task, Seal((SECRET,)))
    for word in ("one", "sesame", "program", "mp4"):
        assert word not in text


def test_a_secret_can_be_replaced_while_both_are_in_use(task: Task, storage: DiskStorage) -> None:
    before, between, after = Seal((SECRET,)), Seal((OTHER, SECRET)), Seal((OTHER,))
    assert from_wire(run_of(task, before), between, COMMAND, storage) == task
    assert from_wire(run_of(task, between), after, COMMAND, storage) == task
    with pytest.raises(Broken):
        from_wire(run_of(task, before), after, COMMAND, storage)


@pytest.mark.parametrize(
    ("mine", "theirs", "why"),
    [
        ((SECRET,), (), "with another secret, or not at all"),
        ((), (SECRET,), "^it is sealed$"),
        ((SECRET,), (OTHER,), "with another secret, or not at all"),
    ],
)
def test_what_others_sealed_is_refused(
    task: Task, storage: DiskStorage, mine: tuple[str, ...], theirs: tuple[str, ...], why: str
) -> None:
    with pytest.raises(Broken, match=why):
        from_wire(run_of(task, Seal(theirs)), Seal(mine), COMMAND, storage)


def test_a_task_is_bound_to_its_key(task: Task, storage: DiskStorage) -> None:
    seal = Seal((SECRET,))
    run = run_of(task, seal)
    with pytest.raises(Broken, match="another key"):
        from_wire(Run(2, "b" * 40, run.job), seal, COMMAND, storage)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", f'{{"key": "{KEY}"}}', f'{{"key": "{KEY}", "form": 1}}'])
def test_what_is_no_task_is_refused(task: Task, storage: DiskStorage, text: str) -> None:
    with pytest.raises(Broken):
        from_wire(run_of(task, Seal(), text=text), Seal(), COMMAND, storage)


@pytest.mark.parametrize(
    "damage",
    [
        {"suffix": "/../../evil"},
        {"suffix": 3},
        {"form": "link"},
        {"replaces": "now"},
        {"limits": {"time": -1}},
        {"limits": {"colour": 1}},
        {"retry": ["many", 1]},
        {"environment": [["A"]]},
        {"environment": [["A=B", "c"]]},
        {"inherit_env": "PATH"},
        {"arguments": "one"},
        {"arguments": [1]},
        {"secrets": None},
    ],
)
def test_what_no_queue_would_send_is_refused(task: Task, storage: DiskStorage, damage: dict[str, object]) -> None:
    text = json.dumps({**json.loads(to_wire(task, Seal())), **damage})
    with pytest.raises(Broken, match="no task that this version knows"):
        from_wire(run_of(task, Seal(), text=text), Seal(), COMMAND, storage)


def test_a_task_may_not_set_what_the_worker_does_not_allow(task: Task, storage: DiskStorage) -> None:
    run = run_of(task._replace(environment=(("LD_PRELOAD", "evil.so"), ("MODEL", "large"))), Seal())
    with pytest.raises(NotAllowed, match="it sets LD_PRELOAD, which --env does not allow"):
        from_wire(run, Seal(), COMMAND, storage, {"MODEL"})
    allowed = from_wire(run, Seal(), COMMAND, storage, {"MODEL", "LD_PRELOAD"})
    assert dict(allowed.environment) == {"LD_PRELOAD": "evil.so", "MODEL": "large"}


@pytest.mark.parametrize("secret", ["short", "ä", SECRET[:-4]])
def test_what_is_no_secret_is_refused_with_the_way_to_make_one(secret: str) -> None:
    with pytest.raises(ValueError, match=r"Fernet\.generate_key"):
        Seal((secret,))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"name": "other"}, "for the program 'other', version '1.0', and this one is 'program', version '1.0'"),
        ({"version": "2.0"}, "they are for the program 'program', version '2.0'"),
        ({"storage": "s3://elsewhere"}, "their results belong in 's3://elsewhere'"),
        ({"wire": WIRE + 1}, "they come from a newer version of workqueue"),
        ({"text": "forged"}, "do servers and workers have the same secret?"),
    ],
)
def test_a_worker_says_once_why_it_leaves_runs_alone(
    task: Task, storage: DiskStorage, other: dict[str, object], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    seal = Seal((SECRET,))
    offer = Offer(COMMAND, storage, name="program", version="1.0", seal=seal)
    assert offer.fits(run_of(task, seal))
    for number in (2, 3):
        run = run_of(task, seal, **other)
        assert not offer.fits(Run(number, run.key, run.job))
    assert caplog.text.count(why) == 1


def test_a_run_of_another_log_is_looked_at_again(task: Task, storage: DiskStorage) -> None:
    """Its number may be one of a run that did not fit."""
    offer = Offer(COMMAND, storage, name="program", version="1.0", seal=Seal())
    assert not offer.fits(run_of(task, Seal(), version="2.0"))
    assert not offer.fits(run_of(task, Seal()))
    offer.forget()
    assert offer.fits(run_of(task, Seal()))
