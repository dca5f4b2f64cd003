"""Makes the small odd pictures of this folder and what PIL reads and resizes them to (Debian 12: python3-pil 9.4.0, libjpeg-turbo 2.1.5, libwebp 1.2.4).

python3 make.py            writes decode/ (files and expected .rgb), broken/, resize/ and preresize/ (raw RGB) beside this script
python3 make.py FOLDER     cuts qwen/ out of the reference run's forward.safetensors and data/images (FOLDER = golden/qwen2_5_vl_tiny)
"""
import io, json, os, random, struct, sys, zlib
import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))


def folder(name):
    path = os.path.join(HERE, name)
    os.makedirs(path, exist_ok=True)
    return path


def picture(width, height, seed=0):
    """Smooth colours, hard edges and some noise, so that every filter tap shows."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    rgb = np.stack([x * 255 / max(width - 1, 1), y * 255 / max(height - 1, 1), 127 + 127 * np.sin(x / 3 + y / 5)], axis=2)
    rgb[height // 3: height // 2, width // 4: width // 2] = (255, 255, 0)
    rgb[height // 2:, width // 2:] = rng.integers(0, 256, (height - height // 2, width - width // 2, 3))
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8), "RGB")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, bits, color, rows, extra=b""):
    """A PNG of raw rows, for kinds that PIL does not write."""
    body = b"".join(b"\0" + row for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)) + extra
            + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b""))


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def decode_cases():
    out = folder("decode")
    image = picture(37, 29)
    alpha = image.copy()
    alpha.putalpha(Image.fromarray((np.arange(37 * 29) % 256).astype(np.uint8).reshape(29, 37), "L"))
    cmyk = image.convert("CMYK")
    save = lambda name, source, **options: source.save(os.path.join(out, name), **options)
    save("rgb.jpg", image, quality=90)
    save("rgb444.jpg", image, quality=95, subsampling=0)
    save("rgb422_progressive.jpg", image, quality=70, subsampling=1, progressive=True)
    save("grey.jpg", image.convert("L"), quality=85)
    save("cmyk.jpg", cmyk, quality=90)
    save("restart.jpg", image, quality=85)
    for orientation in range(1, 9):
        save(f"exif{orientation}.jpg", image, quality=85, exif=exif(orientation))
    save("exif6.png", image, exif=exif(6))
    save("exif8.webp", image, quality=80, exif=exif(8))
    save("rgb.png", image)
    save("rgba.png", alpha)
    save("grey.png", image.convert("L"))
    save("grey_alpha.png", alpha.convert("LA"))
    save("bits1.png", image.convert("1"))
    save("palette.png", image.quantize(200))
    save("palette4.png", image.quantize(11), bits=4)
    save("palette_transparent.png", image.quantize(16), transparency=3)
    save("rgb_transparent_gamma.png", image)
    with open(os.path.join(out, "rgb_transparent_gamma.png"), "rb") as file:
        data = file.read()
    extra = chunk(b"gAMA", struct.pack(">I", 100000)) + chunk(b"tRNS", struct.pack(">HHH", 255, 255, 0))
    with open(os.path.join(out, "rgb_transparent_gamma.png"), "wb") as file:
        file.write(data[:33] + extra + data[33:])
    wide = np.asarray(image).astype(np.uint16) * 257 - 100 * (np.asarray(image) > 7)
    with open(os.path.join(out, "rgb16.png"), "wb") as file:
        file.write(png(37, 29, 16, 2, [row.astype(">u2").tobytes() for row in wide]))
    two_bits = np.asarray(image.convert("L")).astype(int) // 64
    rows = [bytes(sum(int(v) << (6 - 2 * i) for i, v in enumerate(np.pad(row, (0, 3))[at:at + 4])) for at in range(0, 37, 4)) for row in two_bits]
    with open(os.path.join(out, "grey2.png"), "wb") as file:
        file.write(png(37, 29, 2, 0, rows))
    save("lossy.webp", image, quality=80)
    save("lossless.webp", image, lossless=True)
    save("lossy_alpha.webp", alpha, quality=80)
    save("lossless_alpha.webp", alpha, lossless=True, exact=True)
    save("animated.webp", image, save_all=True, append_images=[picture(37, 29, 1)], duration=100, quality=80)
    save("rgb.gif", image)
    save("grey.gif", image.convert("L"))
    save("interlaced.gif", image, interlace=1)
    save("transparent.gif", image.quantize(30), transparency=5)
    save("animated.gif", image.quantize(64), save_all=True, append_images=[picture(37, 29, 1).quantize(64)], duration=100)
    # A first frame of 5 x 4 pixels at (3, 2) of a 12 x 10 screen.
    inner = picture(5, 4).quantize(8)
    buffer = io.BytesIO()
    inner.save(buffer, "GIF", interlace=0)
    data = bytearray(buffer.getvalue())
    data[6:10] = struct.pack("<HH", 12, 10)
    at = data.index(b"\x2c\0\0\0\0\x05\0\x04\0")
    data[at + 1: at + 5] = struct.pack("<HH", 3, 2)
    with open(os.path.join(out, "offset.gif"), "wb") as file:
        file.write(data)
    expected = {}
    for name in sorted(os.listdir(out)):
        if name.endswith((".rgb", ".json")):
            continue
        with Image.open(os.path.join(out, name)) as opened:
            mode = opened.mode
            rgb = opened.convert("RGB")
            if name.startswith("exif"):
                with open(os.path.join(out, name + ".upright.rgb"), "wb") as file:
                    file.write(ImageOps.exif_transpose(opened).convert("RGB").tobytes())
        with open(os.path.join(out, name + ".rgb"), "wb") as file:
            file.write(rgb.tobytes())
        expected[name] = [rgb.width, rgb.height, mode in ("P", "1")]
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(expected, file, indent=1)


def broken_cases():
    out = folder("broken")
    image = picture(64, 48, 3)

    def encoded(kind, **options):
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        return buffer.getvalue()

    def write(name, data):
        with open(os.path.join(out, name), "wb") as file:
            file.write(data)

    jpeg, progressive, whole = encoded("JPEG"), encoded("JPEG", progressive=True), encoded("PNG")
    webp, gif = encoded("WEBP"), encoded("GIF")
    write("empty.jpg", b"")
    write("truncated.jpg", jpeg[:len(jpeg) * 2 // 3])
    write("truncated_progressive.jpg", progressive[:len(progressive) * 2 // 3])
    write("header_only.jpg", jpeg[:200])
    write("truncated.png", whole[:len(whole) * 2 // 3])
    write("truncated.webp", webp[:len(webp) * 2 // 3])
    write("truncated.gif", gif[:len(gif) * 2 // 3])
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    write("corrupt.png", flipped)
    write("text.jpg", b"<html>404 not found</html>")
    write("noise.png", bytes(random.Random(5).randrange(256) for _ in range(300)))
    write("zero.png", png(0, 5, 8, 2, []))
    write("huge.png", png(20000, 20000, 8, 2, [b""]))
    write("long.png", png(20001, 1, 8, 2, [b""]))
    write("grey16.png", png(2, 1, 16, 0, [b"\x10\x00\x20\x00"]))
    write("cut_exif.jpg", jpeg[:2] + b"\xff\xe1\x40\x00Exif\0\0")


def resize_cases():
    out = folder("resize")
    filters = {"Nearest": Image.NEAREST, "Bilinear": Image.BILINEAR, "Bicubic": Image.BICUBIC, "Lanczos": Image.LANCZOS}
    cases = []
    image = picture(61, 47, 7)
    with open(os.path.join(out, "source.rgb"), "wb") as file:
        file.write(image.tobytes())
    for name, method in filters.items():
        for width, height in [(28, 28), (112, 56), (61, 20), (17, 47), (1, 1), (60, 48), (7, 90)]:
            file_name = f"{name}_{width}x{height}.rgb"
            with open(os.path.join(out, file_name), "wb") as file:
                file.write(image.resize((width, height), method).tobytes())
            cases.append([name, width, height])
    with open(os.path.join(out, "cases.json"), "w") as file:
        json.dump({"source": [61, 47], "cases": cases}, file)


def preresize(image, max_pixels, min_pixels):
    """LLaMA-Factory's rule for Qwen2-VL: area limits first, in the file's own mode, then RGB, then sides of 28 at least."""
    for beyond, limit in [(lambda area: area > max_pixels, max_pixels), (lambda area: area < min_pixels, min_pixels)]:
        area = image.width * image.height
        if beyond(area):
            factor = (limit / area) ** 0.5
            image = image.resize((int(image.width * factor), int(image.height * factor)))
    image = image.convert("RGB")
    return image.resize((max(image.width, 28), max(image.height, 28))) if min(image.size) < 28 else image


def preresize_cases():
    source, out = folder("decode"), folder("preresize")
    names = ["rgb.jpg", "rgba.png", "grey_alpha.png", "palette.png", "palette_transparent.png", "lossy_alpha.webp", "lossless_alpha.webp", "transparent.gif"]
    for name in names:
        for kind, limits in [("shrunk", (900, 0)), ("grown", (100000, 3000))]:
            with Image.open(os.path.join(source, name)) as opened:
                rgb = preresize(opened, *limits)
            with open(os.path.join(out, f"{name}.{kind}_{rgb.width}x{rgb.height}.rgb"), "wb") as file:
                file.write(rgb.tobytes())


def cut_qwen(source):
    out = folder("qwen")
    with open(os.path.join(source, "forward.safetensors"), "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        start = file.tell()

        def tensor(name):
            begin, end = header[name]["data_offsets"]
            file.seek(start + begin)
            return file.read(end - begin)

        with open(os.path.join(source, "forward.json")) as text:
            samples = {sample["index"]: sample for sample in json.load(text)["first4"]}
        expected = {}
        for index, image in [(0, "000_0.png"), (2, "002_0.png")]:
            with open(os.path.join(source, "data", "images", image), "rb") as picture_file, open(os.path.join(out, image), "wb") as copy:
                copy.write(picture_file.read())
            for kind, key in [("fast", "pixel_values"), ("pil", "pixel_values_pil")]:
                # The second frame repeats the first: keep one.
                values = np.frombuffer(tensor(f"s{index}.{key}"), np.float32).reshape(-1, 3, 2, 196)
                assert (values[:, :, 0] == values[:, :, 1]).all()
                values[:, :, 0].tofile(os.path.join(out, f"{image}.{kind}.f32"))
            expected[image] = samples[index]["image_grid_thw"][0]
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump(expected, file)


if len(sys.argv) > 1:
    cut_qwen(sys.argv[1])
else:
    decode_cases()
    broken_cases()
    resize_cases()
    preresize_cases()
