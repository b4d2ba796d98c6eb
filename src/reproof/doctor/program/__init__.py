"""A script as a program: its files, names, types, and where its values go. Nothing of it is imported or run.

Read from bottom to top: `sources` reads files, `scopes` and `names` tell what names stand for, `inference` and
`constants` what values are, `flow` and the builders on it (`expressions`, `calls`, `statements`) where they go, as a
`graph`; `reading` is all of it together.
"""
