"""Find files that a training leaves and its user names, and record what they hold.

- `paths`: which files, and when
- `formats`: what is in one, by its format
- `safetensors_format`: safetensors files, read without their library
"""
