"""What the kernel is asked for, in no stage of a request: `locks`, `descriptors`, `poll`, `signals`, `own_files`."""
