"""What agent and server say to each other: the inventory, protocol v2, and Cloudboot v1."""
