"""Slow, plain NumPy definitions that tests hold the product against. They share no code with it but the layer lists."""

from __future__ import annotations

import numpy as np


def convolve(x: np.ndarray, weight: np.ndarray, stride, pad, groups: int) -> np.ndarray:
    """(channels, height, width) by (out, in / groups, kh, kw), one output at a time, in the type of x."""
    top, bottom, left, right = pad
    x = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    outputs, inputs, height, width = weight.shape
    rows = (x.shape[1] - height) // stride[0] + 1
    columns = (x.shape[2] - width) // stride[1] + 1
    y = np.zeros((outputs, rows, columns), dtype=x.dtype)
    per_group = outputs // groups
    for out in range(outputs):
        first = out // per_group * inputs
        for row in range(rows):
            for column in range(columns):
                r, c = row * stride[0], column * stride[1]
                y[out, row, column] = (x[first : first + inputs, r : r + height, c : c + width] * weight[out]).sum()
    return y


FLOAT_ACTIVATIONS = {
    "none": lambda y: y,
    "relu": lambda y: np.maximum(y, 0),
    "relu6": lambda y: np.minimum(np.maximum(y, 0), 6),
    "hard_sigmoid": lambda y: np.minimum(np.maximum(y + 3, 0), 6) / 6,
}


def float_network(network, x: np.ndarray) -> np.ndarray:
    """Logits of one clip (coefficients, frames) by a calibrated network, in float64."""
    values = {}
    for spec in network.specs:
        tensors = {}
        if spec.has_weights:
            layer = network.layers[spec.name]
            parts = ("weight", "gamma", "beta", "mean", "var", "bias")
            tensors = {p: getattr(layer, p).detach().double().numpy() for p in parts if getattr(layer, p) is not None}
        inputs = [values[name] for name in spec.inputs]
        if spec.kind == "input":
            y = x.astype(np.float64).reshape(spec.out_shape)
        elif spec.kind == "conv":
            y = convolve(inputs[0], tensors["weight"], spec.stride, spec.pad, spec.groups)
            per = {name: tensors[name][:, None, None] for name in ("gamma", "beta", "mean", "var")}
            y = (y - per["mean"]) / np.sqrt(per["var"] + 1e-5) * per["gamma"] + per["beta"]
        elif spec.kind == "add":
            y = inputs[0] + inputs[1]
        elif spec.kind == "pool":
            y = inputs[0].mean((1, 2), keepdims=True)
        elif spec.kind == "scale":
            y = inputs[0] * inputs[1]
        else:
            y = tensors["weight"] @ inputs[0].ravel() + tensors["bias"]
        values[spec.name] = FLOAT_ACTIVATIONS[spec.activation](y)
    return values[network.specs[-1].name]


def requantise(accumulator: int, multiplier: int, shift: int) -> int:
    """round(accumulator * multiplier / 2^shift), ties up, in Python's unbounded integers."""
    return (int(accumulator) * int(multiplier) + (1 << (int(shift) - 1))) >> int(shift)


def integer_network(network, features: np.ndarray) -> dict[str, np.ndarray]:
    """Stored integers of all layers for one clip (coefficients, frames) int8, from the definition."""
    values = {}
    for spec in network.specs:
        output = network.activations[spec.name]
        low, high = output.limits
        if spec.kind == "input":
            values[spec.name] = features.astype(object).reshape(spec.out_shape)
            continue
        layer = network.tensors[spec.name]
        inputs = [values[name] - network.activations[name].zero_point for name in spec.inputs]
        channels = spec.out_shape[0]
        if spec.kind == "add":
            first, second = (x * int(m) for x, m in zip(inputs, layer.multiplier, strict=True))
            shift = int(layer.shift[0])
            y = (first + second + (1 << (shift - 1))) // (1 << shift)
        else:
            if spec.kind == "pool":
                total, bias = inputs[0].sum((1, 2), keepdims=True), [0] * channels
            elif spec.kind == "scale":
                total, bias = inputs[0] * inputs[1], [0] * channels
            elif spec.kind == "conv":
                total, bias = (
                    convolve(inputs[0], layer.weight.astype(object), spec.stride, spec.pad, spec.groups),
                    layer.bias,
                )
            else:
                total, bias = layer.weight.astype(object) @ inputs[0].ravel(), layer.bias
            multiplier = np.broadcast_to(layer.multiplier, channels)
            shift = np.broadcast_to(layer.shift, channels)
            y = np.empty_like(total)
            for channel in range(channels):
                flat = np.ravel(total[channel])
                assert all(abs(value + int(bias[channel])) < 2**31 for value in flat)
                rounded = [requantise(v + int(bias[channel]), multiplier[channel], shift[channel]) for v in flat]
                y[channel] = np.array(rounded, dtype=object).reshape(np.shape(total[channel]))[()]
        low = low if spec.activation == "none" else output.zero_point
        values[spec.name] = np.clip(y + output.zero_point, low, high)
    return values
