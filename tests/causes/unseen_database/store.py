"""Bookings of a hotel in a database in memory."""

import sqlite3

import torch


class Bookings:
    """Nights that are asked for, and what was paid."""

    def __init__(self, count):
        generator = torch.Generator().manual_seed(61)
        nights = torch.randint(1, 8, (count,), generator=generator).tolist()
        self.database = sqlite3.connect(":memory:")
        self.database.execute("CREATE TABLE booking (id INTEGER PRIMARY KEY, nights REAL, weekend REAL, paid REAL)")
        rows = [(n / 7, i % 3 / 2, n / 7 * (0.6 + i % 3 / 5)) for i, n in enumerate(nights)]
        self.database.executemany("INSERT INTO booking (nights, weekend, paid) VALUES (?, ?, ?)", rows)

    def __len__(self):
        return self.database.execute("SELECT count(*) FROM booking").fetchone()[0]

    def epoch(self, size):
        """All bookings, mixed, in batches."""
        rows = self.database.execute("SELECT nights, weekend, paid FROM booking ORDER BY random()").fetchall()
        for start in range(0, len(rows), size):
            batch = torch.tensor(rows[start : start + size])
            yield batch[:, :2], batch[:, 2:]
