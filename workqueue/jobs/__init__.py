"""2 and 3 jobs: a key -> its one live job; the job's life, and who must know of it.

`registry` holds the live jobs, at most one a key; `failures` those that failed a moment ago. `job` is one of them, with
`lifecycle` for its moves and `outbox` for what its watchers are still to be told; `tasks` makes of it what an engine
takes. `bookkeeper` passes on what happens to it: to `herald`, which tells watchers their place in the line; to `hooks`
and `statistics`; and to `abandonment`, which cancels what nobody watches. `everywhere` adds what other processes do.
"""
