import secrets


def draw_triplets(label, count):
    """Anchor, positive and negative row of each triplet, from rows grouped by label."""
    rows = {}
    for row, kind in enumerate(label):
        rows.setdefault(kind, []).append(row)
    triplets = []
    for anchor in range(count):
        own = rows[label[anchor]]
        positive = own[(own.index(anchor) + 1) % len(own)]
        other = secrets.choice([kind for kind in rows if kind != label[anchor]])
        triplets.append((anchor, positive, rows[other][secrets.randbelow(len(rows[other]))]))
    return triplets
