"""Is a run of a cluster lost, or told wrongly, when workers and NATS servers are killed, or stand still?

For each seed three processes ask for the same runs, of which three workers make two at a time; with one server, which
is killed once; and with three, of which each is killed, the leader twice, all at once, and the leader stands still.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.storm import Storm

N_KILLS = 6

#: How far apart they are, in seconds.
APART = 2.0


def one_server(storm: Storm) -> None:
    """Workers, and the server in the middle of it."""
    for number in range(N_KILLS):
        storm.harm_worker(APART)
        if number == N_KILLS // 2:
            storm.kill_servers(0)


def three_servers(storm: Storm) -> None:
    """Each server, whoever leads, a worker."""
    for node in range(3):
        storm.kill_servers(node)
        storm.harm_worker(APART)
    storm.kill_leader()
    storm.harm_worker(APART)
    storm.kill_leader()


def all_servers(storm: Storm) -> None:
    """All at once, and then whoever leads stands still for a while."""
    storm.harm_worker(APART)
    storm.kill_servers(0, 1, 2)
    storm.harm_worker(APART)
    storm.stop_leader(12.0)


SCENES: dict[str, tuple[int, Callable[[Storm], None]]] = {
    "one server": (1, one_server),
    "three servers": (3, three_servers),
    "three servers at once": (3, all_servers),
}


def kill_in_cluster(n_jobs: int, seeds: range, scenes: list[str]) -> bool:
    """Run each scene for each seed; print a line for each, and return whether anything is wrong."""
    is_wrong = False
    print(f"{'cluster':30} {'seed':>4} {'ends':>6} {'again':>6} {'seconds':>7}  wrong", flush=True)
    for name in scenes:
        n_nodes, scene = SCENES[name]
        for seed in seeds:
            with tempfile.TemporaryDirectory() as directory:
                said: list[str] = []
                with Storm(Path(directory), seed, n_jobs, n_nodes=n_nodes, lease=3.0, say=said.append) as storm:
                    storm.ask()
                    scene(storm)
                    storm.finish()
            counts, wrong = storm.counts, dict(+storm.wrong)
            is_wrong |= bool(wrong)
            figures = f"{counts['ends']:6} {counts['begun again']:6} {counts['seconds']:7}"
            print(f"{name:30} {seed:4} {figures}  {wrong or 'nothing'}", flush=True)
            if wrong:
                print("    " + "\n    ".join(said), flush=True)
    return is_wrong
