"""The weights of one network in a file."""

import pytest
import torch

from supernet.errors import InvalidCheckpoint
from supernet.families import family
from supernet.nn.network import Network, recalibrate
from supernet.nn.store import load_network, save_network
from supernet.space import default_space


@pytest.mark.parametrize("name", family.names)
def test_a_network_survives_the_disk(name, tmp_path):
    arch = default_space(name, 4, 400).smallest()
    network = Network(arch, 3)
    features = torch.randn(8, arch.features.coefficients, arch.frames, generator=torch.Generator().manual_seed(0))
    save_network(tmp_path / "network.safetensors", network)
    found = load_network(tmp_path / "network.safetensors")
    assert found.arch == arch
    assert torch.equal(recalibrate(found, features).eval()(features), recalibrate(network, features).eval()(features))


def test_what_is_no_network_is_refused(tmp_path):
    (tmp_path / "network.safetensors").write_bytes(b"nothing")
    with pytest.raises(InvalidCheckpoint, match=r"network\.safetensors"):
        load_network(tmp_path / "network.safetensors")
