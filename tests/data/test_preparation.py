"""The steps from a picture to 28x28: each alone, and that altered images of the sets come back."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from benchmarks.altered import EFFECTS, Alteration, altered, draw_alteration
from benchmarks.preparation import CHECKPOINTS, round_trip
from explorer.analysis.evaluation.predictions import predict
from explorer.data import catalog
from explorer.data.preparation.pipeline import (
    ALL,
    each_left_out,
    prepare_drawing,
    prepare_photo,
    read_picture,
    recipe_for,
)
from explorer.data.preparation.stages import STEP_NAMES, Normalisation
from explorer.data.preparation.steps import (
    FITTING,
    THICK,
    THIN,
    USUAL,
    _shrunk,
    even_out,
    filled,
    fitted,
    ink_box,
    lift,
    width,
    without_rulings,
)
from explorer.data.splits import load_split
from explorer.store.catalog import resolve
from explorer.store.checkpoints import load_checkpoint

SETS = ("mnist", "fashion-mnist")


def a_seven(side=300, ink=255, ground=0, width=22, at=(0, 0), mode="L"):
    picture = Image.new(mode, (side, side), ground)
    dx, dy = at
    points = [(70 + dx, 60 + dy), (180 + dx, 60 + dy), (110 + dx, 220 + dy)]
    ImageDraw.Draw(picture).line(points, fill=ink, width=width, joint="curve")
    return picture


def drawn(**options):
    return np.array(a_seven(**options))


def by_name(prepared):
    return {step.name: step for step in prepared.steps}


# ---- altered images of the sets


@pytest.mark.parametrize(("dataset", "least"), [("mnist", 0.97), ("fashion-mnist", 0.9)])
def test_the_shipped_checkpoint_keeps_its_accuracy(dataset, least):
    kept = round_trip(dataset, CHECKPOINTS[dataset], n=80)
    assert kept.share >= least
    assert kept.low <= kept.share <= kept.high
    assert kept.n == 80


@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize("effect", ["shifted", "negated", "recoloured"])
def test_place_polarity_and_colour_do_not_matter(dataset, effect):
    generator = np.random.default_rng(3)
    images = load_split(dataset, "test").images[:16]
    plain = Alteration(ground_size=(400, 420), corner=(60, 70))
    differences = []
    for image in images:
        other = replace(draw_alteration(generator, ("scaled", "shifted", effect)), smooth=False)
        images_back = [prepare_photo(altered(image, one), dataset).image.astype(int) for one in (plain, other)]
        differences.append(np.abs(np.subtract(*images_back)).mean())
    assert np.median(differences) < 1
    assert np.mean(np.array(differences) < 3) >= 0.9


@pytest.mark.parametrize("dataset", SETS)
def test_enlarged_smoothly_or_thicker_they_come_back_near(dataset):
    generator = np.random.default_rng(5)
    for effects in (("scaled",), EFFECTS):
        near, far = [], []
        images = load_split(dataset, "test").images[:16]
        for image, another in zip(images, images[::-1], strict=True):
            back = prepare_photo(altered(image, draw_alteration(generator, effects)), dataset).image.astype(int)
            near.append(np.abs(back - image).mean())
            far.append(np.abs(back - another).mean())
        assert np.median(near) < 0.45 * np.median(far)


def test_the_alterations_are_what_they_say():
    generator = np.random.default_rng(0)
    image = load_split("mnist", "test").images[0]
    for _ in range(20):
        alteration = draw_alteration(generator)
        picture = altered(image, alteration)
        assert picture.shape == (*alteration.ground_size, 3)
        assert picture[0, 0].tolist() == list(alteration.ground)
        assert np.linalg.norm(np.subtract(alteration.ink, alteration.ground)) >= 100
        assert 1 <= alteration.thicker <= 5
    thin, thick = (altered(image, Alteration(thicker=each))[..., 0] for each in (0, 4))
    assert np.array_equal(thick, ndimage.grey_dilation(thin, size=(9, 9)))
    assert np.array_equal(altered(image, Alteration())[::10, ::10, 1], image)


# ---- photographs


def photograph(ink, generator, grain=6.0, quality=70):
    """Dark ink on paper, lit from one side and darker towards the corners, with grain, as JPEG."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in ink.shape), indexing="ij")
    angle = generator.uniform(0, 2 * np.pi)
    light = 0.75 + 0.2 * (np.cos(angle) * x + np.sin(angle) * y) - 0.1 * (x * x + y * y)
    paper = 225 * light * (1 - 0.75 * ink / 255) + generator.normal(0, grain, ink.shape)
    out = io.BytesIO()
    Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8)).convert("RGB").save(out, "JPEG", quality=quality)
    return read_picture(out.getvalue())


