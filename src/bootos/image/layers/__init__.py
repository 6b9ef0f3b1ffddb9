"""Layers: what is added to a built image without building it again. `core` is the one mechanism under all kinds."""
