"""The version, as a plain constant: importing package metadata would cost every start 20 ms."""

__version__ = "0.1.0"
