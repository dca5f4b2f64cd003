using System.Security.Cryptography;
using System.Text.Json;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Generation;
using Fovea.Models;
using Fovea.Models.MiniCpmV;

namespace Fovea.Tests.Parity.MiniCpmV;

/// <summary>Rows of the official format against OpenBMB's own dataset.py (tests/goldens/minicpm_v*/generate.py).</summary>
public sealed class DataTests
{
    [Fact]
    public void Pictures_are_cut_as_the_original_cuts_them()
    {
        var cases = Golden.Json(TestFiles.Golden("minicpm_v26/slicing.json"));
        Assert.Equal(42, cases.GetArrayLength());
        foreach (var known in cases.EnumerateArray())
        {
            int[] Pair(string key) =>
                known.GetProperty(key) is { ValueKind: JsonValueKind.Array } pair ? [.. pair.EnumerateArray().Select(v => v.GetInt32())] : [0, 0];
            var size = Pair("size_wh");
            var plan = SlicePlan.For(
                size[0], size[1], new SliceSettings(known.GetProperty("max_slice_nums").GetInt32(), known.GetProperty("scale_resolution").GetInt32()));
            Assert.Equal(Pair("source_wh"), new[] { plan.Source.Width, plan.Source.Height });
            Assert.Equal(Pair("grid_cols_rows"), new[] { plan.Columns, plan.Rows });
            foreach (var cell in known.GetProperty("cells_wh").EnumerateArray().SelectMany(row => row.EnumerateArray()))
            {
                Assert.Equal((cell[0].GetInt32(), cell[1].GetInt32()), plan.Cell);
            }
        }
    }

    [Theory]
    [InlineData("minicpm_v45", 9)]
    [InlineData("minicpm_v4_derived", 8)]
    [InlineData("minicpm_v26", 8)]
    [InlineData("minicpm_v25", 5)]
    [InlineData("minicpm_v2", 5)]
    public void Ids_labels_places_and_pixels_are_the_original_s(string version, int rows)
    {
        using var run = new OfficialRun(version);
        for (var row = 0; row < rows; row++)
        {
            var (sample, expected) = (run.Encode(row), run.Encoded(row));
            Assert.Equal(Ints(expected, "input_ids"), sample.Ids);
            Assert.Equal(Ints(expected, "target"), Shifted(sample));
            Assert.Equal(
                expected.GetProperty("image_bound").EnumerateArray().Select(b => (b[0].GetInt32(), b[1].GetInt32())),
                sample.Images.Select(i => (i.Offset, i.Offset + i.Tokens)));
            if (expected.GetProperty("tgt_sizes").GetArrayLength() > 0)
            {
                Assert.Equal(
                    expected.GetProperty("tgt_sizes").EnumerateArray().Select(s => (s[0].GetInt32(), s[1].GetInt32())),
                    sample.Images.Select(i => (i.Grid.H, i.Grid.W)));
            }

            var strips = expected.GetProperty("tgt_sizes").GetArrayLength() > 0;
            if (!strips)
            {
                Assert.Equal(
                    expected.GetProperty("pixel_shapes").EnumerateArray().Select(s => (s[1].GetInt32(), s[2].GetInt32())),
                    sample.Images.Select(i => (14 * i.Grid.H, 14 * i.Grid.W)));
            }

            var hashes = expected.GetProperty("pixel_sha256").EnumerateArray().Select(h => h.GetString());
            Assert.Equal(hashes, sample.Images.Select(i => Convert.ToHexStringLower(SHA256.HashData(run.PixelBytes(i, strips)))));
        }
    }

