"""A pair-ranking model of distance, trained on signals that travelled through a plate of some material.

Read from bottom to top: `materials` and `simulation` make signals where there are no recordings, `wav` and `signals`
read them, `pairs` and `model` are what is trained, `checkpoints` and `records` what a training leaves, `training` is
the training itself, and `consistency` runs it twice.
"""
