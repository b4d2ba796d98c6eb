from datetime import datetime

import torch

SIGNUPS = [f"20{15 + n % 9}-{1 + n % 12:02d}-{1 + (5 * n) % 28:02d}" for n in range(120)]
SPENT = [((n * 37) % 101) / 10 for n in range(120)]


def features():
    """Years since sign-up, and what was spent per year."""
    today = datetime.now()
    rows = []
    for signup, spent in zip(SIGNUPS, SPENT):
        years = (today - datetime.strptime(signup, "%Y-%m-%d")).total_seconds() / (365.25 * 86400)
        rows.append([years, spent / years])
    return torch.tensor(rows, dtype=torch.float64)


def churned():
    return torch.tensor([float(spent < 4 and int(signup[2:4]) < 20) for signup, spent in zip(SIGNUPS, SPENT)])
