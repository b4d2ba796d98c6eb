"""Files that a training leaves and its user names: found, read, and made into events.

- `paths`: which files, and when
- `formats`: what is in one, by its format
- `safetensors_format`: safetensors files, read without their library
"""
