"""Where work on groups of shards runs: in processes of this machine, or on a Ray cluster."""
