"""4 local: threads of this process run the tasks.

`engine` is the engine, `lineup` knows which task is next and how many are ahead of each, `run` is one task, and
`at_exit` closes the engines that nobody closed.
"""
