import copy

import pytest
import torch
from torch import nn

from explorer.training.seeds.passes import WORTH_CUTTING, Passes, Product, VectorisedLinear

K = 3


@pytest.fixture
def threads():
    """Sets the number of threads, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def linear(inputs, outputs):
    layer = VectorisedLinear(nn.Linear(inputs, outputs).double(), K)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


STACKS = {
    "one": lambda: [linear(6, 4)],
    "two in a row": lambda: [linear(6, 5), linear(5, 4)],
    "relu": lambda: [linear(6, 5), nn.ReLU(), linear(5, 5), nn.ReLU(), linear(5, 4)],
    "relu and another": lambda: [linear(6, 5), nn.ReLU(), nn.Tanh(), linear(5, 4)],
    "another and relu": lambda: [linear(6, 5), nn.SiLU(), nn.ReLU(), linear(5, 4)],
    "relu at both ends": lambda: [nn.ReLU(), linear(6, 4), nn.ReLU()],
    "another at both ends": lambda: [nn.GELU(), linear(6, 4), nn.Softplus()],
    "weights before the first": lambda: [nn.BatchNorm1d(6).double(), linear(6, 4)],
}


@pytest.fixture(params=STACKS)
def layers(request):
    torch.manual_seed(1)
    return nn.Sequential(*STACKS[request.param]())


def given(batch, order):
    """Values (K, 6, batch) in either order in memory."""
    values = torch.randn(K, 6, batch, dtype=torch.float64)
    return values.transpose(1, 2).contiguous().transpose(1, 2) if order == "features last" else values


@pytest.mark.parametrize("order", ["images last", "features last"])
@pytest.mark.parametrize("further", [False, True])
def test_both_passes_are_those_of_autograd_whatever_the_batches(layers, further, order):
    expected, passes = copy.deepcopy(layers), Passes(layers, further)
    for batch in (7, 3, 7, 1, 3):
        values = given(batch, order).requires_grad_(further)
        truth = expected(values)
        gradient = torch.randn_like(truth)
        for parameter in (*layers.parameters(), *expected.parameters()):
            parameter.grad = None
        truth.backward(gradient)
        before = values.detach().clone()
        found = passes.forward(values.detach())
        torch.testing.assert_close(found, truth.detach(), rtol=0, atol=1e-12)
        back = passes.backward(gradient.clone())
        assert (back is not None) == further
        if further:
            torch.testing.assert_close(back, values.grad, rtol=0, atol=1e-12)
        for one, other in zip(layers.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-12)
        assert torch.equal(values, before)


def test_gradients_replace_the_last_ones():
    passes = Passes(layers := nn.Sequential(linear(6, 5), nn.ReLU(), linear(5, 4)), further=False)
    values, gradient = given(7, "images last"), torch.randn(K, 4, 7, dtype=torch.float64)
    seen = []
    for _ in range(2):
        passes.forward(values)
        passes.backward(gradient.clone())
        seen.append([parameter.grad.clone() for parameter in layers.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))


def test_a_result_is_not_overwritten_by_the_next():
    passes = Passes(nn.Sequential(linear(6, 4)), further=False)
    first = passes.forward(given(7, "images last"))
    kept = first.clone()
    assert not torch.equal(passes.forward(given(7, "images last")), kept)
    assert torch.equal(first, kept)


def test_weights_may_change_where_they_are():
    layer = linear(6, 4)
    passes, values = Passes(nn.Sequential(layer), further=False), given(7, "images last")
    passes.forward(values)
    layer.load_state_dict({name: torch.ones_like(value) for name, value in layer.state_dict().items()})
    expected = (values.sum(1, keepdim=True) + 1).expand(-1, 4, -1)
    torch.testing.assert_close(passes.forward(values), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("biased", [False, True])
def test_products_are_cut_without_a_change(count, number, biased, threads):
    threads(number)
    rows, inner, columns = 36, 560, 56
    assert rows * inner * columns > 4 * WORTH_CUTTING
    left = torch.randn(count, inner, rows, dtype=torch.float64).transpose(1, 2)
    right = torch.randn(count, columns, inner, dtype=torch.float64).transpose(1, 2)
    bias = torch.randn(count, rows, 1, dtype=torch.float64) if biased else None
    out = torch.full((count, rows, columns), float("nan"), dtype=torch.float64)
    product = Product(left, right, out, bias)
    left_over = count % number
    assert len(product.parts) == (count > left_over) + left_over
    for _ in range(2):
        product()
        expected = torch.einsum("kmn,knp->kmp", left, right) + (0 if bias is None else bias)
        torch.testing.assert_close(out, expected, rtol=0, atol=1e-10)
        left.mul_(-1)


def test_small_products_are_left_whole(threads):
    threads(2)
    left, right = torch.randn(5, 100, 10), torch.randn(5, 10, 64)
    assert len(Product(left, right, torch.empty(5, 100, 64)).parts) == 1
