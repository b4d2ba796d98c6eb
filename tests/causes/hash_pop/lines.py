LINES = {
    "harbor": ["market", "mill"], "market": ["harbor", "tower", "school"], "mill": ["harbor", "quarry"],
    "tower": ["market", "park"], "school": ["market", "park", "stadium"], "quarry": ["mill", "stadium"],
    "park": ["tower", "school", "airport"], "stadium": ["school", "quarry"], "airport": ["park"],
}  # fmt: skip


def number_stops(start):
    """Number the stops of the network as they are discovered."""
    numbers, frontier = {}, {start}
    while frontier:
        stop = frontier.pop()
        numbers[stop] = len(numbers)
        frontier |= {near for near in LINES[stop] if near not in numbers}
    return numbers
