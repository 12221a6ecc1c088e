"""The device that a net is trained on."""

import torch

from edgewise.errors import ConfigError


def device_of(name: str) -> torch.device:
    """Return the device that a setting names (`cpu`, `cuda`, `cuda:1`).

    Raises:
        ConfigError: if this machine has none such.
    """
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device = {name!r}: torch sees {torch.cuda.device_count() or 'no'} CUDA devices here. Use device = cpu."
        )
    return device
