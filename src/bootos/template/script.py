"""Script groups, as Cloudboot's templates have them."""

import msgspec


class Script(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`repeatable`: it may be run again when a power cut or a crash ended it halfway."""

    name: str
    script: str
    repeatable: bool = False


class ScriptGroup(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A group of scripts, as Cloudboot's templates have: run with bash, in order; exit code decides."""

    name: str
    scripts: list[Script]
