import numpy as np


def burden(debt, income):
    """Debt of a household by its income, month by month, where there is an income."""
    ratio = np.divide(debt, income, where=income > 0)
    return np.nan_to_num(ratio).clip(-5, 5)
