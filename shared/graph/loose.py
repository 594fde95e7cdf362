"""JSON values from Graph, believed only so far as they are of the right type. Pure."""


def text(raw: object) -> str:
    """The text, "" for anything else."""
    return raw if isinstance(raw, str) else ""


def objects(raw: object) -> list[dict[str, object]]:
    """The objects in a list, none for anything else."""
    return [entry for entry in raw if isinstance(entry, dict)] if isinstance(raw, list) else []
