"""4 cluster: all hosts as one, on NATS JetStream: a log with conditional writes, and a view of it in each process.

A web process has an `engine`, whose `desk` asks the cluster for runs; a `worker` makes them. Both are a `member`: they
hear the `log`, keep a `view`, and make `moves`. See `records` for what stands in the log.
"""

from workqueue.engines.cluster.engine import ClusterEngine

__all__ = ["ClusterEngine"]
