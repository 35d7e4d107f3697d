"""4 host: all processes of this host that share a storage act as one: one run per key among them.

The journal of a run, ``.jobs/<key>`` below the storage, is its lock, too. The process that holds the lock makes the
run, and writes there where it stands; the others read. The kernel frees the lock when nothing of the run is alive,
so there are no process numbers, leases or ages to go by.

`engine` is the engine, and `shared_task` one task of it. `record` is one thing that a journal says, `places` where in
it, `journal` the files, `lead` the right to write one, `reader` the reading, `following` what another process's says,
`follower` the thread that looks at them, `changes` what wakes it. `notices` is what any process tells all, `line` the
one line of all: which job waits at which place, and which may begin.

`ends` keeps how the last runs ended, and `picture` tells how things stand, for people: from the files alone, without a
part in any of it. `cancel` is a cancel by one that has none.
"""
