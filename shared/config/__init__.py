"""Configuration: the environment's variables, or a secret of the vault, as validated frozen values.

Start with `table` (every setting, a row each; `setting` says what a row is), then `loader` (which place counts),
`documents` (shapes of JSON), `layers` (precedence) and `tenants`. Nothing here reads the environment or contacts
anybody.
"""

from shared.config.loader import config_secret_needed, load, relaxed, scale_out
from shared.config.setting import PREFIX, Level, Setting
from shared.config.table import SETTINGS

__all__ = ["PREFIX", "SETTINGS", "Level", "Setting", "config_secret_needed", "load", "relaxed", "scale_out"]
