"""From a divergence to its causes: suspects from the ledgers, experiments that replay them, and what to write instead.

Nothing here looks into a training: each experiment is a run in a fresh process, and what it left is compared.
"""
