"""Configuration: the environment's variables, or a secret of the vault, as validated frozen values."""
