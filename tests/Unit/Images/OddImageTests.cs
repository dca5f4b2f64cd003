using System.Security.Cryptography;
using System.Text.Json;
using Fovea.Data.Images;

namespace Fovea.Tests.Unit.Images;

/// <summary>Small odd files of every format, each with Pillow's verdict (goldens/images/odd.py).</summary>
public sealed class OddImageTests
{
    private static readonly string Folder = TestFiles.Golden("images/odd");
    private static readonly Dictionary<string, JsonElement> Verdicts = Read();

    public static TheoryData<string> Formats => ["jpg_", "png_", "apng", "gif_", "webp_", "other_"];

    [Theory]
    [MemberData(nameof(Formats))]
    public void What_Pillow_reads_is_read_to_the_same_pixels_and_what_it_refuses_is_refused(string format)
    {
        var wrong = new List<string>();
        var names = Verdicts.Keys.Where(name => name.StartsWith(format, StringComparison.Ordinal)).ToList();
        foreach (var name in names)
        {
            var (wanted, found) = (Wanted(Verdicts[name]), Found(name, Verdicts[name]));
            if (wanted != found)
            {
                wrong.Add($"{name}: Pillow {wanted} ({Verdicts[name]}), here {found}");
            }
        }

        Assert.True(names.Count >= 9, $"only {names.Count} files");
        Assert.Empty(wrong);
    }

    [Fact]
    public void Every_odd_file_has_a_verdict_and_both_verdicts_are_frequent()
    {
        var files = Directory.EnumerateFiles(Folder).Select(Path.GetFileName).Where(name => name != "expected.json").Order(StringComparer.Ordinal);

        Assert.Equal(Verdicts.Keys.Order(StringComparer.Ordinal), files);
        Assert.InRange(Verdicts.Values.Count(verdict => IsRefused(verdict)), 100, Verdicts.Count - 200);
    }

    [Fact]
    public void A_refusal_is_one_line_with_the_file_and_the_reason()
    {
        foreach (var name in Verdicts.Keys.Where(name => IsRefused(Verdicts[name])))
        {
            var path = Path.Combine(Folder, name);
            var error = Assert.Throws<ImageException>(() => ImageReader.Read(path));

            Assert.StartsWith($"image {path}: ", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', error.Message);
            Assert.InRange(error.Reason.Length, 10, 200);
        }
    }

    [Fact]
    public void Grey_of_16_bits_is_refused_because_Pillow_makes_white_of_it()
    {
        foreach (var name in new[] { "png_grey16.png", "png_grey16_dark.png", "png_grey16_transparent.png" })
        {
            var error = Assert.Throws<ImageException>(() => ImageReader.Read(Path.Combine(Folder, name)));
            Assert.Contains("16 bits", error.Reason, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("jpg_giant.jpg")]
    [InlineData("jpg_limit.jpg")]
    [InlineData("png_giant.png")]
    [InlineData("gif_giant_screen.gif")]
    [InlineData("gif_giant_frame.gif")]
    [InlineData("webp_canvas_giant.webp")]
    public void A_size_beyond_Pillows_limit_is_refused_before_memory_is_taken(string name)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Folder, name));
        var before = GC.GetAllocatedBytesForCurrentThread();

        var error = Assert.Throws<ImageException>(() => ImageReader.Decode(bytes, name));

        Assert.Contains("decompression bomb", error.Reason, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    private static string Wanted(JsonElement verdict) => IsRefused(verdict)
        ? "refuses it"
        : $"{verdict.GetProperty("size")[0]} x {verdict.GetProperty("size")[1]} {verdict.GetProperty("indexed").GetBoolean()} {Sum(verdict)}";

    private static string Found(string name, JsonElement verdict)
    {
        try
        {
            var path = Path.Combine(Folder, name);
            var image = ImageReader.Read(path, ExifOrientation.Ignore);
            Assert.Equal((image.Width, image.Height), ImageReader.ReadSize(path, ExifOrientation.Ignore));
            var sum = IsSmoothed(verdict) ? Sum(verdict) : Convert.ToHexStringLower(SHA256.HashData(image.Pixels));
            return $"{image.Width} x {image.Height} {image.Indexed} {sum}";
        }
        catch (ImageException)
        {
            return "refuses it";
        }
    }

    private static bool IsRefused(JsonElement verdict) => verdict.GetProperty("refused").ValueKind == JsonValueKind.String;

    /// <summary>Pixels that libjpeg-turbo 3.0.1 changed; which one is here is the system's affair.</summary>
    private static bool IsSmoothed(JsonElement verdict) => verdict.GetProperty("smoothed").GetBoolean();

    private static string? Sum(JsonElement verdict) => verdict.TryGetProperty("sha256", out var sum) ? sum.GetString() : null;

    private static Dictionary<string, JsonElement> Read()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "expected.json")));
        return json.RootElement.EnumerateObject().ToDictionary(file => file.Name, file => file.Value.Clone());
    }
}
