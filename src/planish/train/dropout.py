"""What a model leaves out by chance while it is trained."""

from torch import nn


def without_own_dropout(network: nn.Module) -> None:
    """Switch off the dropout of the model itself, which the reference is read without; that of its LoRA stays as set.

    Some of it is in modules; the rest are shares that an attention, or a layer, keeps among its attributes.
    """
    for name, module in network.named_modules():
        if "lora_" in name:
            continue
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        shares = [key for key, value in vars(module).items() if "drop" in key and isinstance(value, float)]
        for key in shares:
            setattr(module, key, 0.0)
