"""What only Cloudboot v1 needs of the server."""
