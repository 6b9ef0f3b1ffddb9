"""Published images: taken in whole or not at all, versions, the default, pins. The files lie in `<data>/images`."""
