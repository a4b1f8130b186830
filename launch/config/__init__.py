"""One typed tree of configuration, read from YAML, changed with `--set key=value`."""

from launch.config.load import load_config, load_profile, resolve_file, to_yaml
from launch.config.tree import Config

__all__ = ["Config", "load_config", "load_profile", "resolve_file", "to_yaml"]
