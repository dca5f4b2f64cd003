using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Models;
using Fovea.Models.MiniMindV;

namespace Fovea.Tests.Parity.MiniMindV;

/// <summary>Ids, masks and pixels against the published datasets and processors (encoded.json, pixels.safetensors of the goldens).</summary>
public sealed class EncodingTests
{
    [Theory]
    [InlineData("a", 25)]
    [InlineData("c", 30)]
    public void Ids_and_trained_tokens_of_every_row_equal_the_originals(string generation, int least)
    {
        using var folder = new MiniMindFolder(generation, "dense");
        var compared = 0;
        foreach (var item in Golden.Json(folder.Data("encoded.json")).GetProperty("encoded").EnumerateArray())
        {
            var (file, row, length) = (item.GetProperty("file").GetString()!, item.GetProperty("row").GetInt32(), item.GetProperty("max_length").GetInt32());
            var keeps = item.TryGetProperty("variant", out var variant) && variant.GetString()!.Contains("kept", StringComparison.Ordinal);
            var own = new MiniMindVOptions { LabelMask = LabelMask.Original, EmptyThinkRatio = keeps ? 1 : 0 };
            var encoder = Families.Of(folder.Path).Process(folder.Path, null, own).NewEncoder(new DataOptions { CutoffLen = length });
            var (ids, labels) = Expected(folder, item, length);
            var conversation = folder.Conversation(file, row);
            if (labels.Skip(1).All(label => label == EncodedSample.Ignored))
            {
                Assert.True(Assert.Throws<BadSampleException>(() => encoder.Encode(conversation)).Sample.TooLong);
                compared++;
                continue;
            }

            var sample = encoder.Encode(conversation);
            Assert.Equal(ids[..sample.Ids.Length], sample.Ids);
            Assert.All(ids[sample.Ids.Length..], id => Assert.Equal(0, id));
            Assert.Equal(labels[..sample.Ids.Length], sample.Labels);
            Assert.All(labels[sample.Ids.Length..], label => Assert.Equal(EncodedSample.Ignored, label));
            Assert.Equal(folder.Images(folder.Rows(file)[row]).Count * folder.ImageTokens, sample.Images.Sum(image => image.Tokens));
            Assert.All(
                sample.Images.SelectMany(image => sample.Ids[image.Offset..(image.Offset + image.Tokens)]), id => Assert.Equal(folder.ImageTokenId, id));
            compared++;
        }

        Assert.True(compared >= least, $"{compared} rows");
    }

    [Fact]
    public void The_mended_mask_trains_the_first_token_and_stops_at_the_end()
    {
        using var folder = new MiniMindFolder("a", "dense");
        var processor = Families.Of(folder.Path).Process(folder.Path, null);
        var sample = processor.NewEncoder(new DataOptions { Dataset = [], CutoffLen = 640 }).Encode(folder.Conversation("train.jsonl", 4));
        var trained = sample.Labels.Where(label => label != EncodedSample.Ignored).ToArray();
        Assert.Equal("A transparent picture, 64% done!</s>\n", processor.Tokenizer.Decode(trained));
    }

    [Fact]
    public void Padding_to_the_cutoff_trains_nothing_more()
    {
        using var folder = new MiniMindFolder("c", "moe");
        var (plain, padded) = (Encode(MoeAuxiliary.Tokens), Encode(MoeAuxiliary.Original));
        Assert.Equal(200, padded.Ids.Length);
        Assert.Equal(plain.TrainedTokens, padded.TrainedTokens);
        Assert.Equal(plain.Ids, padded.Ids[..plain.Ids.Length]);

        EncodedSample Encode(MoeAuxiliary auxiliary) => Families.Of(folder.Path)
            .Process(folder.Path, null, new MiniMindVOptions { MoeAux = auxiliary })
            .NewEncoder(new DataOptions { CutoffLen = 200 }).Encode(folder.Conversation("train.parquet", 1));
    }

