from pathlib import Path

import torch


def load_panels(folder):
    """Irradiance and yield of solar panels, one tensor per file."""
    panels = []
    for path in Path(folder).iterdir():
        rows = [[float(value) for value in line.split()] for line in path.read_text().splitlines()]
        panels.append(torch.tensor(rows))
    return panels
