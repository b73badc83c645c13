"""The config of a run as frozen values; `runtime.config_file` reads them from a YAML file."""

from rtdecode.schema.config.run import RunConfig

__all__ = ["RunConfig"]
