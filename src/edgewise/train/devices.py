"""The device that a net is trained on."""

import torch

from edgewise.errors import ConfigError


def device_of(name: str) -> torch.device:
    """Return the device that a setting names.

    Raises:
        ConfigError: if torch knows no such device, or this machine has none.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device = {name!r}: expected cpu or cuda (cuda:1 for the second).") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device = {name!r}: torch sees no CUDA device here. Use device = cpu.")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device = {name!r}: expected cpu or cuda.")
    return device