@pytest.mark.parametrize("dataset", SETS)
def test_a_photograph_in_uneven_light_is_recognised(dataset):
    split, generator = load_split(dataset, "test"), np.random.default_rng(7)
    classifier = load_checkpoint(resolve(CHECKPOINTS[dataset])).classifier()
    images, labels = split.images[:25], split.labels[:25]
    ground = Alteration(smooth=True, ground_size=(420, 440), corner=(70, 80))
    photos = [photograph(altered(image, ground)[..., 0], generator) for image in images]
    right = [
        np.mean(
            predict(classifier, np.stack([prepare_photo(photo, dataset, steps).image for photo in photos])).argmax(1)
            == labels
        )
        for steps in (ALL, ALL.without("ground"))
    ]
    unaltered = np.mean(predict(classifier, images).argmax(1) == labels)
    assert right[0] >= 0.9 * unaltered
    assert right[1] < 0.5 * unaltered


def test_light_is_estimated_and_divided_out():
    y, x = np.meshgrid(np.linspace(0, 1, 240), np.linspace(0, 1, 320), indexing="ij")
    light = 120 + 90 * x - 30 * y * y
    grain = np.random.default_rng(0).normal(0, 2, light.shape)
    ink = np.zeros(light.shape)
    ink[80:160, 60:90] = ink[80:160, 230:260] = 0.6
    evened = even_out(np.round(light * (1 - ink) + grain).astype(np.uint8), by_corners=False).astype(float)
    level = np.median(evened)
    assert (evened[ink == 0] == level).mean() > 0.99
    left, right = evened[90:150, 65:85].mean(), evened[90:150, 235:255].mean()
    assert left == pytest.approx(0.4 * level, abs=0.03 * level)
    assert right == pytest.approx(left, abs=0.03 * level)


def test_an_even_ground_is_not_touched():
    picture = drawn(ink=30, ground=220)
    assert even_out(picture, by_corners=False) is picture


@pytest.mark.parametrize("strength", [60, 215])
@pytest.mark.parametrize("tilt", [0.0, 0.05])
def test_squared_paper_goes_and_the_ink_across_it_stays(strength, tilt):
    clean = drawn(ink=40, ground=255)
    rows, columns = np.mgrid[:300, :300]
    lines = ((rows + tilt * columns + 10) % 50 < 2) | ((columns - tilt * rows + 15) % 50 < 2)
    squared = np.where(lines, np.minimum(clean, 255 - strength), clean).astype(np.uint8)
    left = without_rulings(squared) < 250
    assert not left[[0, -1]].any()
    assert not left[:, [0, -1]].any()
    assert (left & (clean > 250)).sum() < 0.05 * (clean < 250).sum()
    assert (left & (clean < 250)).sum() > 0.95 * (clean < 250).sum()
    prepared = prepare_photo(squared, "mnist")
    assert np.abs(prepared.image.astype(int) - prepare_photo(clean, "mnist").image).mean() < 3
    assert "ruled or squared paper" in by_name(prepared)["ground"].explanation
    assert without_rulings(clean) is clean


def test_a_stroke_from_side_to_side_alone_is_kept():
    bar = np.full((200, 200), 255, np.uint8)
    bar[90:110] = bar[110:, 90:110] = 0
    assert without_rulings(bar) is bar


def test_specks_go_but_a_second_part_stays():
    generator = np.random.default_rng(2)
    picture = 200 + generator.normal(0, 3, (300, 300))
    picture[100:200, 60:80] = picture[100:200, 200:220] = 60
    picture[20:23, 280:283] = 40
    ink, darker = lift(even_out(np.round(picture).astype(np.uint8), by_corners=False), by_corners=False)
    assert darker
    assert ndimage.label(ink)[1] == 2
    assert not ink[15:30, 270:290].any()


@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0), (90, 200), (200, 90)])
def test_black_on_white_and_white_on_black_are_the_same(dataset, ink, ground):
    reference = prepare_photo(drawn(), dataset).image.astype(int)
    image = prepare_photo(drawn(ink=ink, ground=ground), dataset).image
    assert np.abs(image - reference).max() <= 3


@pytest.mark.parametrize("ground", [None, (255, 255, 255, 0), (10, 200, 30, 0)])
def test_transparent_ink_is_the_same(ground):
    out = io.BytesIO()
    a_seven(mode="RGBA", ink=(20, 20, 120, 255), ground=ground or (0, 0, 0, 0)).save(out, "PNG")
    image = prepare_photo(read_picture(out.getvalue()), "mnist").image
    assert np.abs(image - prepare_photo(drawn(), "mnist").image.astype(int)).max() <= 3


