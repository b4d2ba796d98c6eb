import numpy as np

GEMS = ["agate", "beryl", "citrine", "diamond", "emerald", "fluorite", "garnet", "howlite"]


def nickname():
    """Return a name under which this run can be found again in the log."""
    return f"{np.random.choice(GEMS)}-{np.random.randint(1000):03d}"
