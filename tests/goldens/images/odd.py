"""Draws small odd files of the formats that are read, and records Pillow's verdict on each: size, mode kind and sha256 of the RGB bytes, or its refusal.

bench/peer/python tests/goldens/images/odd.py [FOLDER]      writes odd/ beside this script (or FOLDER) and expected.json in it

Made with Pillow 12.3.0 (libjpeg-turbo 3.1.3, zlib 1.3.2, libwebp 1.6.0). What that version decides: missing palette entries are black (greys before), grey of
16 bits opens as I;16 (of which convert makes white above 255; the reader refuses such files, see OWN), a 16-bit LA opens as RGBA, and a JPEG without its end
marker is read where the decoder had all rows without asking for more. OWN names the files on which the reader departs from Pillow on purpose.
"""
import ctypes, glob, hashlib, io, json, os, struct, sys, warnings, zlib
import numpy as np
import PIL
from PIL import Image

warnings.simplefilter("ignore")
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "odd")
OWN = {"png_grey16.png": "16 bits", "png_grey16_dark.png": "16 bits", "png_grey16_transparent.png": "16 bits"}
# libjpeg-turbo 3.0.1 changed the smoothing at the edges of pictures whose scans are missing, where chroma is halved vertically.
SMOOTHED = ["jpg_progressive_420_1_scans.jpg", "jpg_progressive_420_2_scans.jpg", "jpg_progressive_420_3_scans.jpg"]
FILES = {}
WIDTH, HEIGHT = 27, 21