def test_jpeg_keeps_the_box():
    out = io.BytesIO()
    a_seven(ink=20, ground=235).convert("RGB").save(out, "JPEG", quality=35)
    image = prepare_photo(read_picture(out.getvalue()), "mnist").image.astype(int)
    assert np.abs(image - prepare_photo(drawn(), "mnist").image).mean() < 3


def test_ink_at_the_border_is_kept():
    picture = np.full((280, 280), 255, np.uint8)
    picture[:, 0:30] = 0
    image = prepare_photo(picture, "mnist").image
    assert np.count_nonzero(image.any(1)) == 20
    assert np.count_nonzero(image.any(0)) <= 3


# ---- steps


@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize("photo", [False, True])
def test_every_step_has_a_picture_and_words(dataset, photo):
    picture = np.array(a_seven(mode="RGB", ink=(200, 30, 30), ground=(240, 240, 230)))
    prepared = prepare_photo(picture, dataset) if photo else prepare_drawing(drawn(), dataset)
    names = [step.name for step in prepared.steps]
    sharpened = ["sharpen"] if photo and dataset == "fashion-mnist" else []
    before = ["grey", "ground"] if photo else []
    stroke = ["stroke"] if dataset == "mnist" else [] if photo else ["fill"]
    after = ["scale", "contrast", *sharpened, "centre", "normalise"]
    assert names == ["source", *before, "polarity", "crop", *stroke, *after]
    assert len({step.title for step in prepared.steps}) == len(names)
    for step in prepared.steps:
        assert step.taken
        assert step.picture.dtype == np.uint8
        assert step.explanation.endswith(".")
        assert "  " not in step.explanation
    assert prepared.steps[0].picture.shape == (picture if photo else drawn()).shape
    assert prepared.steps[-1].picture is prepared.image
    assert prepared.optional == tuple(names[1:])


def test_the_words_name_the_users_own_sizes():
    steps = by_name(prepare_drawing(drawn(), "mnist"))
    height, width = steps["crop"].picture.shape
    assert f"of 300 × 300 pixels {width} × {height} are left" in steps["crop"].explanation
    height, width = steps["scale"].picture.shape
    assert f"now {width} × {height} pixels" in steps["scale"].explanation


@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize("name", STEP_NAMES)
def test_each_step_left_out_changes_a_photograph_that_needs_it(dataset, name):
    generator = np.random.default_rng(1)
    colour = np.array(
        a_seven(side=400, mode="RGB", ink=(250, 40, 40), ground=(235, 240, 250), at=(30, 90), width=50)
    ).astype(float)
    shaded = colour * np.linspace(0.6, 1, 400)[:, None] + generator.normal(0, 4, (400, 400, 1))
    picture = np.clip(shaded, 0, 255).astype(np.uint8)
    whole, less = prepare_photo(picture, dataset), prepare_photo(picture, dataset, ALL.without(name))
    if name not in whole.optional:
        assert name in ("fill", "sharpen" if dataset == "mnist" else "stroke")
        assert np.array_equal(whole.image, less.image)
        return
    assert not by_name(less)[name].taken
    assert less.image.shape == (28, 28)
    assert not np.array_equal(whole.image, less.image)
    assert by_name(less)[name].explanation != by_name(whole)[name].explanation


@pytest.mark.parametrize("dataset", SETS)
def test_all_steps_left_out_is_a_plain_resize(dataset):
    picture = drawn(side=280)
    none = ALL.without(*STEP_NAMES)
    assert np.array_equal(
        prepare_drawing(
            picture, dataset, steps=none.__class__(**{**none.__dict__, "polarity": True, "normalise": True})
        ).image,
        np.asarray(Image.fromarray(picture).resize((28, 28), Image.Resampling.BOX)),
    )


# ---- strokes


@pytest.mark.parametrize("thick", [12, 20, 36])
def test_width_of_a_bar_is_measured(thick):
    bar = np.full((200, thick), 255, np.uint8)
    assert width(bar) == pytest.approx(20 * thick / 200, rel=0.2)
    assert width(bar.T) == pytest.approx(width(bar))


def test_few_digits_of_the_set_are_fitted():
    digits = [image[ink_box(image)].repeat(10, 0).repeat(10, 1) for image in load_split("mnist", "train").images[:300]]
    changed = [fitted(digit) is not digit for digit in digits]
    assert 0 < np.mean(changed) < 0.06


