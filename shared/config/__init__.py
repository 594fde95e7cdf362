"""Configuration: the environment's variables, or a secret of the vault, as validated frozen values.

Start with `table` (every setting, a row each), then `loader` (which place counts), `documents` (shapes of JSON),
`layers` (precedence) and `tenants`. Nothing here reads the environment or contacts anybody.
"""

from shared.config.loader import config_secret_needed, load, relaxed, scale_out
from shared.config.table import PREFIX, SETTINGS, Level, Setting

__all__ = ["PREFIX", "SETTINGS", "Level", "Setting", "config_secret_needed", "load", "relaxed", "scale_out"]
