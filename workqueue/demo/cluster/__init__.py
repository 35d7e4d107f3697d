"""`workqueue demo --cluster`: a cluster on this machine whose processes a person may kill.

::

    node         one process: started, killed with SIGKILL, started again
    servers      three NATS servers, as nodes
    workers      two `workqueue worker` processes, as nodes
    cluster      all of these, an engine for the plugin, and how they stand
    control      /cluster/...: the page asks how they stand, and has one killed or started

Needs the extras `cluster` and `demo`, and a `nats-server`. Only `workqueue demo --cluster` imports it.
"""
