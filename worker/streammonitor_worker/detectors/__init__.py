"""The detectors, a file each. `registry.py` finds them; a new detector is a new file."""
