"""4 host: one run per key among all processes of a host that share a storage.

A flight is one run of one key, whoever makes it. Its journal, ``.jobs/<key>`` below the storage, is lock and log at
once: who holds the lock makes the run, and writes there what it reports; the others read. The kernel frees the lock
when nothing of the run is alive, so there are no numbers of processes, no leases and no ages to go by.

`record` is one line of a journal, `journal` the files, `following` what another process's says, `follower` the thread
that looks at them, `changes` what wakes it, `notices` what any process tells all, `slots` how many run on the host.
"""