    [Fact]
    public void What_is_drawn_for_a_row_is_what_the_published_code_can_make_of_it_in_the_published_shares()
    {
        using var folder = new MiniMindFolder("c", "dense");
        var processor = Families.Of(folder.Path).Process(folder.Path, null, new MiniMindVOptions { AddSystemRatio = 0.2, EmptyThinkRatio = 0.2 });
        var options = new DataOptions { CutoffLen = 400 };
        var (encoder, other) = (processor.NewEncoder(options), processor.NewEncoder(options with { Seed = 43 }));

        // What the original made of each row in three epochs, with the pads written out short.
        var made = Golden.Json(folder.Data("encoded.json")).GetProperty("augmented").EnumerateArray()
            .SelectMany(epoch => epoch.GetProperty("order").EnumerateArray().Zip(epoch.GetProperty("prompts").EnumerateArray()))
            .Select(pair => (Row: pair.First.GetInt32(), Text: pair.Second.GetString()!)).ToList();
        var drawn = new HashSet<(int, string)>();
        var (systems, empty, rows, differ) = (0, 0, 0, 0);
        for (var row = 0; row < 8; row++)
        {
            var conversation = folder.Conversation("train.parquet", row);
            for (var epoch = 0; epoch < 150; epoch++)
            {
                var ids = encoder.Encode(conversation, epoch, row).Ids;
                Assert.Equal(ids, encoder.Encode(conversation, epoch, row).Ids);
                differ += ids.SequenceEqual(other.Encode(conversation, epoch, row).Ids) ? 0 : 1;
                var text = processor.Tokenizer.Decode(ids).Replace(string.Concat(Enumerable.Repeat("<|image_pad|>", 64)), "<64 pads>");
                drawn.Add((row, text));
                rows++;
                systems += text.StartsWith("<|im_start|>system", StringComparison.Ordinal) ? 1 : 0;
                empty += text.Contains("<think>\n\n</think>", StringComparison.Ordinal) ? 1 : 0;
            }
        }

        Assert.All(made, one => Assert.Contains(one, drawn));
        Assert.True(differ > rows / 4, $"{differ} of {rows} rows differ with another seed");
        Assert.InRange((double)systems / rows, 0.16, 0.40); // some rows bring a message of their own
        Assert.InRange((double)empty / rows, 0.10, 0.24); // some rows have reasoning
    }

    [Theory]
    [InlineData("a")]
    [InlineData("c")]
    public void Pixels_equal_the_original_processors(string generation)
    {
        using var folder = new MiniMindFolder(generation, "dense");
        var stage = Families.Of(folder.Path).Process(folder.Path, null).Images;
        using var golden = new Golden(folder.Data("pixels.safetensors"));
        var (mean, deviation) = folder.IsA
            ? ((double[])[0.48145466, 0.4578275, 0.40821073], (double[])[0.26862954, 0.26130258, 0.27577711])
            : ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]);
        foreach (var name in golden.Names)
        {
            var pixels = Picture(folder, stage, name[..2]);
            if (name.EndsWith(".pixel_values", StringComparison.Ordinal))
            {
                var (values, seen) = golden.Pairs(name, pixels);
                Golden.Near(name, values, seen, 1e-6);
                continue;
            }

            var plane = pixels.Length / 3;
            var levels = pixels.Select((pixel, i) => (float)Math.Round(((pixel * deviation[i / plane]) + mean[i / plane]) * 255)).ToArray();
            var (expected, actual) = golden.Pairs(name, levels);
            Assert.Equal(expected, actual);
        }
    }

    private static (int[] Ids, int[] Labels) Expected(MiniMindFolder folder, JsonElement item, int length)
    {
        int[] Ints(string key) => [.. item.GetProperty(key).EnumerateArray().Select(v => v.GetInt32())];
        if (!folder.IsA)
        {
            return (Ints("input_ids"), Ints("labels"));
        }

        // Its dataset gives inputs and targets shifted by one, and a mask of targets.
        var (x, y, mask) = (Ints("X"), Ints("Y"), Ints("loss_mask"));
        Assert.Equal(length - 1, x.Length);
        int[] ids = [.. x, y[^1]];
        int[] labels = [EncodedSample.Ignored, .. y.Zip(mask, (target, trains) => trains == 1 ? target : EncodedSample.Ignored)];
        return (ids, labels);
    }

    /// <summary>[3, side, side] again from patches.</summary>
    private static float[] Picture(MiniMindFolder folder, IMediaProcessor stage, string name)
    {
        var path = folder.Golden($"data/images/{name}.png");
        var (grid, patches) = stage.Process(path).Parts[0];
        var size = (int)Math.Sqrt(stage.PatchLength / 3);
        var side = size * grid.W;
        var pixels = new float[3 * side * side];
        for (var i = 0; i < patches.Length; i++)
        {
            var (patch, inside) = (i / stage.PatchLength, i % stage.PatchLength);
            var (channel, y, x) = (inside / (size * size), inside / size % size, inside % size);
            pixels[(((channel * side) + (patch / grid.W * size) + y) * side) + (patch % grid.W * size) + x] = patches[i];
        }

        return pixels;
    }
}
