"""What lets the outside world into a run: intercept it, write it to a ledger, replay it, pin it, vary it."""
