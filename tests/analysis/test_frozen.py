import pytest
import torch
from torch import nn

from explorer.analysis.frozen import evaluation_model, frozen_copy, placement


def test_a_copy_shares_weights_but_no_module(classifier):
    duplicate = frozen_copy(classifier)
    assert {id(m) for m in duplicate.modules()}.isdisjoint(id(m) for m in classifier.modules())
    for ours, theirs in zip(duplicate.state_dict().values(), classifier.state_dict().values(), strict=True):
        assert ours.data_ptr() == theirs.data_ptr()
    assert not any(module.training for module in duplicate.modules())
    assert not any(p.requires_grad for p in duplicate.parameters())


def test_a_hook_on_the_copy_does_not_reach_the_original(classifier):
    calls = []
    frozen_copy(classifier).network[0].register_forward_hook(lambda *_: calls.append(1))
    classifier(torch.zeros(2, 1, 28, 28))
    assert calls == []


def test_tied_weights_stay_tied():
    layer = nn.Linear(3, 3)
    duplicate = frozen_copy(nn.Sequential(layer, nn.ReLU(), layer))
    assert duplicate[0] is duplicate[2]
    assert duplicate[0].weight is duplicate[2].weight


def test_a_model_that_already_evaluates_is_used_as_it_is(classifier):
    assert evaluation_model(classifier) is not classifier
    assert evaluation_model(classifier.eval(), "cpu") is classifier
    assert placement(evaluation_model(classifier, "meta"))[0].type == "meta"
    assert placement(classifier)[0].type == "cpu"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_placement_reads_the_type(dtype):
    assert placement(nn.Linear(1, 1).to(dtype)) == (torch.device("cpu"), dtype)
    assert placement(nn.Identity()) == (torch.device("cpu"), torch.float32)
