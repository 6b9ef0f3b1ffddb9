"""What only Cloudboot v1 needs of the server: for existing agents and installers. `wire.cloudboot_v1` is its wire.

Entry is `api.build_legacy_handler`; the calls are methods of `call` and `query`, every answer goes through
`answer.render`. What changes a machine or a job is the rest of the server's (`operation`).
"""