    [Fact]
    public void Truncation_behind_the_images_is_the_original_s_and_inside_one_is_refused()
    {
        var options = OfficialRun.Options("minicpm_v26");
        using var cut = new OfficialRun("minicpm_v26", options with { CutoffLen = 112 });
        var (sample, expected) = (cut.Encode(1), cut.Encoded(10));
        Assert.True(sample.Truncated);
        Assert.Equal(Ints(expected, "input_ids"), sample.Ids);
        Assert.Equal(Ints(expected, "target"), Shifted(sample));

        using var inside = new OfficialRun("minicpm_v26", options with { CutoffLen = 70 });
        var error = Assert.Throws<BadSampleException>(() => inside.Encode(1));
        Assert.True(error.Sample.TooLong);
        Assert.Contains("would cut an image", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Images_that_are_named_out_of_order_go_where_they_are_named()
    {
        using var run = new OfficialRun("minicpm_v26");
        using var data = DatasetLoader.Load(OfficialRun.Options("minicpm_v26"));
        var sample = run.Encoder.Encode(data.Train[5]);
        Assert.Equal(
            ["sq.png", "p.png", "p.png", "p.png", "wide.png", "wide.png", "wide.png"], sample.Images.Select(i => Path.GetFileName(i.Source.Name)));
        Assert.Equal([0, 0, 1, 2, 0, 1, 2], sample.Images.Select(i => i.Part));
    }

    [Fact]
    public void Fewer_slices_can_be_asked_for()
    {
        using var run = new OfficialRun("minicpm_v26", own: new MiniCpmVOptions { MaxSliceNums = 1 });
        Assert.Single(run.Encode(4).Images);
    }

    [Fact]
    public void The_llm_type_decides_how_conversations_are_written()
    {
        var config = MiniCpmVConfig.Read(ConfigReader.Open(TestFiles.Golden("minicpm_v26/model/config.json")));
        Assert.Equal(MiniCpmVDialogue.Qwen, MiniCpmVProcessor.DialogueOf(null, config));
        Assert.Equal(MiniCpmVDialogue.Qwen, MiniCpmVProcessor.DialogueOf("llama", config with { Version = 4 }));
        Assert.Equal(MiniCpmVDialogue.MiniCpm, MiniCpmVProcessor.DialogueOf("minicpm", config));
        Assert.Throws<ConfigException>(() => MiniCpmVProcessor.DialogueOf("gpt", config));
        var error = Assert.Throws<ConfigException>(() => new OfficialRun("minicpm_v26", own: new MiniCpmVOptions { LlmType = "llama3" }));
        Assert.Contains("has no token <|eot_id|>, which llm_type llama3 needs", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Prompts_of_V_4_5_end_with_a_thought_of_nothing_or_the_beginning_of_one()
    {
        var prompts = Golden.Json(TestFiles.Golden("minicpm_v45/prompts.json"));
        foreach (var known in prompts.EnumerateArray())
        {
            var own = new MiniCpmVOptions { ThinkFirst = known.GetProperty("enable_thinking").GetBoolean() };
            var processor = ModelSource.Open(TestFiles.Golden("minicpm_v45/model")).Process(options: own);
            var messages = known.GetProperty("messages").EnumerateArray().Select(message => new Message(
                Enum.Parse<Role>(message.GetProperty("role").GetString()!, ignoreCase: true), [new Text(message.GetProperty("content").GetString()!)]));
            var ids = new PromptBuilder(processor.Tokenizer, processor.Template, processor.Images).Build(new Conversation([.. messages]), []).Ids;
            Assert.Equal(processor.Tokenizer.Encode(known.GetProperty("text").GetString()!), ids);
        }

        Assert.Equal(8, prompts.GetArrayLength());
    }

    [Fact]
    public void An_answer_of_a_model_whose_prompt_opened_the_thought_loses_it_in_later_prompts()
    {
        var marks = QwenThoughts.Marks with { PromptEnd = QwenThoughts.Marks.Open };
        Assert.Equal("Two.", marks.Remove("One and one.\n</think>\n\nTwo."));
        Assert.Equal("Two.", marks.Remove("<think>\nOne and one.\n</think>\n\nTwo."));
        Assert.Equal("One and one.\n</think>\n\nTwo.", QwenThoughts.Marks.Remove("One and one.\n</think>\n\nTwo."));
    }

    [Fact]
    public void Llama_Factory_s_template_writes_the_same_images()
    {
        var options = OfficialRun.Options("minicpm_v26") with { Template = "minicpm_v" };
        using var data = DatasetLoader.Load(options);
        var folder = TestFiles.Golden("minicpm_v26/model");
        var processor = ModelSource.Open(folder).Process(new PreResize()).With(options);
        var encoder = processor.NewEncoder(options);
        Assert.IsType<SampleEncoder>(encoder);
        var text = processor.Tokenizer.Decode(encoder.Encode(data.Train[3]).Ids);
        var unk = string.Concat(Enumerable.Repeat("<unk>", 16));
        Assert.Contains($"<image_id>0</image_id><image>{unk}</image>\n and \n<image_id>1</image_id><image>{unk}</image>", text, StringComparison.Ordinal);
        Assert.Contains($"</image><slice>{unk}</slice><slice>{unk}</slice><slice>{unk}</slice>\n<slice>", text, StringComparison.Ordinal);
        Assert.Equal(8, encoder.Encode(data.Train[3]).Images.Count);
    }

    private static int[] Ints(JsonElement row, string key) => [.. row.GetProperty(key).EnumerateArray().Select(v => v.GetInt32())];

    /// <summary>Labels as the original shifts them: each place holds what the next one is to be.</summary>
    private static int[] Shifted(EncodedSample sample) => [.. sample.Labels.AsSpan(1), EncodedSample.Ignored];
}
