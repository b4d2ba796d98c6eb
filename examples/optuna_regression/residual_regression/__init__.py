"""Multi-target regression by a residual network: data, model, and the training that a search and a re-run share."""
