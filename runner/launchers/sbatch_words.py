"""Words for what reads them: the lines of a job script that Slurm, not a shell, takes."""

from sixnd.specs.errors import SixndError


def directive(name: str, value: object = None) -> str:
    """A line ``#SBATCH --name="value"``; raises ``SixndError`` for what such a line cannot hold."""
    if value is None:
        return f"#SBATCH --{name}"
    text = str(value)
    if any(character in text for character in "\n\r\0"):
        raise SixndError(f"Slurm cannot be given a line break, as --{name} would have: {text!r}", "take it out")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'#SBATCH --{name}="{escaped}"'


def log_path(folder: str, name: str) -> str:
    """A log's path for ``--output``: of the folder every ``%`` is itself, of the name a pattern of Slurm."""
    return f"{folder.replace('%', '%%')}/{name}"