def test_the_widths_are_those_of_the_digits_of_the_set():
    digits = [Image.fromarray(image).resize((280, 280), 3) for image in load_split("mnist", "train").images[::54]]
    widths = np.array([width(digit[ink_box(digit, 0.2)]) for digit in map(np.asarray, digits)])
    assert 0.95 <= np.mean(widths <= THICK) < 0.97
    assert np.mean(widths <= FITTING) == pytest.approx(0.91, abs=0.02)
    assert np.mean(widths >= THIN) > 0.99
    assert np.median(widths) == pytest.approx(USUAL, abs=0.1)


def test_a_broad_brush_is_made_as_wide_as_a_pen():
    broad = drawn(width=56)
    broad = broad[ink_box(broad)]
    result = fitted(broad)
    assert width(broad) > THICK
    assert 0.8 * FITTING < width(result) < 1.1 * THICK
    assert result.any(0).all()
    assert result.any(1).all()


@pytest.mark.parametrize("pen", [3, 6, 10])
def test_a_thin_pen_is_made_as_wide_as_in_the_set_and_keeps_its_loops(pen):
    picture = Image.new("L", (480, 480))
    ImageDraw.Draw(picture).ellipse((150, 10, 330, 190), outline=255, width=pen)
    ImageDraw.Draw(picture).ellipse((120, 190, 360, 470), outline=255, width=pen)
    eight = np.array(picture)[10:471, 120:361]
    assert width(eight) < THIN
    result = fitted(eight)
    assert 0.8 * USUAL < width(result) < 1.1 * USUAL
    assert ndimage.label(np.pad(result, 1) < 128)[1] == 3
    said = by_name(prepare_drawing(np.array(picture), "mnist"))["stroke"]
    assert said.picture.shape == result.shape
    assert (
        f"{width(eight):.1f} wide, thinner than in 99 of 100 digits of MNIST. It is made {width(result):.1f} wide"
        in said.explanation
    )


def test_thickening_leaves_a_narrow_loop_open():
    slit = np.zeros((300, 300), np.uint8)
    slit[20:280, 140:142] = slit[20:280, 168:170] = slit[20:22, 140:170] = slit[278:280, 140:170] = 255
    assert ndimage.label(fitted(slit[ink_box(slit)]) < 128)[1] >= 1


@pytest.mark.parametrize("gap", [0, 8])
def test_an_outline_is_filled_even_if_it_is_not_quite_closed(gap):
    picture = Image.new("L", (280, 280))
    ImageDraw.Draw(picture).polygon([(40, 30), (240, 30), (200, 250), (80, 250)], outline=255, width=8)
    drawing = np.array(picture)
    drawing[200 : 200 + gap, :140] = 0
    ink = drawing[ink_box(drawing)]
    result = filled(ink)
    expected = ndimage.binary_fill_holes(np.array(picture)[ink_box(drawing)])
    assert np.mean((result > 0) == expected) > 0.99
    assert np.array_equal(result[ink > 0], ink[ink > 0])
    stages = by_name(prepare_drawing(drawing, "fashion-mnist"))
    assert stages["fill"].picture.mean() > 2 * stages["crop"].picture.mean()
    without = by_name(prepare_drawing(drawing, "fashion-mnist", steps=ALL.without("fill")))
    assert np.array_equal(without["fill"].picture, without["crop"].picture)


def test_a_filled_shape_keeps_its_holes():
    bag = np.full((200, 260), 255, np.uint8)
    bag[20:80, 60:200] = 0
    assert filled(bag) is bag
    open_stroke = np.zeros((200, 200), np.uint8)
    open_stroke[:8] = open_stroke[:, :8] = 255
    assert filled(open_stroke) is open_stroke


def test_erosion_and_dilation_are_those_of_scipy():
    digit = load_split("mnist", "test").images[0].repeat(10, 0).repeat(10, 1)
    digit = (digit > 127).astype(np.uint8) * 255
    y, x = np.ogrid[-6:7, -6:7]
    expected = ndimage.binary_erosion(np.pad(digit > 0, 6), x * x + y * y <= 6 * 6)[6:-6, 6:-6]
    assert np.array_equal(_shrunk(digit, 6.0) > 0, expected)
    grown = ndimage.binary_dilation(digit > 0, x * x + y * y <= 6 * 6)
    assert np.array_equal(_shrunk(digit, -6.0) == 255, grown)


