"""What an image may be: the same pixels arrive, whatever it was."""

from __future__ import annotations

import http.server
import io
import threading

import numpy as np
import pytest
from conftest import FIXTURES

from vitscope import images, web

Pillow = pytest.importorskip("PIL.Image", reason="these compare with Pillow")


def opened(image: images.Image) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(image.blob.bytes())))


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBa", "L", "LA", "P", "1", "CMYK", "YCbCr", "HSV"])
def test_pillows_images_are_what_pillow_makes_rgb(mode):
    source = Pillow.fromarray(random(5, 7, 3)).convert(mode if mode != "RGBa" else "RGBA").convert(mode)
    made = images.of(source)
    assert (made.kind, made.type) == ("file", "image/png")
    assert np.array_equal(opened(made), np.asarray(source.convert("RGB")))


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_pillows_images_that_are_no_pictures_are_refused(mode):
    """Nothing says what is black and white in them; Pillow would clip what is over 255."""
    with pytest.raises(ValueError, match=rf"mode {mode}.*\.$"):
        images.of(Pillow.new(mode, (2, 2)))


def test_pillows_images_that_were_cut_are_refused(photo):
    """Which Pillow notices when it needs their pixels."""
    with pytest.raises(ValueError, match=r"mode RGB, can't be read .*\.$"):
        images.of(Pillow.open(io.BytesIO(photo.read_bytes()[:5000])))


def test_what_is_transparent_lies_over_white():
    """By the package's rounding, whatever has it: an array, or Pillow's image by its mode or its mark."""
    picture = random(64, 64, 4)
    colour, alpha = picture[..., :3].astype(int), picture[..., 3:].astype(int)
    expected = np.floor((colour * alpha + 255 * (255 - alpha)) / 255 + 0.5)
    assert np.array_equal(opened(images.of(picture)), expected)
    assert np.array_equal(opened(images.of(Pillow.fromarray(picture))), expected)
    grey = Pillow.fromarray(picture[..., 0])
    grey.info["transparency"] = int(picture[0, 0, 0])
    assert opened(images.of(grey))[0, 0].tolist() == [255] * 3
    marked = Pillow.new("P", (2, 2))
    marked.info["transparency"] = 0
    assert opened(images.of(marked)).min() == 255


@pytest.mark.parametrize("shape", [(5, 7, 3), (1, 1, 3), (64, 3, 3), (300, 200, 3)])
def test_arrays_arrive_to_the_bit(shape):
    array = random(*shape)
    assert np.array_equal(opened(images.of(array)), array)
    assert np.array_equal(opened(images.of(array[:, ::-1])), array[:, ::-1])


def test_arrays_of_other_layouts():
    array = random(6, 5, 4)
    grey = random(6, 5)
    for own in (grey, grey[..., None]):
        assert np.array_equal(opened(images.of(own)), np.stack([grey] * 3, 2))
    assert np.array_equal(opened(images.of(np.moveaxis(array[..., :3], 2, 0))), array[..., :3])


def test_files_go_as_they_are(tmp_path, photo):
    """Their bytes, which the page decodes; by what is in them, not by their names."""
    for format, type in (
        ("JPEG", "jpeg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("GIF", "gif"),
        ("BMP", "bmp"),
        ("AVIF", "avif"),
    ):
        path = tmp_path / f"picture.{format}.txt"
        Pillow.fromarray(random(8, 8, 3)).save(path, format)
        made = images.of(str(path))
        assert (made.title, made.type) == (path.name, f"image/{type}")
        assert made.blob.bytes() == path.read_bytes()
    assert images.of(photo.read_bytes()).type == "image/jpeg"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_pixel_values_arrive_as_float32(dtype):
    values = np.random.default_rng(0).normal(size=(3, 4, 6)).astype(dtype)
    for own in (values, values[None]):
        check_pixels(own, values)


def check_pixels(given, values: np.ndarray) -> None:
    (made,) = images.several(given)
    assert (made.kind, made.shape) == ("pixels", list(values.shape))
    assert np.array_equal(np.frombuffer(made.blob.bytes(), "<f4").reshape(values.shape), values.astype(np.float32))
    assert made.state()["shown"]["size"] == made.shown.size


def test_tensors_of_torch_are_arrays():
    """Of any dtype, also those that numpy has not, and of what requires a gradient."""
    torch = pytest.importorskip("torch")
    values = torch.linspace(-2, 2, 72).reshape(3, 4, 6)
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        own = values.to(dtype)
        check_pixels(own.clone().requires_grad_(), own.float().numpy())
    pixels = torch.from_numpy(random(3, 5, 7))
    assert np.array_equal(opened(images.of(pixels)), np.moveaxis(pixels.numpy(), 0, 2))


def test_what_shows_pixel_values_is_the_picture_they_are_of():
    """By the processor's mean and deviation; without, from the darkest to the brightest."""
    picture = random(6, 5, 3)
    mean, std = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]
    values = np.moveaxis((picture / 255 - mean) / std, 2, 0).astype(np.float32)

    def shown(normalisation) -> np.ndarray:
        return np.asarray(Pillow.open(io.BytesIO(images.of(values, normalisation).shown.bytes())))

    assert np.array_equal(shown((mean, std)), picture)
    assert (shown(None).min(), shown(None).max()) == (0, 255)
    assert images.of(np.zeros((3, 2, 2), np.float32)).shown.size  # of one value


