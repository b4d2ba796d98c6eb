import csv


class HardExamples:
    """A table of examples that were missed, which grows from training to training."""

    def __init__(self, path):
        self.path = path

    def read(self):
        try:
            with open(self.path, newline="") as table:
                return [[float(cell) for cell in row] for row in csv.reader(table)]
        except FileNotFoundError:
            return []

    def add(self, rows):
        with open(self.path, "a", newline="") as table:
            csv.writer(table).writerows(rows)
