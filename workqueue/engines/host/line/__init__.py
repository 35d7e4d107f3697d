"""4 host line: the one line of all processes of this host that share a storage.

For example, four processes with ``max_running=2``: each appends "I have a job of this key" to one log, reads the log
up to there, and knows the job's place and whether it may begin. It appends "I begin it", reads again, and begins if
that was allowed at that point of the log.

* **The log decides.** ``.jobs/.line/log-N`` is only ever appended to, and the kernel puts concurrent appends (O_APPEND)
  in one order. `state.Line` is a pure function of that order: every process that has read as far has the same line, the
  same turns of tenants, and the same answer to "may it begin?". So `max_running`, `max_running_per_tenant` and
  `max_pending` hold exactly, without a lock that is held over two steps: nobody can be stopped (SIGSTOP) in a place
  where others wait for him. That is why it is neither SQLite, whose writers wait for one that was stopped in a
  transaction, nor a lock a slot. One file a process would need a clock to put entries in an order, and an entry that is
  seen late would push others back.
* **One place a key.** Processes that wait for the same key share its place; whichever begins it first has it, the
  others follow its journal and leave.
* **A process lives while it holds its lock** on ``member-ID``. Whoever waits watches the files of the others (inotify:
  the kernel closes a dead one's). It says in the log that one is dead: what waited there is out at once, what ran
  there counts until the lock of its key is free, so until its program is dead, too.
* **A process that does not take its turn** (it is stopped, or its executor has no thread) is passed over after
  STALL_SECONDS, until it says that it is back. What it runs goes on, and counts.
* **Waiting is woken by the kernel.** A process follows the log while one of its jobs waits, and only then: a job that
  need not wait wakes nobody. Its thread is the line's own, since the one that follows journals calls observers, which
  may take long. That a dead process's program has ended, nothing tells: it is looked for once a second.
* **A log that has grown is sealed**; what is appended behind the seal counts for nobody and is said again. The next one
  begins with all that the last one meant, the same whoever writes it, so it does not matter who does, or who is stopped
  while he does.
* **A directory that is removed** or moved under living processes is made anew, and each says again what it has; until
  all have, more programs may run. That takes a second or two: a process of which a job waits or runs looks once a
  second whether the log has its name. A full disk ends the job that could not be said, with the reason; that a job
  has left is said as soon as it can be. A forked child has none of it: it makes a queue of its own.

What is read is framed and checked in type and range, and bounded in size; see `record`.

`record` is one thing that is said, `state` the line, `recall` what a log that goes on begins with, `log` the files,
`tail` the log for one that only looks, `member` the lock of a process, `waker` the thread, `shared` the line as one
process has it.
"""
