"""Start recorded runs: in this process as Python would, or in fresh ones that are watched."""
