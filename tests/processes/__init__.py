"""Several processes with queues over one storage, and any of them may be killed."""
