"""What lies on the disks, read once. Driver folders import it, and it imports none of them."""
