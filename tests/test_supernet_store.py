"""The weights of one network in a file."""

import shutil

import numpy as np
import pytest
import torch

from supernet.errors import InvalidCheckpoint
from supernet.families import family
from supernet.files import digest, load_tensors, read_json, save_tensors, write_json
from supernet.nn.network import Network, recalibrate
from supernet.nn.store import load_network, load_supernet, save_network
from supernet.space import default_space
from zoo.hubs.folder import BUNDLED


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
    place, arch = tmp_path / "network.safetensors", default_space("temporal", 4, 400).smallest()
    save_network(place, Network(arch, 3))
    tensors, about = load_tensors(place)
    name = next(name for name, array in tensors.items() if array.shape[0] > 1)
    for wrong, stated in (
        ({key: array for key, array in tensors.items() if key != name}, about),
        ({**tensors, name: tensors[name][:1]}, about),  # PyTorch would repeat it
        ({**tensors, "more": tensors[name]}, about),
        (tensors, {}),
        (tensors, None),
    ):
        save_tensors(place, wrong, stated)
        with pytest.raises(InvalidCheckpoint, match=r"network\.safetensors"):
            load_network(place)
    place.write_bytes(b"nothing")
    with pytest.raises(InvalidCheckpoint, match=r"network\.safetensors"):
        load_network(place)


@pytest.mark.parametrize("wrong", [np.s_[:0], np.s_[:, :1], np.s_[:, :, 1:], np.s_[0]])
def test_calibration_of_other_shapes_is_refused(tmp_path, wrong):
    """Whatever digests say."""
    place = shutil.copytree(BUNDLED / "supernets" / "esc10-mbconv", tmp_path / "esc10")
    config, file = read_json(place / "config.json"), "calibration.safetensors"
    save_tensors(place / file, {"features": load_tensors(place / file)[0]["features"][wrong]}, None)
    config["digests"][file] = digest((place / file).read_bytes())
    write_json(place / "config.json", config)
    with pytest.raises(InvalidCheckpoint, match="calibration has shape"):
        load_supernet(place, "esc10")
