"""The folder that is on PYTHONPATH when a Python program starts which a recorded process has started."""
