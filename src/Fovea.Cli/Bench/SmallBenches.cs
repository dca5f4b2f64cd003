using System.Diagnostics;
using System.Text;
using Fovea.Data.Images;
using Fovea.Data.Tokenizers;
using Fovea.Tensors;

namespace Fovea.Cli.Bench;

/// <summary>Benchmarks that need no model: the image pipeline, the tokenizer, the door to native code.</summary>
public static class SmallBenches
{
    private const int DoorCalls = 200_000;
    private const int ReportedImages = 32;

    /// <summary>Images a second of one thread, from file bytes to patches; a made-up picture of 1024 x 768 without decoding when there are no files.</summary>
    public static SmallResult Images(IReadOnlyList<string> files, int rounds)
    {
        var processor = new Qwen2VlImageProcessor(new Qwen2VlImageSettings());
        var contents = files.Select(path => (Path: path, Bytes: File.ReadAllBytes(path))).ToList();
        var made = contents.Count == 0 ? MadeUp(1024, 768) : null;
        var (decode, process) = (new Timings(), new Timings());
        for (var round = 0; round <= rounds; round++)
        {
            var (decoding, processing) = (0L, 0L);
            for (var i = 0; i < Math.Max(ReportedImages, contents.Count); i++)
            {
                var start = Stopwatch.GetTimestamp();
                var image = made ?? ImageReader.Decode(contents[i % contents.Count].Bytes, contents[i % contents.Count].Path);
                var between = Stopwatch.GetTimestamp();
                processor.Process(image);
                decoding += between - start;
                processing += Stopwatch.GetTimestamp() - between;
            }

            // The first round warms up.
            if (round > 0)
            {
                decode.Add((double)decoding / Stopwatch.Frequency, 0);
                process.Add((double)processing / Stopwatch.Frequency, 0);
            }
        }

        var images = Math.Max(ReportedImages, contents.Count);
        var figures = new Dictionary<string, double> { ["process_images_per_second"] = images / process.Best };
        if (contents.Count > 0)
        {
            figures["decode_images_per_second"] = images / decode.Best;
            figures["pipeline_images_per_second"] = images / (decode.Best + process.Best);
        }

        return new SmallResult("images", figures);
    }

    /// <summary>Megabytes of UTF-8 a second that one thread turns into ids, and back into text.</summary>
    /// <param name="folder">Holds tokenizer.json.</param>
    /// <param name="textFile">Null for a made-up mixture of English, German, Chinese, code and numbers.</param>
    public static SmallResult Tokens(string folder, string? textFile, int rounds)
    {
        var tokenizer = Tokenizer.Load(folder);
        var text = textFile is null ? MadeUpText(1 << 20) : File.ReadAllText(textFile);
        var megabytes = Encoding.UTF8.GetByteCount(text) / 1e6;
        var (encode, decode) = (new Timings(), new Timings());
        var ids = tokenizer.Encode(text);
        for (var round = 0; round < rounds; round++)
        {
            encode.Measure(() => tokenizer.Encode(text));
            decode.Measure(() => tokenizer.Decode(ids));
        }

        return new SmallResult("tokenizer", new Dictionary<string, double>
        {
            ["encode_megabytes_per_second"] = megabytes / encode.Best,
            ["decode_megabytes_per_second"] = megabytes / decode.Best,
            ["bytes_per_token"] = megabytes * 1e6 / ids.Length,
        });
    }

    /// <summary>Microseconds of a call through the door that makes a tensor: a view of, and a product with, one element.</summary>
    public static SmallResult Door(int rounds)
    {
        using var grad = Autograd.NoGrad();
        using var outer = TensorScope.Open("bench");
        var x = CreateOps.Ones([1]);
        var (view, product) = (new Timings(), new Timings());
        for (var round = 0; round <= rounds; round++)
        {
            Repeat(round == 0 ? null : view, () => x.Detach());
            Repeat(round == 0 ? null : product, () => x.Mul(x));
        }

        return new SmallResult("door", new Dictionary<string, double>
        {
            ["detach_microseconds"] = view.Best / DoorCalls * 1e6,
            ["multiply_microseconds"] = product.Best / DoorCalls * 1e6,
        });
    }

    private static void Repeat(Timings? into, Func<Tensor> call)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < DoorCalls; i += 100)
        {
            using var scope = TensorScope.Open("bench");
            for (var j = 0; j < 100; j++)
            {
                call();
            }
        }

        into?.Add(Stopwatch.GetElapsedTime(start).TotalSeconds, 0);
    }

    private static RgbImage MadeUp(int width, int height)
    {
        var pixels = new byte[width * height * 3];
        new Random(1).NextBytes(pixels);
        return new RgbImage(width, height, pixels);
    }

    private static string MadeUpText(int characters)
    {
        string[] pieces =
        [
            "The quick brown fox jumps over the lazy dog, and nobody knows why it wasn't asleep. ",
            "Übermäßig große Straßenbahnen fahren früh um 7:45 Uhr nach Köln. ",
            "这张图片里有一只猫坐在窗台上，外面正在下雨。",
            "for (int i = 0; i < count; i++) { total += values[i] * 0.25; }\n",
            "Total: 1,234,567.89 EUR on 2024-02-29\n\n",
        ];
        var random = new Random(1);
        var text = new StringBuilder(characters + 128);
        while (text.Length < characters)
        {
            text.Append(pieces[random.Next(pieces.Length)]).Append(random.Next(100000));
        }

        return text.ToString();
    }
}
