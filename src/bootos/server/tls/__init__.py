"""By which certificate clients know this server: its own authority, or what the site made. Lies in `<data>/tls`."""
