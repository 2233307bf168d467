import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models
from explorer.training.seeds.network import VectorisedNetwork, obstacle

SEEDS = 3
ARCHITECTURES = {
    "softmax": ("mlp", {"hidden": []}),
    "mlp": ("mlp", {"hidden": [12, 7], "dropout": 0.3, "batch_norm": True, "activation": "elu"}),
    "lenet": ("lenet", {"features": [3, 4], "dense": 9, "dropout": 0.5, "pooling": "average"}),
    "cnn": ("cnn", {"width": 0.5, "extra_conv": True}),
    "no dense": ("cnn", {"width": 0.5, "leave_out": "dense"}),
    "norm first": ("cnn", {"width": 0.5, "leave_out": "conv1", "after_first": "batch-norm"}),
}


@pytest.fixture(params=ARCHITECTURES)
def singles(request):
    """Networks of one architecture with different weights and statistics, in double precision."""
    torch.manual_seed(3)
    name, options = ARCHITECTURES[request.param]
    networks = [models.build(name, options).double().to(memory_format=torch.channels_last) for _ in range(SEEDS)]
    for network in networks:
        network(torch.randn(20, 1, 28, 28, dtype=torch.float64))
    return networks


def stack(networks):
    stacked = VectorisedNetwork(networks[0], len(networks))
    for index, network in enumerate(networks):
        stacked.load(index, network.state_dict())
    return stacked


def reseed(index):
    torch.manual_seed(100 + index)


def test_evaluates_like_each_single_network(singles):
    stacked = stack(singles).eval()
    images = torch.randn(5, SEEDS, 1, 28, 28, dtype=torch.float64)
    own, shared = stacked.learn(images, reseed).permute(2, 0, 1), stacked(images[:, 0])
    assert own.shape == shared.shape == (5, SEEDS, 10)
    for index, network in enumerate(singles):
        network.eval()
        torch.testing.assert_close(own[:, index], network(images[:, index]), rtol=0, atol=1e-12)
        torch.testing.assert_close(shared[:, index], network(images[:, 0]), rtol=0, atol=1e-12)


def test_masks_gradients_and_statistics_are_those_of_each_single_network(singles):
    stacked = stack(singles).train()
    images = torch.randn(6, SEEDS, 1, 28, 28, dtype=torch.float64)
    truth = torch.arange(6)
    logits = stacked.learn(images, reseed).permute(2, 0, 1).requires_grad_()
    assert logits.is_leaf
    sum(F.cross_entropy(logits[:, index], truth) for index in range(SEEDS)).backward()
    stacked.backward(logits.grad.permute(1, 2, 0))
    gradients = stack(singles)
    for parameter, source in zip(gradients.parameters(), stacked.parameters(), strict=True):
        parameter.data.copy_(source.grad)
    for index, network in enumerate(singles):
        reseed(index)
        expected = network(images[:, index].contiguous())
        torch.testing.assert_close(logits[:, index], expected, rtol=0, atol=1e-12)
        F.cross_entropy(expected, truth).backward()
        found = gradients.single(index)
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(found[name], parameter.grad, rtol=0, atol=1e-12)
        for name, buffer in network.named_buffers():
            torch.testing.assert_close(stacked.single(index)[name], buffer, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 2, 48, 64])
@pytest.mark.parametrize("channels", [1, 5])
def test_masks_on_maps_have_the_single_networks_bits(batch, channels):
    """Also where a map's order in memory could be taken for another: one channel, one image."""

    def network():
        layers = nn.Conv2d(1, channels, 5), nn.Dropout(0.5), nn.Dropout2d(0.5), nn.Flatten(), nn.Dropout(0.5)
        return nn.Sequential(*layers, nn.Linear(channels * 576, 4)).to(memory_format=torch.channels_last)

    networks = [network() for _ in range(2)]
    stacked = stack(networks).train()
    seen = []
    stacked.tail[0].register_forward_hook(lambda _layer, _values, output: seen.append(output.detach()))
    images = torch.randn(2, batch, 1, 28, 28)
    stacked.learn(images.transpose(0, 1), reseed)
    for index, single in enumerate(networks):
        reseed(index)
        assert torch.equal(seen[0][index].t(), single[:5](images[index]))


def test_without_reseeding_the_networks_draw_different_masks():
    networks = [models.build("mlp", {"dropout": 0.5})] * 2
    stacked = stack(networks).train()
    logits = stacked(torch.randn(4, 1, 28, 28))
    assert not torch.equal(logits[:, 0], logits[:, 1])
    evaluated = stacked.eval()(torch.ones(4, 1, 28, 28))
    torch.testing.assert_close(evaluated[:, 0], evaluated[:, 1])


def test_weights_come_back_as_they_went_in(singles):
    stacked = stack(singles)
    copied = VectorisedNetwork(singles[0], SEEDS)
    copied.load_state_dict(stacked.state_dict())
    for index, network in enumerate(singles):
        expected, found = network.state_dict(), copied.single(index)
        assert expected.keys() == found.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_weights_of_another_architecture_are_refused():
    stacked = VectorisedNetwork(models.build("mlp", {}), 2)
    with pytest.raises(ValueError, match="expected"):
        stacked.load(0, models.build("mlp", {"batch_norm": True}).state_dict())


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (models.build("resnet", {}), "ResidualBlock"),
        (nn.Linear(784, 10), "not a plain sequence"),
        (nn.Sequential(nn.Conv2d(1, 10, 28)), "flatten"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 4), nn.Softmax(1)), "Softmax"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 4, bias=False)), "without a bias"),
        (nn.Sequential(nn.Flatten(), nn.AlphaDropout(), nn.Linear(784, 4)), "AlphaDropout"),
    ],
)
def test_what_cannot_be_stacked_says_why(network, words):
    assert words in obstacle(network)
    with pytest.raises(ValueError, match=words):
        VectorisedNetwork(network, 2)
