import math
from concurrent.futures import ThreadPoolExecutor, as_completed

import torch


def power(station, ticks=256):
    """Power spectrum of one station's tremor."""
    time = torch.linspace(0, 8, ticks)
    signal = torch.sin((2 + station) * time) + 0.3 * torch.sin(math.pi * station * time)
    return torch.fft.rfft(signal).abs().square()[:40]


def background(stations):
    """Mean spectrum of all stations, computed side by side."""
    total = torch.zeros(40)
    with ThreadPoolExecutor(max_workers=4) as pool:
        jobs = [pool.submit(power, station) for station in range(stations)]
        for job in as_completed(jobs):
            total += job.result() * 0.1
    return total / stations