def test_a_stroke_is_not_torn_and_faint_ink_stays():
    dumbbell = np.zeros((200, 260), np.uint8)
    dumbbell[20:180, 0:100] = dumbbell[20:180, 160:260] = 255
    dumbbell[97:103, 100:160] = 255
    assert ndimage.label(fitted(dumbbell))[1] == 1
    faint = np.full((200, 80), 255, np.uint8)
    faint[100:] = 60
    assert (np.abs(fitted(faint).astype(int) - 60) < 20).any()


@pytest.mark.parametrize("side", [1, 2, 5, 60])
def test_a_blot_is_still_there(side):
    assert fitted(np.full((side, side), 255, np.uint8)).max() == 255


def test_unknown_steps_are_refused():
    with pytest.raises(ValueError, match="no such step: colour"):
        ALL.without("crop", "colour")


def test_without_centring_the_subject_stays_where_it_was():
    corner = drawn(side=600)
    for dataset in SETS:
        image = prepare_drawing(corner, dataset, steps=ALL.without("centre")).image
        row, column = ndimage.center_of_mass(image)
        if dataset == "mnist":
            assert row < 12
            assert column < 12
        assert not np.array_equal(image, prepare_drawing(corner, dataset).image)


def test_centre_of_mass_is_that_of_scipy():
    image = prepare_drawing(drawn(at=(40, 10)), "mnist").image
    assert all(13.5 - 1e-6 <= place < 14.5 for place in ndimage.center_of_mass(image))


def test_without_scaling_both_sides_are_stretched():
    image = prepare_drawing(drawn(), "mnist", steps=ALL.without("scale")).image
    assert image.any(0).all()
    assert image.any(1).all()


def test_without_polarity_a_drawing_is_turned_round():
    image = prepare_drawing(drawn(), "mnist", steps=ALL.without("polarity", "contrast")).image
    assert image[14, 5] > 200


@pytest.mark.parametrize("dataset", SETS)
def test_without_normalisation_the_model_sees_what_it_would_see(dataset):
    import torch

    checkpoint = load_checkpoint(resolve(CHECKPOINTS[dataset]))
    classifier, picture = checkpoint.classifier(), drawn()
    normalisation = Normalisation(checkpoint.metadata.mean, checkpoint.metadata.std)
    plain = prepare_drawing(picture, dataset).image
    pale = prepare_drawing(picture, dataset, steps=ALL.without("normalise"), normalisation=normalisation).image
    with torch.inference_mode():
        expected = classifier.network(torch.tensor(plain[None, None] / 255, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(predict(classifier, pale[None]), expected, atol=0.15)
    assert f"{normalisation.mean:.3f}" in by_name(prepare_drawing(picture, dataset))["normalise"].explanation


def test_each_left_out_prepares_every_way_once():
    picture = drawn(ink=40, ground=210)
    images = each_left_out(lambda steps: prepare_photo(picture, "mnist", steps))
    whole = prepare_photo(picture, "mnist")
    assert tuple(images) == whole.optional
    assert np.array_equal(images["grey"], whole.image)
    assert not np.array_equal(images["crop"], whole.image)
    fewer = each_left_out(lambda steps: prepare_photo(picture, "mnist", steps), ALL.without("crop"))
    assert "crop" not in fewer
    assert np.array_equal(fewer["scale"], prepare_photo(picture, "mnist", ALL.without("crop", "scale")).image)


def test_placed_drawings_have_no_steps_to_leave_out_but_two():
    image = load_split("mnist", "test").images[0]
    prepared = prepare_drawing(image.repeat(10, 0).repeat(10, 1), "mnist", placed=True)
    assert [step.name for step in prepared.steps] == ["source", "cells", "polarity", "normalise"]
    assert np.array_equal(prepared.image, image)


@pytest.mark.parametrize("dataset", SETS)
def test_no_image_of_the_sets_is_taken_for_ink_on_another_ground(dataset):
    for name in ("train", "validation", "test"):
        corners = load_split(dataset, name).images[:, [0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
        assert not ((corners.min(1) > 16) & (np.ptp(corners, axis=1) <= 8)).any()


def test_a_small_image_on_coloured_ground_keeps_its_place():
    image = load_split("mnist", "test").images[0]
    small = np.round(200 - 0.5 * image).astype(np.uint8)
    assert np.abs(prepare_photo(small, "mnist").image - image.astype(int)).max() <= 2


def test_drawings_are_prepared_like_the_set_of_their_classes():
    assert recipe_for("mnist-own-0123456789ab") == recipe_for("mnist")
    assert recipe_for("fashion-mnist-own-0123456789ab") == recipe_for("fashion-mnist") == recipe_for("unknown")
    assert recipe_for("mnist") != recipe_for("fashion-mnist")
    assert catalog.base("mnist-own-zz") == "mnist-own-zz"
