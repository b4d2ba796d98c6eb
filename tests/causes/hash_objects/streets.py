class Junction:
    """A junction; two of the same name are the same."""

    def __init__(self, name, traffic):
        self.name, self.traffic = name, traffic

    def __eq__(self, other):
        return isinstance(other, Junction) and self.name == other.name

    def __hash__(self):
        return hash((type(self).__name__, self.name))

    def __repr__(self):
        return f"Junction({self.name!r})"


def town():
    """All junctions, and for each of them those that a road leads to."""
    names = ["alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper", "kapok", "larch"]
    junctions = [Junction(name, (7 * i * i + 3) % 23 / 10) for i, name in enumerate(names)]
    roads = {junction: set() for junction in junctions}
    for i, junction in enumerate(junctions):
        for other in (junctions[(i + 1) % 12], junctions[(i * 5 + 2) % 12]):
            roads[junction].add(other)
            roads[other].add(junction)
    return junctions, roads