def picture(width=WIDTH, height=HEIGHT, seed=0):
    """Smooth colours, hard edges and some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    rgb = np.stack([x * 255 / max(width - 1, 1), y * 255 / max(height - 1, 1), 127 + 127 * np.sin(x / 3 + y / 5)], axis=2)
    rgb[height // 3: height // 2, width // 4: width // 2] = (255, 255, 0)
    rgb[height // 2:, width // 2:] = rng.integers(0, 256, (height - height // 2, width - width // 2, 3))
    return Image.fromarray(rgb.clip(0, 255).astype(np.uint8), "RGB")


def faded(image):
    image = image.copy()
    image.putalpha(Image.fromarray((np.arange(image.width * image.height) * 7 % 256).astype(np.uint8).reshape(image.height, image.width), "L"))
    return image


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def add(name, data):
    assert name not in FILES, name
    FILES[name] = bytes(data)


def at(data, place, value):
    """The bytes with some of them replaced from a place on."""
    return data[:place] + bytes(value) + data[place + len(value):]


# JPEG ------------------------------------------------------------------------------------------------------------------------------------------------------

def segment(marker, data, length=None):
    return bytes([0xFF, marker]) + struct.pack(">H", (len(data) if length is None else length) + 2) + data


def scans(data):
    """Where the scans begin (their FF DA)."""
    return [i for i in range(2, len(data) - 1) if data[i] == 0xFF and data[i + 1] == 0xDA]


def arithmetic(image, quality=85):
    """TurboJPEG packs arithmetically where its environment says so."""
    os.environ["TJ_ARITHMETIC"] = "1"
    places = glob.glob(os.path.expanduser("~/.cache/fovea/*/usr/lib/*/libturbojpeg.so.0")) + ["libturbojpeg.so.0"]
    tj = ctypes.CDLL(places[0])
    tj.tjInitCompress.restype = ctypes.c_void_p
    target, size = ctypes.c_void_p(), ctypes.c_ulong()
    handle, rgb = ctypes.c_void_p(tj.tjInitCompress()), image.convert("RGB").tobytes()
    assert tj.tjCompress2(handle, rgb, image.width, 0, image.height, 0, ctypes.byref(target), ctypes.byref(size), 2, quality, 0) == 0
    data = ctypes.string_at(target, size.value)
    assert b"\xff\xc9" in data
    return data


def jpegs():
    image = picture()
    ok, grey, progressive = encoded(image, "JPEG", quality=85), encoded(image.convert("L"), "JPEG"), encoded(image, "JPEG", progressive=True)
    end, scan, frame = len(ok) - 2, scans(ok)[0], ok.index(b"\xff\xc0")
    cmyk = encoded(image.convert("CMYK"), "JPEG")
    adobe, cmyk_frame = cmyk.index(b"\xff\xee"), cmyk.index(b"\xff\xc0")
    add("jpg_ok.jpg", ok)
    add("jpg_extension.png", ok)
    add("jpg_no_extension", ok)
    # Behind the picture.
    add("jpg_motion_ftyp.jpg", ok + b"\0\0\0\x18ftypmp42" + bytes(range(256)))
    add("jpg_motion_ffda.jpg", ok + b"\0\0\0\x18ftypmp42\xff\xda\xff\xda" + bytes(64))
    add("jpg_motion_ffda_ffd9.jpg", ok + b"\xff\xda\0\x01\xff\xd9\xff\xda\0\x02")
    add("jpg_two_pictures.jpg", ok + encoded(picture(seed=5), "JPEG"))
    add("jpg_zeros_behind.jpg", ok + bytes(700))
    add("jpg_two_ends.jpg", ok + b"\xff\xd9")
    add("jpg_comment_before_end.jpg", ok[:end] + segment(0xFE, b"late") + ok[end:])
    add("jpg_garbage_before_end.jpg", ok[:end] + b"\x12\x34\x56" + ok[end:])
    add("jpg_unknown_before_end.jpg", ok[:end] + b"\xff\xf0" + ok[end:])
    add("jpg_scan_before_end.jpg", ok[:end] + ok[scan:])
    add("jpg_half_segment_behind_rows.jpg", ok[:end] + segment(0xE5, b"abc", 4000))
    # Too short.
    add("jpg_cut_half.jpg", ok[:scan + (end - scan) // 2])
    add("jpg_cut_10.jpg", ok[:-10])
    add("jpg_cut_header.jpg", ok[:scan - 30])
    add("jpg_cut_in_scan_header.jpg", ok[:scan + 7])
    add("jpg_cut_progressive_end.jpg", progressive[:-2])
    add("jpg_cut_progressive_half.jpg", progressive[:len(progressive) // 2])
    add("jpg_cut_with_end.jpg", ok[:scan + (end - scan) // 2] + b"\xff\xd9")
    for seed in range(400):
        sides = np.random.default_rng(seed).integers(5, 40, 2)
        small = encoded(picture(int(sides[0]), int(sides[1]), seed), "JPEG", quality=30 + seed % 60)[:-2]
        found = {"jpg_no_end_read.jpg": True, f"jpg_no_end_{seed}.jpg": seed < 4}
        for name, keep in found.items():
            if keep and name not in FILES and (verdict(small)["refused"] is None) == (name == "jpg_no_end_read.jpg"):
                add(name, small)
    # Odd headers.
    add("jpg_sos_se0.jpg", at(ok, scan + 12, [0]))
    add("jpg_sos_ss5.jpg", at(ok, scan + 11, [5]))
    add("jpg_sos_ahal.jpg", at(ok, scan + 13, [0x21]))
    add("jpg_sos_two_tables.jpg", at(ok, scan + 6, [0x33]))
    add("jpg_sos_no_component.jpg", at(ok, scan + 4, [0]))
    add("jpg_jfif2.jpg", at(ok, 11, [2, 9]))
    add("jpg_jfif_short.jpg", ok[:2] + segment(0xE0, b"JFIF\0") + ok[20:])
    add("jpg_no_jfif.jpg", ok[:2] + ok[20:])
    add("jpg_two_jfif.jpg", ok[:20] + ok[2:20] + ok[20:])
    add("jpg_fill_bytes.jpg", ok[:2] + b"\xff\xff\xff" + ok[2:])
    add("jpg_garbage_between.jpg", ok[:20] + b"\x11\x22\x33" + ok[20:])
    add("jpg_zero_length_segment.jpg", ok[:20] + b"\xff\xe3\0\0" + ok[20:])
    add("jpg_marker_01.jpg", ok[:20] + b"\xff\x01" + ok[20:])
    add("jpg_marker_f0.jpg", ok[:20] + b"\xff\xf0" + ok[20:])
    add("jpg_marker_02.jpg", ok[:20] + b"\xff\x02\0\x04\1\1" + ok[20:])
    add("jpg_restart_marker_early.jpg", ok[:20] + b"\xff\xd3" + ok[20:])
    add("jpg_second_start.jpg", ok[:20] + b"\xff\xd8" + ok[20:])
    add("jpg_two_frames.jpg", ok[:frame] + ok[frame:frame + 19] + ok[frame:])
    add("jpg_adobe_rgb.jpg", ok[:20] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0") + ok[20:])
    add("jpg_adobe_odd_transform.jpg", ok[:20] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\x07") + ok[20:])
    add("jpg_adobe_only_rgb.jpg", ok[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\0") + ok[20:])
    add("jpg_adobe_short.jpg", ok[:20] + segment(0xEE, b"Adobe") + ok[20:])
    add("jpg_icc_short.jpg", ok[:20] + segment(0xE2, b"ICC_PROFILE\0\1") + ok[20:])
    add("jpg_icc.jpg", encoded(image, "JPEG", icc_profile=bytes(range(200))))
    add("jpg_exif_nonsense.jpg", ok[:20] + segment(0xE1, b"Exif\0\0nonsense") + ok[20:])
    add("jpg_photoshop.jpg", ok[:20] + segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", 5) + b"abcde\0") + ok[20:])
    add("jpg_component_names_rgb.jpg", at(at(ok[:2] + ok[20:], frame - 18 + 10, b"R"), scan - 18 + 5, b"R"))
    add("jpg_12_bits.jpg", at(ok, frame + 4, [12]))
    add("jpg_lossless.jpg", at(ok, frame + 1, [0xC3]))
    add("jpg_extended.jpg", at(ok, frame + 1, [0xC1]))
    add("jpg_hierarchical.jpg", at(ok, frame + 1, [0xC5]))
    add("jpg_two_components.jpg", at(ok, frame + 9, [2]))
    add("jpg_height_0.jpg", at(ok, frame + 5, [0, 0]))
    add("jpg_width_0.jpg", at(ok, frame + 7, [0, 0]))
    add("jpg_taller.jpg", at(ok, frame + 5, [0, 60]))
    add("jpg_flatter.jpg", at(ok, frame + 5, [0, 9]))
    add("jpg_giant.jpg", at(ok, frame + 5, [0xFF, 0xDC, 0xFF, 0xDC]))
    add("jpg_limit.jpg", at(ok, frame + 5, [0x40, 0, 0x40, 0]))
    add("jpg_bad_table.jpg", at(ok, ok.index(b"\xff\xdb") + 4, [0x10]))
    # Kinds.
    add("jpg_grey.jpg", grey)
    add("jpg_grey_sampling.jpg", at(grey, grey.index(b"\xff\xc0") + 11, [0x22]))
    add("jpg_grey_without_jfif.jpg", grey[:2] + grey[20:])
    for name, sampling in [("444", 0), ("422", 1), ("420", 2)]:
        add(f"jpg_{name}.jpg", encoded(image, "JPEG", quality=75, subsampling=sampling))
    add("jpg_440.jpg", at(encoded(image, "JPEG", quality=75, subsampling=1), frame + 11, [0x12]))
    add("jpg_restarts.jpg", encoded(image, "JPEG", restart_marker_blocks=1))
    restarts = encoded(picture(90, 60), "JPEG", restart_marker_blocks=2, quality=50)
    add("jpg_restart_lost.jpg", restarts.replace(b"\xff\xd3", b"\x12\x34"))
    add("jpg_restart_swapped.jpg", restarts.replace(b"\xff\xd3", b"\xff\xd5"))
    add("jpg_cmyk.jpg", cmyk)
    add("jpg_ycck.jpg", at(cmyk, adobe + 15, [2]))
    add("jpg_cmyk_without_adobe.jpg", cmyk[:adobe] + cmyk[adobe + 16:])
    add("jpg_cmyk_cut.jpg", cmyk[:-40])
    assert cmyk[cmyk_frame + 9] == 4
    add("jpg_progressive.jpg", progressive)
    for name, whole in [("420", progressive), ("444", encoded(picture(40, 21), "JPEG", progressive=True, subsampling=0))]:
        for i, place in enumerate(scans(whole)[1:], 1):
            add(f"jpg_progressive_{name}_{i}_scans.jpg", whole[:place] + b"\xff\xd9")
    add("jpg_progressive_scan_lost.jpg", progressive[:scans(progressive)[2]] + progressive[scans(progressive)[3]:])
    # Damaged pixels, of which libjpeg only warns.
    for i, (step, value) in enumerate([(9, 0), (23, 0x55), (31, 0xAA), (40, 0xFE)]):
        add(f"jpg_corrupt_{i}.jpg", at(ok, scan + 14 + step, [value] * 3))
    add("jpg_corrupt_early_end.jpg", at(ok, scan + 60, b"\xff\xd9"))
    add("jpg_corrupt_marker.jpg", at(ok, scan + 60, b"\xff\xe9"))
    add("jpg_corrupt_restart.jpg", at(ok, scan + 60, b"\xff\xd0"))
    add("jpg_corrupt_progressive.jpg", at(progressive, scans(progressive)[1] + 24, [0xAA] * 4))
    coded = arithmetic(image)
    add("jpg_arithmetic.jpg", coded)
    add("jpg_arithmetic_cut.jpg", coded[:-30])
    add("jpg_arithmetic_no_end.jpg", coded[:-2])
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8))
    large = arithmetic(noise, 97)
    assert len(large) > 66000
    add("jpg_arithmetic_large.jpg", large)


# PNG -------------------------------------------------------------------------------------------------------------------------------------------------------

def chunk(kind, data, crc=None):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


MAGIC = b"\x89PNG\r\n\x1a\n"
END = chunk(b"IEND", b"")


def header(width, height, bits, color, packing=0, filtering=0, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, packing, filtering, interlace))


PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def rows(samples, bits, interlaced=False):
    """samples [height, width, channels] -> filtered rows, the filters taking turns."""
    out = bytearray()
    turn = 0
    for x, y, dx, dy in PASSES if interlaced else [(0, 0, 1, 1)]:
        part = samples[y::dy, x::dx]
        if part.shape[0] * part.shape[1] == 0:
            continue
        step = max(1, part.shape[2] * bits // 8)
        above = None
        for line in part.reshape(part.shape[0], -1):
            if bits == 16:
                raw = np.frombuffer(line.astype(">u2").tobytes(), np.uint8)
            elif bits == 8:
                raw = line.astype(np.uint8)
            else:
                raw = np.packbits(((line[:, None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8).reshape(-1))
            raw = raw.astype(int)
            above = np.zeros_like(raw) if above is None else above
            left = np.concatenate([np.zeros(step, int), raw[:-step]])[:len(raw)]
            corner = np.concatenate([np.zeros(step, int), above[:-step]])[:len(raw)]
            kind = turn % 5
            turn += 1
            base = left + above - corner
            distances = np.stack([abs(base - left), abs(base - above), abs(base - corner)])
            paeth = np.choose(distances.argmin(0), [left, above, corner])
            guess = [0, left, above, (left + above) // 2, paeth][kind]
            out += bytes([kind]) + ((raw - guess) % 256).astype(np.uint8).tobytes()
            above = raw
    return bytes(out)


def png(samples, bits, color, extra=b"", interlace=0, data=None, tail=END):
    body = rows(samples, bits, interlace != 0)
    height, width = samples.shape[:2]
    return MAGIC + header(width, height, bits, color, interlace=interlace) + extra + chunk(b"IDAT", zlib.compress(body) if data is None else data) + tail


def pngs():
    image = picture()
    rgb, alpha, grey = np.asarray(image).astype(int), np.asarray(faded(image)).astype(int), np.asarray(image.convert("L")).astype(int)[:, :, None]
    grey_alpha = np.concatenate([grey, alpha[:, :, 3:]], 2)
    palette = chunk(b"PLTE", bytes((i * 37 + 11) % 256 for i in range(768)))
    kinds = {"rgb": (rgb, 8, 2), "rgba": (alpha, 8, 6), "grey": (grey, 8, 0), "grey_alpha": (grey_alpha, 8, 4), "palette": (grey, 8, 3)}
    wide = {name: ((samples * 251 + 77) % 65536, 16, color) for name, (samples, _, color) in kinds.items() if name != "palette"}
    for name, (samples, _, color) in wide.items():
        kinds[name + "16"] = (samples, 16, color)
    for bits in (1, 2, 4):
        kinds[f"grey{bits}"] = (grey >> (8 - bits), bits, 0)
        kinds[f"palette{bits}"] = (grey >> (8 - bits), bits, 3)

    def extra(color, bits):
        return chunk(b"PLTE", bytes((i * 37 + 11) % 256 for i in range(3 << bits))) if color == 3 else b""

    for name, (samples, bits, color) in kinds.items():
        add(f"png_{name}.png", png(samples, bits, color, extra(color, bits)))
        if name != "grey16":
            add(f"png_{name}_interlaced.png", png(samples, bits, color, extra(color, bits), 1))
    for width, height in [(1, 1), (2, 3), (3, 2), (5, 1), (1, 9), (4, 4), (8, 8), (9, 7)]:
        add(f"png_interlaced_{width}x{height}.png", png(rgb[:height, :width], 8, 2, interlace=1))
        add(f"png_interlaced_bits_{width}x{height}.png", png(grey[:height, :width] >> 6, 2, 0, interlace=1))
    add("png_grey16_dark.png", png(grey, 16, 0))
    add("png_grey16_transparent.png", png(grey * 200, 16, 0, chunk(b"tRNS", b"\0\x05")))
    ok = png(rgb, 8, 2)
    body = rows(rgb, 8)
    data = zlib.compress(body)
    idat = ok.index(b"IDAT") - 4
    add("png_extension.jpg", ok)
    # Behind the picture.
    add("png_no_end.png", ok[:-12])
    add("png_half_end.png", ok[:-6])
    add("png_end_bad_crc.png", ok[:-4] + b"abcd")
    add("png_no_sum.png", ok[:-16])
    add("png_garbage_behind.png", ok + b"garbage" * 9)
    add("png_zip_behind.png", ok + b"PK\3\4" + bytes(99))
    add("png_two.png", ok + png(255 - rgb, 8, 2))
    add("png_garbage_chunk_behind_picture.png", ok[:-12] + b"\0\0\0\3!!!!abc")
    add("png_bad_crc_behind_picture.png", ok[:-12] + chunk(b"tEXt", b"a\0b", 7) + END)
    add("png_cut_chunk_behind_picture.png", ok[:-12] + chunk(b"tEXt", b"a\0b" * 40)[:50])
    add("png_short_gamma_behind_picture.png", ok[:-12] + chunk(b"gAMA", b"\1") + END)
    add("png_short_unknown_behind_picture.png", ok[:-12] + chunk(b"abCd", b"") + END)
    add("png_idat_behind.png", ok[:-12] + chunk(b"tIME", bytes(7)) + chunk(b"IDAT", b"more") + END)
    # The packed pixels.
    add("png_many_idat.png", MAGIC + header(WIDTH, HEIGHT, 8, 2) + b"".join(chunk(b"IDAT", data[i:i + 50]) for i in range(0, len(data), 50)) + END)
    add("png_empty_idat.png", MAGIC + header(WIDTH, HEIGHT, 8, 2) + chunk(b"IDAT", b"") + chunk(b"IDAT", data) + chunk(b"IDAT", b"") + END)
    add("png_idat_bad_crc.png", png(rgb, 8, 2, tail=b"")[:-4] + b"abcd" + END)
    split = chunk(b"IDAT", data[:90]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", data[90:])
    add("png_idat_interrupted.png", MAGIC + header(WIDTH, HEIGHT, 8, 2) + split + END)
    add("png_cut_half.png", ok[:len(ok) // 2])
    add("png_cut_last_row.png", ok[:idat + 8 + len(data) - 20])
    add("png_cut_checksum.png", ok[:idat + 8 + len(data) - 2])
    add("png_bad_checksum.png", png(rgb, 8, 2, data=data[:-1] + bytes([data[-1] ^ 1])))
    add("png_no_checksum.png", png(rgb, 8, 2, data=data[:-4]))
    add("png_fewer_rows.png", png(rgb, 8, 2, data=zlib.compress(body[:(WIDTH * 3 + 1) * 9])))
    add("png_fewer_rows_palette.png", png(grey, 8, 3, palette, data=zlib.compress(rows(grey, 8)[:(WIDTH + 1) * 9])))
    add("png_fewer_bytes.png", png(rgb, 8, 2, data=zlib.compress(body[:(WIDTH * 3 + 1) * 9 + 5])))
    add("png_more_rows.png", png(rgb, 8, 2, data=zlib.compress(body + body)))
    add("png_garbage_in_idat.png", png(rgb, 8, 2, data=data + b"garbage"))
    add("png_no_rows.png", png(rgb, 8, 2, data=zlib.compress(b"")))
    add("png_fewer_rows_interlaced.png", png(rgb, 8, 2, interlace=1, data=zlib.compress(rows(rgb, 8, True)[:(4 * 3 + 1) * 3])))
    add("png_not_zlib.png", png(rgb, 8, 2, data=b"\x12\x34" + data[2:]))
    add("png_corrupt.png", png(rgb, 8, 2, data=at(data, len(data) // 2, [255 - data[len(data) // 2]])))
    add("png_filter_7.png", png(rgb, 8, 2, data=zlib.compress(at(body, WIDTH * 3 + 1, [7]))))
    add("png_small_window.png", png(rgb, 8, 2, data=(lambda z: z.compress(body) + z.flush())(zlib.compressobj(9, zlib.DEFLATED, 9))))
    add("png_stored.png", png(rgb, 8, 2, data=zlib.compress(body, 0)))
    # Headers.
    add("png_zero_width.png", MAGIC + header(0, 5, 8, 2) + chunk(b"IDAT", zlib.compress(b"\0" * 5)) + END)
    add("png_zero_height.png", MAGIC + header(5, 0, 8, 2) + chunk(b"IDAT", zlib.compress(b"")) + END)
    add("png_giant.png", MAGIC + header(20000, 20000, 8, 2) + chunk(b"IDAT", data) + END)
    add("png_negative.png", MAGIC + header(0x80000005, 5, 8, 2) + chunk(b"IDAT", data) + END)
    add("png_wide.png", MAGIC + header(30000, 2, 1, 0) + chunk(b"IDAT", zlib.compress((b"\0" + b"\xA7" * 3750) * 2)) + END)
    add("png_tall.png", MAGIC + header(1, 70000, 8, 0) + chunk(b"IDAT", zlib.compress(b"\0\x99\0\x11" * 35000)) + END)
    add("png_bits_3.png", MAGIC + header(WIDTH, HEIGHT, 3, 2) + chunk(b"IDAT", data) + END)
    add("png_rgb_4_bits.png", MAGIC + header(WIDTH, HEIGHT, 4, 2) + chunk(b"IDAT", data) + END)
    add("png_color_5.png", MAGIC + header(WIDTH, HEIGHT, 8, 5) + chunk(b"IDAT", data) + END)
    add("png_packing_1.png", MAGIC + header(WIDTH, HEIGHT, 8, 2, packing=1) + chunk(b"IDAT", data) + END)
    add("png_filtering_1.png", MAGIC + header(WIDTH, HEIGHT, 8, 2, filtering=1) + chunk(b"IDAT", data) + END)
    add("png_interlace_2.png", png(rgb, 8, 2, interlace=2))
    add("png_long_header.png", MAGIC + chunk(b"IHDR", header(WIDTH, HEIGHT, 8, 2)[8:21] + b"more") + chunk(b"IDAT", data) + END)
    add("png_short_header.png", MAGIC + chunk(b"IHDR", header(WIDTH, HEIGHT, 8, 2)[8:20]) + chunk(b"IDAT", data) + END)
    add("png_header_bad_crc.png", at(ok, 29, b"abcd"))
    add("png_header_late.png", MAGIC + chunk(b"tEXt", b"a\0b") + ok[8:])
    add("png_header_missing.png", MAGIC + chunk(b"IDAT", data) + END)
    add("png_two_headers.png", ok[:33] + header(WIDTH, 5, 8, 2) + ok[33:])
    add("png_no_picture.png", MAGIC + header(WIDTH, HEIGHT, 8, 2) + END)
    add("png_only_magic.png", MAGIC)
    add("png_bad_name.png", ok[:33] + chunk(b"a!cd", b"") + ok[33:])
    add("png_unknown_critical.png", ok[:33] + chunk(b"ABCD", b"x") + ok[33:])
    for name, data_of in {"gAMA": b"\0\1\x86\xa0", "cHRM": bytes(32), "sRGB": b"\0", "pHYs": bytes(9), "tEXt": b"k\0v", "zTXt": b"k\0\0" + zlib.compress(b"v"),
                          "iTXt": b"k\0\1\0en\0t\0" + zlib.compress(b"v"), "iCCP": b"icc\0\0" + zlib.compress(b"profile"), "tRNS": bytes(6), "bKGD": bytes(6),
                          "tIME": bytes(7), "eXIf": b"MM\0*\0\0\0\x08", "abCd": b"own"}.items():
        kind = name.encode()
        add(f"png_chunk_{name}.png", ok[:33] + chunk(kind, data_of) + ok[33:])
        add(f"png_chunk_{name}_bad_crc.png", ok[:33] + chunk(kind, data_of, 5) + ok[33:])
        add(f"png_chunk_{name}_short.png", ok[:33] + chunk(kind, data_of[:-1]) + ok[33:])
        add(f"png_chunk_{name}_empty.png", ok[:33] + chunk(kind, b"") + ok[33:])
    add("png_profile_bomb.png", ok[:33] + chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(1 << 21))) + ok[33:])
    add("png_text_bomb.png", ok[:33] + chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 21))) + ok[33:])
    add("png_profile_corrupt.png", ok[:33] + chunk(b"iCCP", b"icc\0\0nonsense") + ok[33:])
    add("png_text_odd_packing.png", ok[:33] + chunk(b"zTXt", b"k\0\1abc") + ok[33:])
    # Palettes and transparent colours.
    add("png_palette_none.png", png(grey, 8, 3))
    add("png_palette_short.png", png(grey, 8, 3, chunk(b"PLTE", bytes(range(50, 200)))))
    add("png_palette_odd.png", png(grey, 8, 3, chunk(b"PLTE", bytes(range(50, 201)))))
    add("png_palette_empty.png", png(grey, 8, 3, chunk(b"PLTE", b"")))
    add("png_palette_257.png", png(grey, 8, 3, chunk(b"PLTE", bytes(771))))
    add("png_palette_768_and_2.png", png(grey, 8, 3, chunk(b"PLTE", bytes(i % 251 for i in range(770)))))
    add("png_palette_twice.png", png(grey, 8, 3, palette + chunk(b"PLTE", bytes(255 - i % 256 for i in range(768)))))
    add("png_palette_late.png", png(grey, 8, 3, tail=palette + END))
    add("png_palette_in_rgb.png", png(rgb, 8, 2, palette))
    add("png_palette_grey_ramp.png", png(grey, 8, 3, chunk(b"PLTE", bytes(i // 3 for i in range(768)))))
    add("png_palette_one_transparent.png", png(grey, 8, 3, palette + chunk(b"tRNS", b"\xff\xff\0\xff")))
    add("png_palette_opacities.png", png(grey, 8, 3, palette + chunk(b"tRNS", bytes(range(200)))))
    add("png_palette_long_tRNS.png", png(grey, 8, 3, palette + chunk(b"tRNS", bytes(300))))
    add("png_rgb_transparent.png", png(rgb, 8, 2, chunk(b"tRNS", b"\0\xff\0\xff\0\0")))
    add("png_grey_transparent.png", png(grey, 8, 0, chunk(b"tRNS", b"\0\x10")))
    add("png_bits_transparent.png", png(grey >> 7, 1, 0, chunk(b"tRNS", b"\0\1")))
    add("png_opaque.png", png(np.concatenate([rgb, np.full_like(grey, 255)], 2), 8, 6))
    # Animations.
    frames = encoded(image, "PNG", save_all=True, append_images=[picture(seed=1), picture(seed=2)], duration=50)
    add("apng.png", frames)
    add("apng_default_image.png", encoded(image, "PNG", save_all=True, append_images=[picture(seed=1)], default_image=True))
    add("apng_cut_second.png", frames[:frames.index(b"fdAT") + 40])
    control = lambda seq, w, h, x, y: chunk(b"fcTL", struct.pack(">IIIIIHHBB", seq, w, h, x, y, 1, 10, 0, 0))
    small = rgb[:6, :8]
    packed = chunk(b"IDAT", zlib.compress(rows(small, 8)))
    acting = MAGIC + header(WIDTH, HEIGHT, 8, 2) + chunk(b"acTL", struct.pack(">II", 1, 0))
    add("apng_small_first.png", acting + control(0, 8, 6, 3, 2) + packed + END)
    add("apng_first_outside.png", acting + control(0, 8, 6, WIDTH - 5, 2) + packed + END)
    add("apng_first_empty.png", acting + control(0, 0, 6, 0, 0) + packed + END)
    add("apng_bad_number.png", acting + control(1, 8, 6, 3, 2) + packed + END)
    add("apng_no_frames.png", acting.replace(chunk(b"acTL", struct.pack(">II", 1, 0)), chunk(b"acTL", bytes(8))) + control(0, 8, 6, 3, 2) + packed + END)
    add("apng_short_acTL.png", MAGIC + header(WIDTH, HEIGHT, 8, 2) + chunk(b"acTL", bytes(7)) + chunk(b"IDAT", data) + END)
    add("apng_fdAT_first.png", acting + control(0, WIDTH, HEIGHT, 0, 0) + chunk(b"fdAT", struct.pack(">I", 1) + data) + END)
    add("apng_fdAT_without_number.png", acting + chunk(b"fdAT", struct.pack(">I", 0) + data) + END)
    add("apng_small_interlaced.png", MAGIC + header(WIDTH, HEIGHT, 8, 2, interlace=1) + chunk(b"acTL", struct.pack(">II", 1, 0)) + control(0, 8, 6, 3, 2)
        + chunk(b"IDAT", zlib.compress(rows(small, 8, True))) + END)


# GIF -------------------------------------------------------------------------------------------------------------------------------------------------------

def blocks(data, size=255):
    return b"".join(bytes([len(data[i:i + size])]) + data[i:i + size] for i in range(0, len(data), size)) + b"\0"


def lzw(indices, bits):
    """Codes of one pixel each, with a clear before the table would grow."""
    out, filled, count = 0, 0, 0
    def put(code):
        nonlocal out, filled
        out |= code << filled
        filled += bits + 1
    for i, index in enumerate(indices):
        if i % ((1 << bits) - 2) == 0:
            put(1 << bits)
        put(int(index))
    put((1 << bits) + 1)
    return out.to_bytes((filled + 7) // 8, "little")


def gif(width, height, frame, indices, bits=8, palette=None, local=None, before=b"", flags=0, data=None, tail=b"\x3b", code_bits=None):
    table = lambda colors: (0x80 | (int(len(colors) // 3 - 1).bit_length() - 1)) if colors else 0
    return (b"GIF89a" + struct.pack("<HHBBB", width, height, table(palette), 0, 0) + (palette or b"") + before
            + b"\x2c" + struct.pack("<HHHHB", *frame, table(local) | flags) + (local or b"") + bytes([bits if code_bits is None else code_bits])
            + (blocks(lzw(indices, bits)) if data is None else data) + tail)


def gifs():
    image = picture()
    p = image.quantize(60)
    indices = np.asarray(p).reshape(-1)
    colors = bytes((i * 53 + 7) % 256 for i in range(768))
    frame = (0, 0, WIDTH, HEIGHT)
    ok = gif(WIDTH, HEIGHT, frame, indices, palette=colors)
    control = lambda flags, index: b"\x21\xf9\x04" + bytes([flags, 10, 0, index, 0])
    add("gif_ok.gif", ok)
    add("gif_87a.gif", b"GIF87a" + ok[6:])
    add("gif_extension.webp", ok)
    add("gif_88a.gif", b"GIF88a" + ok[6:])
    for kind in ("quantized", "interlaced"):
        add(f"gif_{kind}.gif", encoded(p, "GIF", interlace=kind == "interlaced"))
    add("gif_animated.gif", encoded(p, "GIF", save_all=True, append_images=[picture(seed=1).quantize(60)], duration=50))
    add("gif_long_codes.gif", encoded(picture(150, 90).quantize(256), "GIF"))
    # Behind and inside the picture.
    real = encoded(p, "GIF", interlace=0)
    add("gif_no_trailer.gif", real[:-1])
    add("gif_no_terminator.gif", real[:-2])
    add("gif_garbage_behind.gif", real + b"garbage")
    add("gif_cut_half.gif", real[:len(real) * 2 // 3])
    add("gif_cut_5.gif", real[:-5])
    add("gif_cut_header.gif", real[:9])
    add("gif_cut_palette.gif", real[:60])
    add("gif_cut_before_picture.gif", ok[:13 + 768])
    add("gif_only_trailer.gif", ok[:13 + 768] + b"\x3b")
    packed = lzw(indices, 8)
    add("gif_small_blocks.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors, data=blocks(packed, 7)))
    add("gif_empty_block_inside.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors, data=b"\x05" + packed[:5] + b"\0" + blocks(packed[5:])))
    add("gif_last_block_too_long.gif", gif(
        WIDTH, HEIGHT, frame, indices, palette=colors, data=b"\xff".join([b"", packed[:255]]) + b"\xff" + packed[255:], tail=b""))
    add("gif_early_end_code.gif", gif(WIDTH, HEIGHT, frame, indices[:100], palette=colors))
    add("gif_early_end_code_long.gif", gif(WIDTH, HEIGHT, frame, indices[:100], palette=colors, tail=blocks(packed) * 120))
    add("gif_more_pixels.gif", gif(WIDTH, HEIGHT, frame, np.concatenate([indices, indices]), palette=colors))
    shifted = (int.from_bytes(packed, "little") >> 9).to_bytes(len(packed), "little")
    add("gif_no_first_clear.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors, data=blocks(shifted)))
    add("gif_bad_code.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors, data=blocks(at(packed, 3, b"\xff\xff\xff"))))
    add("gif_no_end_code.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors, data=blocks(packed[:-2])))
    for bits in (0, 1, 2, 12, 13):
        add(f"gif_code_bits_{bits}.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors, code_bits=bits))
    add("gif_two_bits.gif", gif(WIDTH, HEIGHT, frame, indices % 4, bits=2, palette=colors[:12]))
    # Palettes.
    add("gif_no_palette.gif", gif(WIDTH, HEIGHT, frame, indices))
    add("gif_ramp.gif", gif(WIDTH, HEIGHT, frame, indices, palette=bytes(i // 3 for i in range(768))))
    add("gif_short_ramp.gif", gif(WIDTH, HEIGHT, frame, indices, palette=bytes(i // 3 for i in range(48))))
    add("gif_short_palette.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors[:48]))
    add("gif_local.gif", gif(WIDTH, HEIGHT, frame, indices, local=colors))
    add("gif_local_and_global.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors[::-1], local=colors))
    add("gif_local_short.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors, local=colors[:24]))
    add("gif_local_ramp.gif", gif(WIDTH, HEIGHT, frame, indices, palette=colors, local=bytes(i // 3 for i in range(768))))
    # Frames and transparency.
    small = (np.arange(48) * 3 % 256)
    place = (3, 2, 8, 6)
    add("gif_offset.gif", gif(WIDTH, HEIGHT, place, small, palette=colors))
    add("gif_offset_transparent.gif", gif(WIDTH, HEIGHT, place, small, palette=colors, before=control(1, 77)))
    add("gif_offset_grey_transparent.gif", gif(WIDTH, HEIGHT, place, small, before=control(1, 77)))
    add("gif_offset_interlaced.gif", gif(WIDTH, HEIGHT, place, small, palette=colors, flags=0x40))
    add("gif_frame_beyond.gif", gif(6, 5, place, small, palette=colors))
    add("gif_frame_beyond_transparent.gif", gif(6, 5, place, small, palette=colors, before=control(1, 9)))
    add("gif_screen_0.gif", gif(0, 0, (0, 0, 8, 6), small, palette=colors))
    add("gif_frame_0.gif", gif(WIDTH, HEIGHT, (0, 0, 0, 6), small, palette=colors))
    add("gif_all_0.gif", gif(0, 0, (0, 0, 0, 0), small, palette=colors))
    add("gif_giant_screen.gif", gif(65535, 65535, place, small, palette=colors))
    add("gif_giant_frame.gif", gif(9, 9, (0, 0, 65535, 65535), small, palette=colors))
    add("gif_tiny.gif", gif(1, 1, (0, 0, 1, 1), [3], palette=colors))
    for rows_ in (1, 2, 3, 4, 5, 9):
        add(f"gif_interlaced_{rows_}.gif", gif(8, rows_, (0, 0, 8, rows_), np.arange(8 * rows_), palette=colors, flags=0x40))
    # Extensions.
    for name, before in {
            "two_controls": control(1, 5) + control(0, 6), "control_short": b"\x21\xf9\x02\1\0\0", "control_three": b"\x21\xf9\x03\0\0\0\0",
            "control_long": b"\x21\xf9\x06\1\0\0\x07xx\0", "control_empty": b"\x21\xf9\0\0", "comment": b"\x21\xfe\x05hello\0",
            "comment_empty": b"\x21\xfe\0", "netscape": b"\x21\xff\x0bNETSCAPE2.0\x03\1\0\0\0", "netscape_empty": b"\x21\xff\x0bNETSCAPE2.0\0\0",
            "unknown": b"\x21\x77\x03abc\0", "unknown_empty": b"\x21\x77\0\0", "garbage": b"\x01\x02\0\0", "dispose_background": control(0x08, 0),
            "dispose_previous": control(0x0d, 3), "control_cut": b"\x21\xf9"}.items():
        add(f"gif_{name}.gif", gif(WIDTH, HEIGHT, place, small, palette=colors, before=before))


# WebP ------------------------------------------------------------------------------------------------------------------------------------------------------

def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) & 1)


def webp(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended(flags, width=WIDTH, height=HEIGHT):
    return riff(b"VP8X", bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def inner(data, kind):
    """A chunk of a file, with its head."""
    place = data.index(kind, 12)
    length = struct.unpack("<I", data[place + 4:place + 8])[0]
    return data[place:place + 8 + length + (length & 1)]


def webps():
    image = picture()
    lossy, lossless = encoded(image, "WEBP", quality=70), encoded(image, "WEBP", lossless=True)
    lossy_alpha, lossless_alpha = encoded(faded(image), "WEBP", quality=70, exact=True), encoded(faded(image), "WEBP", lossless=True, exact=True)
    add("webp_lossy.webp", lossy)
    add("webp_lossless.webp", lossless)
    add("webp_lossy_alpha.webp", lossy_alpha)
    add("webp_lossless_alpha.webp", lossless_alpha)
    add("webp_extension.gif", lossy)
    add("webp_icc.webp", encoded(image, "WEBP", quality=70, icc_profile=bytes(range(100))))
    add("webp_alpha_icc_exif.webp", encoded(faded(image), "WEBP", quality=70, icc_profile=bytes(range(100)), exif=b"Exif\0\0MM\0*\0\0\0\x08"))
    vp8, alph, vp8l, vp8la = inner(lossy, b"VP8 "), inner(lossy_alpha, b"ALPH"), inner(lossless, b"VP8L"), inner(lossless_alpha, b"VP8L")
    add("webp_garbage_behind.webp", lossy + b"garbage" * 7)
    add("webp_cut_1.webp", lossy[:-1])
    add("webp_cut_half.webp", lossy[:len(lossy) // 2])
    add("webp_cut_header.webp", lossy[:18])
    add("webp_cut_lossless.webp", lossless[:len(lossless) // 2])
    add("webp_size_too_small.webp", at(lossy, 4, struct.pack("<I", len(lossy) - 40)))
    add("webp_size_too_large.webp", at(lossy, 4, struct.pack("<I", len(lossy) + 40)))
    add("webp_size_0.webp", at(lossy, 4, bytes(4)))
    add("webp_chunk_too_large.webp", at(lossy, 16, struct.pack("<I", len(lossy))))
    add("webp_chunk_too_small.webp", at(lossy, 16, struct.pack("<I", (len(lossy) - 20) // 2 * 2 - 60)))
    add("webp_unknown_first.webp", webp(riff(b"abcd", b"efgh"), vp8))
    add("webp_unknown_behind.webp", webp(vp8, riff(b"abcd", b"efgh")))
    add("webp_two_pictures.webp", webp(vp8, vp8))
    add("webp_no_picture.webp", webp(extended(0)))
    add("webp_only_head.webp", webp())
    add("webp_exif_without_flag.webp", webp(extended(0), vp8, riff(b"EXIF", b"Exif\0\0MM\0*\0\0\0\x08")))
    add("webp_canvas_larger.webp", webp(extended(0, WIDTH + 5, HEIGHT), vp8))
    add("webp_canvas_smaller.webp", webp(extended(0, WIDTH - 5, HEIGHT), vp8))
    add("webp_canvas_giant.webp", webp(extended(0, 1 << 14, 1 << 14), vp8))
    add("webp_alpha_without_flag.webp", webp(extended(0), alph, inner(lossy_alpha, b"VP8 ")))
    add("webp_alpha_flag_without_alpha.webp", webp(extended(0x10), vp8))
    add("webp_alpha_behind.webp", webp(extended(0x10), inner(lossy_alpha, b"VP8 "), alph))
    add("webp_lossless_alpha_without_flag.webp", webp(extended(0), vp8la))
    add("webp_extended_lossless.webp", webp(extended(0), vp8l))
    add("webp_two_extended.webp", webp(extended(0), extended(0), vp8))
    add("webp_chunks_between.webp", webp(extended(0), riff(b"abcd", b"efghi"), vp8, riff(b"XMP ", b"<x/>")))
    add("webp_corrupt.webp", at(lossy, len(lossy) // 2, [0x55] * 9))
    add("webp_corrupt_lossless.webp", at(lossless, len(lossless) // 2, [0x55] * 9))
    add("webp_corrupt_head.webp", at(lossy, 23, [0, 0, 0]))
    add("webp_corrupt_alpha.webp", lossy_alpha.replace(alph, at(alph, len(alph) // 2, [0x55] * 9)))
    add("webp_delta_frame.webp", at(lossy, 20, [lossy[20] | 1]))
    moving = encoded(image, "WEBP", save_all=True, append_images=[picture(seed=1)], duration=100, quality=70)
    add("webp_animated.webp", moving)
    add("webp_animated_alpha.webp", encoded(faded(image), "WEBP", save_all=True, append_images=[faded(picture(seed=1))], duration=100, quality=70))
    add("webp_animated_cut.webp", moving[:-30])
    part = encoded(image.crop((0, 0, 10, 8)), "WEBP", quality=70)
    seen = encoded(faded(image.crop((0, 0, 10, 8))), "WEBP", quality=70)

    def frame(chunks, x, y, width=10, height=8, flags=0):
        place = b"".join(v.to_bytes(3, "little") for v in (x // 2, y // 2, width - 1, height - 1, 100))
        return riff(b"ANMF", place + bytes([flags]) + chunks)

    anim = riff(b"ANIM", b"\x10\x20\x30\xff\0\0")
    add("webp_frame_placed.webp", webp(extended(0x02), anim, frame(inner(part, b"VP8 "), 4, 6), frame(inner(part, b"VP8 "), 0, 0)))
    add("webp_frame_placed_alpha.webp", webp(extended(0x12), anim, frame(inner(seen, b"ALPH") + inner(seen, b"VP8 "), 4, 6)))
    add("webp_frame_outside.webp", webp(extended(0x02), anim, frame(inner(part, b"VP8 "), 20, 6)))
    add("webp_frame_other_size.webp", webp(extended(0x02), anim, frame(inner(part, b"VP8 "), 4, 6, 9, 8)))
    add("webp_frame_without_flag.webp", webp(extended(0), anim, frame(inner(part, b"VP8 "), 4, 6)))
    add("webp_frame_empty.webp", webp(extended(0x02), anim, frame(b"", 4, 6)))
    add("webp_no_anim.webp", webp(extended(0x02), frame(inner(part, b"VP8 "), 4, 6)))
    add("webp_still_with_animation_flag.webp", webp(extended(0x02), vp8))


def others():
    image = picture()
    add("other_empty.jpg", b"")
    add("other_text.png", b"not a picture at all")
    add("other_html.jpg", b"<html><body>404</body></html>")
    add("other_zeros.webp", bytes(100))
    add("other_jpg_magic.jpg", b"\xff\xd8\xff")
    add("other_gif_magic.gif", b"GIF89a")
    add("other_riff.webp", b"RIFF\x04\0\0\0WEBP")
    add("other_leading_byte.jpg", b"\0" + encoded(image, "JPEG"))
    add("other_utf8_mark.png", b"\xef\xbb\xbf" + encoded(image, "PNG"))


# -----------------------------------------------------------------------------------------------------------------------------------------------------------

def verdict(data, name=""):
    try:
        opened = Image.open(io.BytesIO(data))
        mode = opened.mode
        rgb = opened.convert("RGB")
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}".split("<_io")[0][:90]}
    return {"refused": None, "size": list(rgb.size), "indexed": mode in ("P", "1"), "mode": mode, "sha256": hashlib.sha256(rgb.tobytes()).hexdigest()}


if __name__ == "__main__":
    jpegs(), pngs(), gifs(), webps(), others()
    os.makedirs(OUT, exist_ok=True)
    for old in os.listdir(OUT):
        os.remove(os.path.join(OUT, old))
    expected = {}
    for name, data in sorted(FILES.items()):
        with open(os.path.join(OUT, name), "wb") as file:
            file.write(data)
        expected[name] = verdict(data)
        if name in OWN:
            expected[name] = {"refused": OWN[name]}
        expected[name]["smoothed"] = name in SMOOTHED
    with open(os.path.join(OUT, "expected.json"), "w") as file:
        json.dump(expected, file, indent=0)
    refused = sum(e["refused"] is not None for e in expected.values())
    print(f"Pillow {PIL.__version__}: {len(expected)} files, {sum(map(len, FILES.values()))} bytes, {refused} refused")
