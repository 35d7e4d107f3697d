"""What the kernel is asked for, in no stage of a request.

Files and descriptors: `locks`, `descriptors`, `own_files`, `poll`, `wake_pipe`. Threads and processes: `signals`,
`worker_thread`, and, of processes that fork, `forks` and `lost_threads`.
"""
