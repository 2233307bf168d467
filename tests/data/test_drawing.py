"""From a drawing or a photograph to 28x28: against real images of both sets and the papers' recipes."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from explorer.data.preparation import pictures
from explorer.data.preparation.pipeline import EMPTY, prepare_drawing, prepare_photo, read_image, read_picture
from explorer.data.preparation.steps import to_grey
from explorer.data.splits import load_split
from explorer.errors import ImageError

SETS = ("mnist", "fashion-mnist")


@pytest.fixture(scope="module", params=SETS)
def real(request):
    return request.param, load_split(request.param, "test").images[:200]


def enlarged(image, top=0, left=0, side=(480, 520)):
    field = np.zeros(side, np.uint8)
    big = image.repeat(10, 0).repeat(10, 1)
    field[top : top + 280, left : left + 280] = big
    return field


def mean_difference(images, originals):
    return np.abs(np.stack(images).astype(int) - originals).mean((1, 2))


def painted(*strokes, width=20):
    image = Image.new("L", (280, 280))
    for stroke in strokes:
        ImageDraw.Draw(image).line(stroke, fill=255, width=width, joint="curve")
    return np.array(image)


def png(image, **options):
    out = io.BytesIO()
    image.save(out, options.pop("format", "PNG"), **options)
    return out.getvalue()


# ---- drawings


def test_enlarged_and_shifted_images_come_back(real):
    dataset, images = real
    generator = np.random.default_rng(0)
    back = [prepare_drawing(enlarged(image, *generator.integers(0, 200, 2)), dataset).image for image in images]
    differences = mean_difference(back, images)
    assert np.median(differences) < 0.05
    assert (differences < 1).mean() > 0.97


def test_placed_drawing_is_the_image_itself(real):
    dataset, images = real
    for image in images[:20]:
        drawing = image.repeat(10, 0).repeat(10, 1)
        assert np.array_equal(prepare_drawing(drawing, dataset, placed=True).image, image)


strokes = st.lists(st.tuples(st.integers(10, 270), st.integers(10, 270)), min_size=2, max_size=6)


@settings(max_examples=60, deadline=None)
@given(points=strokes, width=st.integers(4, 40))
def test_digit_lies_in_the_field_as_in_mnist(points, width):
    image = prepare_drawing(painted(points, width=width), "mnist").image
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    assert 18 <= max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) <= 20
    assert image.max() == 255
    for axis, extent in ((0, rows), (1, columns)):
        centre = image.sum(1 - axis) @ np.arange(28) / image.sum()
        held_by_border = extent[0] <= 1 or extent[-1] >= 26
        assert 13.5 - 1e-6 <= centre < 14.5 + 1e-6 or held_by_border


@settings(max_examples=40, deadline=None)
@given(points=strokes, dx=st.integers(0, 150), dy=st.integers(0, 150), dataset=st.sampled_from(SETS))
def test_place_on_the_canvas_does_not_matter(points, dx, dy, dataset):
    drawing = painted(points)
    moved = np.zeros((430, 430), np.uint8)
    moved[dy : dy + 280, dx : dx + 280] = drawing
    assert np.array_equal(prepare_drawing(drawing, dataset).image, prepare_drawing(moved, dataset).image)


@settings(max_examples=40, deadline=None)
@given(points=strokes)
def test_garment_fills_the_longer_side_and_stands_in_the_middle(points):
    image = prepare_drawing(painted(points), "fashion-mnist").image
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 >= 27
    for extent in (rows, columns):
        assert abs((extent[0] + extent[-1]) / 2 - 13.5) <= 1


def test_proportions_are_kept():
    image = prepare_drawing(painted([(140, 30), (140, 250)], width=22), "mnist").image
    assert np.count_nonzero(image.any(0)) <= 3
    assert np.count_nonzero(image.any(1)) == 20


def test_every_part_of_a_drawing_counts():
    image = prepare_drawing(painted([(40, 60), (100, 60)], [(180, 220), (240, 220)]), "mnist").image
    columns = image.any(0).astype(int)
    assert np.count_nonzero(np.diff(columns) == 1) == 2


@pytest.mark.parametrize("dataset", SETS)
def test_a_dot_and_a_full_canvas_are_prepared(dataset):
    dot = np.zeros((280, 280), np.uint8)
    dot[100, 200] = 7
    assert prepare_drawing(dot, dataset).image.max() == 255
    assert prepare_drawing(np.full((280, 280), 255, np.uint8), dataset).image.max() == 255


def test_the_empty_canvas_says_so():
    with pytest.raises(ImageError, match="canvas is empty") as caught:
        prepare_drawing(np.zeros((280, 280), np.uint8), "mnist")
    assert str(caught.value) == EMPTY


@pytest.mark.parametrize(
    "pixels",
    [np.ones((280, 280)), np.ones((2, 28, 28), np.uint8), np.ones((0, 28), np.uint8), np.ones(784, np.uint8)],
)
def test_what_is_no_grey_image_is_refused(pixels):
    for prepare in (prepare_drawing, prepare_photo):
        with pytest.raises(ImageError):
            prepare(pixels, "mnist")


def test_placed_drawing_must_have_whole_cells():
    with pytest.raises(ImageError, match="multiple of 28"):
        prepare_drawing(np.ones((100, 100), np.uint8), "mnist", placed=True)


def test_steps_tell_the_way():
    prepared = prepare_drawing(painted([(60, 60), (200, 200)]), "mnist")
    names = [step.name for step in prepared.steps]
    assert names == ["source", "polarity", "crop", "stroke", "scale", "contrast", "centre", "normalise"]
    assert max(prepared.steps[4].picture.shape) == 20
    assert prepared.steps[-1].picture is prepared.image


# ---- photographs


def test_a_28x28_image_of_a_set_passes_unchanged(real):
    dataset, images = real
    for image in images:
        assert np.array_equal(prepare_photo(image, dataset).image, image)


def test_no_image_of_the_sets_is_taken_for_dark_ink(real):
    dataset, _ = real
    images = load_split(dataset, "train").images
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert not (corners.min(1) > 128).any()


def test_a_negated_28x28_image_is_turned_back(real):
    dataset, images = real
    dark_border = [image for image in images if not image[[0, -1]].any() and not image[:, [0, -1]].any()]
    for image in dark_border:
        assert np.array_equal(prepare_photo(255 - image, dataset).image, image)
    if dataset == "mnist":
        assert len(dark_border) > 150


@pytest.mark.parametrize("negate", [False, True])
def test_scaled_photographs_come_back_near_the_original(real, negate):
    dataset, images = real
    images = images[:60]
    big = [enlarged(image, 100, 90) for image in images]
    back = [prepare_photo(255 - image if negate else image, dataset).image for image in big]
    assert np.median(mean_difference(back, images)) < (0.05 if dataset == "mnist" else 6)


def test_pencil_on_grainy_paper_comes_back(real):
    dataset, images = real
    images = images[:30]
    generator = np.random.default_rng(1)
    photos = [
        np.clip(205 - 0.6 * enlarged(image, 100, 90) + generator.normal(0, 4, (480, 520)), 0, 255) for image in images
    ]
    back = [prepare_photo(photo.astype(np.uint8), dataset).image for photo in photos]
    assert np.median(mean_difference(back, images)) < (2 if dataset == "mnist" else 20)


def test_a_plain_picture_is_refused():
    for shape in ((28, 28), (300, 200)):
        with pytest.raises(ImageError, match="one single shade"):
            prepare_photo(np.full(shape, 200, np.uint8), "mnist")


def test_what_is_said_of_a_picture_without_ink_is_so():
    faint = np.full((300, 200), 200, np.uint8)
    faint[100:200, 100] = 190
    with pytest.raises(ImageError, match=r"hardly more than one single shade \(grey 190 to 200 of 255"):
        prepare_photo(faint, "mnist")
    specks = np.random.default_rng(0).integers(198, 203, (300, 200)).astype(np.uint8)
    specks[150, 100] = 0
    with pytest.raises(ImageError, match="But for uneven light, grain and specks the picture has"):
        prepare_photo(specks, "mnist")


@pytest.mark.parametrize(
    ("wide", "words"),
    [
        (1, "thinner than in 99 of 100 digits of MNIST. It is made"),
        (100, "Of 100 digits of MNIST 95 are at most 4.0 wide and 99 at least 1.0; it stays."),
        (220, "wider than in 95 of 100 digits of MNIST. It is made"),
    ],
)
def test_what_is_said_of_a_stroke_is_so(wide, words):
    picture = np.full((900, 900), 255, np.uint8)
    picture[100:800, 400 : 400 + wide] = 0
    picture[100 : 100 + wide, 400:700] = 0
    stages = {stage.name: stage.explanation for stage in prepare_photo(picture, "mnist").steps}
    assert words in stages["stroke"]
    small = picture[::50, ::50]
    assert "average of what it covers" in stages["scale"]
    grown = {stage.name: stage.explanation for stage in prepare_photo(small, "mnist").steps}["scale"]
    assert ("average of what it covers" in grown) == (max(np.ptp(np.argwhere(small < 128), 0)) + 1 > 20)


@pytest.mark.parametrize("dataset", SETS)
def test_a_hair_does_not_fall_between_the_rows(dataset):
    picture = np.full((900, 900), 255, np.uint8)
    picture[100:800, 401] = 0
    image = prepare_photo(picture, dataset).image
    assert image.max() == 255
    assert np.count_nonzero(image.any(1)) >= 20


# ---- files


def gradient(width=40, height=30):
    return np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))


def test_grey_png_is_read_exactly(tmp_path):
    path = tmp_path / "one.png"
    Image.fromarray(gradient()).save(path)
    assert np.array_equal(read_image(path), gradient())
    assert np.array_equal(read_image(str(path)), gradient())
    assert np.array_equal(read_image(path.read_bytes()), gradient())


@pytest.mark.parametrize(("bits", "factor"), [(8, 1), (12, 16), (16, 257)])
def test_few_levels_in_a_file_of_16_bits_are_not_one_shade(bits, factor):
    picture = gradient().astype(np.uint16) * factor
    assert picture.max() < 2**bits
    assert np.abs(read_image(png(Image.fromarray(picture))).astype(int) - gradient()).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "LAB", "I;16", "F"])
def test_every_mode_becomes_grey(mode):
    source = Image.fromarray(gradient())
    if mode == "I;16":
        picture = Image.fromarray(gradient().astype(np.uint16) * 257)
    elif mode == "LAB":
        picture = Image.merge("LAB", [source, Image.new("L", source.size, 128), Image.new("L", source.size, 128)])
    else:
        picture = source.convert("RGB").convert(mode) if mode == "CMYK" else source.convert(mode)
    grey = read_image(png(picture, format="TIFF" if mode in ("CMYK", "YCbCr", "LAB", "F") else "PNG"))
    assert grey.shape == (30, 40)
    assert grey.dtype == np.uint8
    if mode != "1":
        assert np.abs(grey.astype(int) - gradient()).max() <= (12 if mode == "LAB" else 3)


@pytest.mark.parametrize(("ink", "ground"), [(0, 255), (255, 0)])
def test_transparent_pictures_get_the_ground_that_shows_their_ink(ink, ground):
    picture = Image.new("RGBA", (40, 40), (ink, ink, ink, 0))
    ImageDraw.Draw(picture).rectangle((10, 10, 29, 29), fill=(ink, ink, ink, 255))
    grey = read_image(png(picture))
    assert grey[0, 0] == ground
    assert grey[20, 20] == ink


def test_transparent_palette_is_followed():
    picture = Image.new("P", (20, 20), 0)
    picture.putpalette([0, 0, 0, 0, 0, 0, 255, 255, 255])
    ImageDraw.Draw(picture).rectangle((5, 5, 9, 9), fill=1)
    grey = read_image(png(picture, transparency=0))
    assert grey[0, 0] == 255
    assert grey[7, 7] == 0


def test_camera_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    grey = read_image(png(Image.fromarray(gradient(64, 32)).convert("RGB"), format="JPEG", exif=exif))
    assert grey.shape == (64, 32)
    assert grey[0].mean() < 20 < 235 < grey[-1].mean()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_first_frame_of_an_animation_is_taken(kind):
    frames = [Image.new("L", (20, 20), shade) for shade in (40, 90, 200)]
    grey = read_image(png(frames[0], format=kind, save_all=True, append_images=frames[1:]))
    assert abs(int(grey[0, 0]) - 40) <= 3


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_photograph_of_40_megapixels_is_reduced_and_turned(mode):
    exif = Image.Exif()
    exif[0x0112] = 8
    picture = Image.new(mode, (8000, 5000), (0, 0, 0, 0)[: len(mode)] if mode == "CMYK" else "white")
    grey = read_image(png(picture, format="JPEG", exif=exif))
    assert max(grey.shape) <= pictures.LARGEST_SIDE
    assert abs(grey.shape[0] / grey.shape[1] - 1.6) < 0.01
    assert grey.min() >= 250


def test_colour_of_sixteen_bits_is_read():
    row = b"\0" + struct.pack(">HHH", 65535, 0, 0) * 10 + struct.pack(">HHH", 0, 65535, 0) * 10
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 20, 20, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * 20)),
        (b"IEND", b""),
    )
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    pixels = read_picture(content)
    assert pixels.shape == (20, 20, 3)
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert pixels[0, -1].tolist() == [0, 255, 0]


def test_a_picture_from_a_phone_that_cannot_be_read_says_what_to_do():
    with pytest.raises(ImageError, match=r"HEIC.*JPEG"):
        read_image(b"\0\0\0\x18ftypheic" + b"\0" * 100, name="IMG_1.heic")


# ---- colour


@pytest.mark.parametrize(("ink", "ground"), [("yellow", "white"), ("blue", "black"), ("#c03030", "#3a7a3a")])
def test_ink_that_only_colour_tells_from_its_ground_is_seen(ink, ground):
    picture = Image.new("RGB", (200, 200), ground)
    ImageDraw.Draw(picture).line([(100, 30), (100, 170)], fill=ink, width=14)
    image = prepare_photo(read_picture(png(picture)), "mnist").image
    assert np.count_nonzero(image.any(0)) <= 3
    assert np.count_nonzero(image.any(1)) == 20
    assert np.array_equal(prepare_photo(read_image(png(picture)), "mnist").image, image)


def test_ordinary_colour_is_graded_by_luminance():
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    assert np.array_equal(to_grey(noise), np.asarray(Image.fromarray(noise).convert("L")))


def test_the_faint_colours_of_a_plain_picture_are_no_ink():
    noise = np.random.default_rng(0).integers(120, 130, (80, 80, 3), np.uint8)
    with pytest.raises(ImageError, match="one single shade"):
        prepare_photo(noise, "mnist")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no picture"),
        (b"hello, this is text", "no picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "damaged|no picture"),
        (b"%PDF-1.7 ...", "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "no picture"),
    ],
    ids=["empty", "text", "header only", "pdf", "svg", "postscript"],
)
def test_what_is_no_picture_is_refused_by_name(content, message):
    with pytest.raises(ImageError, match=message) as caught:
        read_image(content, name="shoe.png")
    assert "shoe.png" in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(keep=st.floats(0, 0.98), kind=st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]))
def test_truncated_pictures_are_refused(keep, kind):
    noise = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    content = png(Image.fromarray(noise), format=kind)
    with pytest.raises(ImageError, match=r"damaged|no picture"):
        read_image(content[: int(keep * len(content))])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]))
def test_changed_bytes_never_raise_anything_else(data, kind):
    content = bytearray(png(Image.fromarray(gradient()), format=kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        grey = read_image(bytes(content))
    except ImageError:
        return
    assert grey.ndim == 2
    assert max(grey.shape) <= pictures.LARGEST_SIDE


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7)])
def test_tiny_pictures_are_refused(size):
    with pytest.raises(ImageError, match=f"{size[0]} x {size[1]} pixels; at least 8 x 8"):
        read_image(png(Image.new("L", size)))


@pytest.mark.parametrize("side", [5000, 12_000, 40_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_is_unpacked(side):
    bomb = bytearray(png(Image.new("1", (8, 8))))
    bomb[12:24] = b"IHDR" + struct.pack(">II", side, side)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    with pytest.raises(ImageError, match=r"limit for PNG is 16 million|far too many pixels"):
        read_image(bytes(bomb), name="bomb.png")


def test_a_heavy_file_is_refused_unread(tmp_path):
    path = tmp_path / "heavy.png"
    with path.open("wb") as handle:
        handle.truncate(pictures.LARGEST_FILE + 1)
    with pytest.raises(ImageError, match=r"heavy.png has 20.0 MB; the limit is 20 MB"):
        read_image(path)
    with pytest.raises(ImageError, match="limit is 20 MB"):
        read_image(path.read_bytes())


@pytest.mark.parametrize("path", ["missing.png", ".", "nul\0byte.png"])
def test_a_path_that_cannot_be_opened_is_named(tmp_path, path):
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(f"{tmp_path}/{path}" if path != "." else tmp_path)


def test_floating_point_pictures_with_nan_are_refused():
    values = np.zeros((20, 20), np.float32)
    values[3, 3] = np.nan
    with pytest.raises(ImageError, match="damaged"):
        read_image(png(Image.fromarray(values), format="TIFF"))


def test_reading_leaves_no_file_open(tmp_path):
    path = Path(tmp_path / "open.png")
    Image.fromarray(gradient()).save(path)
    read_image(path)
    path.unlink()
    assert not path.exists()
