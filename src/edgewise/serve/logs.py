"""Logs of the service; see `edgewise.logs`, which what stands beside the service writes to as well."""

from edgewise.logs import log, start_logs

__all__ = ["log", "start_logs"]
