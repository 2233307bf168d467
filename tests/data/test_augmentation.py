import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv

from explorer.data.augmentation import erase, flip, shift

FILL = -0.75


@pytest.fixture
def images():
    """Two thousand distinct images, one of which has the value of the filling."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(2000, 1, 28, 28, generator=generator)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


TRANSFORMS = {
    "flip": flip,
    "shift": lambda images, generator: shift(images, 3, FILL, generator),
    "erase": lambda images, generator: erase(images, 0.5, FILL, generator),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_same_generator_same_result(images, name):
    before = images.clone()
    one, two = (TRANSFORMS[name](images, _generator(7)) for _ in range(2))
    other = TRANSFORMS[name](images, _generator(8))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_shape_and_values_stay_those_of_the_images(images, name):
    coloured = images.reshape(1000, 2, 28, 28)
    result = TRANSFORMS[name](coloured, _generator())
    assert result.shape == coloured.shape
    assert result.dtype == coloured.dtype
    allowed = torch.cat([coloured.flatten(1), torch.full((1000, 1), FILL)], 1)
    for row, values in zip(result.flatten(1)[:50], allowed[:50], strict=True):
        assert torch.isin(row, values).all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_global_generator_is_left_alone(images, name):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    TRANSFORMS[name](images, _generator())
    assert torch.equal(torch.get_rng_state(), before)


def test_flip_mirrors_half_of_the_images(images):
    result = flip(images, _generator())
    mirrored = (result == tv.hflip(images)).flatten(1).all(1)
    same = (result == images).flatten(1).all(1)
    assert torch.all(mirrored ^ same)
    share, deviation = mirrored.float().mean().item(), 0.5 / np.sqrt(len(images))
    assert share == pytest.approx(0.5, abs=4 * deviation)


@pytest.mark.parametrize("pixels", [1, 2, 5])
def test_shift_moves_each_image_as_torchvision_does(images, pixels):
    result = shift(images[:300], pixels, FILL, _generator())
    every = [(x, y) for x in range(-pixels, pixels + 1) for y in range(-pixels, pixels + 1)]
    moved = {
        offset: tv.affine(images[:300], angle=0, translate=list(offset), scale=1, shear=[0, 0], fill=[FILL])
        for offset in every
    }
    seen = set()
    for number in range(300):
        matches = [offset for offset in every if torch.equal(result[number], moved[offset][number])]
        assert len(matches) == 1
        seen.add(matches[0])
    assert {x for x, _ in seen} == {y for _, y in seen} == set(range(-pixels, pixels + 1))


def test_shift_moves_in_all_directions_alike(images):
    position = torch.zeros(2000, 1, 28, 28)
    position[:, 0, 14, 14] = 1
    places = shift(position, 2, 0.0, _generator()).flatten(1).argmax(1)
    rows, columns = places // 28 - 14, places % 28 - 14
    for offsets in (rows, columns):
        counts = torch.bincount(offsets + 2, minlength=5)
        assert counts.sum() == 2000
        assert torch.all((counts - 400).abs() < 4 * np.sqrt(2000 * 0.2 * 0.8))
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.1


def test_shift_by_nothing_changes_nothing(images):
    assert torch.equal(shift(images, 0, FILL, _generator()), images)


def test_erase_fills_one_rectangle(images):
    result = erase(images, 1.0, FILL, _generator())
    erased = (result == FILL)[:, 0]
    assert torch.equal(result[:, 0][~erased], images[:, 0][~erased])
    rows, columns = erased.any(2), erased.any(1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :])
    for side in (rows, columns):
        edges = (side[:, 1:] != side[:, :-1]).sum(1) + side[:, 0].long() + side[:, -1].long()
        assert torch.all(edges == 2)


def test_erased_share_of_the_image_is_that_of_the_paper(images):
    erased = (erase(images, 1.0, FILL, _generator()) == FILL)[:, 0]
    tall, wide = erased.any(2).sum(1).double(), erased.any(1).sum(1).double()
    assert torch.all(tall * wide >= 0.02 * 784 * 0.7)
    assert torch.all((tall - 0.5) * (wide - 0.5) <= 0.33 * 784)
    share = (tall * wide / 784).mean().item()
    assert share == pytest.approx((0.02 + 0.33) / 2, abs=0.01)
    ratio = (tall / wide)[(tall < 28) & (wide < 28)]
    assert ratio.log().mean().item() == pytest.approx(0, abs=0.1)
    assert torch.all((tall + 0.5) / (wide - 0.5).clamp(min=0.5) >= 0.3)
    assert torch.all((tall - 0.5) / (wide + 0.5) <= 3.3)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_erase_chooses_its_share_of_the_images(images, probability):
    chosen = (erase(images, probability, FILL, _generator()) == FILL).flatten(1).any(1).float().mean().item()
    assert chosen == pytest.approx(probability, abs=4 * np.sqrt(0.25 / len(images)) * (0 < probability < 1))


def test_erase_reaches_every_pixel(images):
    erased = (erase(images, 1.0, FILL, _generator()) == FILL)[:, 0]
    assert erased.any(0).all()