def test_several_have_titles(photo):
    made = images.several([photo, random(4, 4, 3), random(4, 4, 3)])
    assert [image.title for image in made] == [photo.name, "image 2", "image 3"]
    assert [image.title for image in images.several({"a": photo, 2: photo})] == ["a", "2"]
    assert len(images.several({"pixel_values": np.zeros((2, 3, 4, 4), np.float32)})) == 2
    assert len(images.several(random(2, 4, 4, 3))) == 2


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((4, 4, 3), np.float32), r"uint8.*\(255 \* array\)"),
        (np.zeros((4, 4, 3), np.int64), "uint8, not int64"),
        (np.zeros((4, 4, 3), bool), "uint8, not bool"),
        (np.zeros((1, 4, 4), np.float32), r"\[3, H, W\]"),
        (np.full((3, 4, 4), np.nan), "not finite"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 \[H, W, 3\]"),
        (b"no image", "open it with Pillow"),
        (7, "not int"),
        (None, "not NoneType"),
        ([], "needs an image"),
        ("nowhere.jpg", "There is no image 'nowhere.jpg'"),
        ("/", "is a folder"),
        ("", "There is no image ''"),
        ("a" * 300, "can't be read"),
        ("a\0b", "can't be read"),
        (str(FIXTURES / "README.md" / "x"), "There is no image"),
        ("~nobody-of-that-name/x", "There is no image"),
        (Pillow.new("RGB", (0, 3)), "3 high and 0 wide"),
        ("http://[", "can't be fetched"),
    ],
)
def test_refuses_in_one_sentence(image, says):
    with pytest.raises((ValueError, TypeError, OSError), match=says) as caught:
        images.several(image)
    assert str(caught.value).endswith(".")


@pytest.fixture
def server(photo):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/broken":
                self.wfile.write(b"no HTTP\r\n\r\n")
                return
            there = self.path.startswith(("/cat.jpg", "/my%20c%C3%A4t.jpg?a=%20"))
            self.send_response(200 if there else 404)
            self.end_headers()
            self.wfile.write(photo.read_bytes() if there else b"no")

        def log_message(self, *_) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_urls_are_fetched(server, photo, monkeypatch):
    made = images.of(f"{server}/cat.jpg?size=large")
    assert (made.title, made.blob.bytes()) == ("cat.jpg", photo.read_bytes())
    for given in (f"{server}/my cät.jpg?a=%20", server.replace("http", "HTTP") + "/cat.jpg"):
        assert images.of(given).blob.bytes() == photo.read_bytes()
    with pytest.raises(OSError, match=r"broken can't be fetched .*\.$"):
        images.of(f"{server}/broken")
    with pytest.raises(OSError, match="HTTP status 404"):
        images.of(f"{server}/dog.jpg")
    monkeypatch.setattr(web, "LARGEST", 1000)
    with pytest.raises(OSError, match="smaller one"):
        images.of(f"{server}/cat.jpg")
    server_gone = server.rsplit(":", 1)[0] + ":1"
    with pytest.raises(OSError, match="can't be fetched"):
        images.of(f"{server_gone}/cat.jpg")
