using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Sampling;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Tests.Unit.Data;

/// <summary>LLaMA-Factory's own demo data with the real Qwen2.5 tokenizer, against what its trainer saw.</summary>
public sealed class LlamaFactoryDataTests
{
    private const string Golden = "golden/qwen2_5_vl_realtok";
    private const string Demo = "data/llamafactory_demo";

    [Fact]
    public void Demo_samples_have_the_ids_and_labels_of_the_original()
    {
        var expected = GoldenSample.Read(Path.Combine(Folder(Golden), "tokenized.json"));
        using var data = DatasetLoader.Load(Options());
        var encoder = Encoder();
        for (var i = 0; i < expected.Length; i++)
        {
            var sample = encoder.Encode(data.Train[i]);
            Assert.Equal(expected[i].Ids, sample.Ids);
            Assert.Equal(expected[i].Labels, sample.Labels);
        }
    }

    [Fact]
    public void Batches_come_in_the_order_in_which_the_original_trainer_drew_them()
    {
        var expected = GoldenSample.Read(Path.Combine(Folder(Golden), "train.json"), "batches");
        using var data = DatasetLoader.Load(Options());
        var encoder = Encoder();
        var order = new SampleOrder(new OrderOptions { Samples = data.Train.Count, Accumulation = 8 });
        Assert.Equal(22, order.TotalSteps(2));
        var drawn = Enumerable.Range(0, 22).SelectMany(s => order.BatchesOf(s)).Select(b => Assert.Single(b)).ToArray();
        Assert.Equal(expected.Length, drawn.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var sample = encoder.Encode(data.Train[drawn[i]]);

            // A text-only batch of the original carries a masked white image at its end, and padding.
            Assert.Equal(expected[i].Ids[..sample.Ids.Length], sample.Ids);
            Assert.Equal(expected[i].Labels[..sample.Ids.Length], sample.Labels);
            Assert.All(expected[i].Labels[sample.Ids.Length..], l => Assert.Equal(EncodedSample.Ignored, l));
        }
    }

    private static string Folder(string name) => TestFiles.Shared(name) ?? TestFiles.SkipMissing(name);

    private static DataOptions Options() => new()
    {
        Dataset = ["mllm_demo", "identity", "alpaca_en_demo"],
        DatasetDir = Folder(Demo),
        MaxSamples = 40,
    };

    private static SampleEncoder Encoder()
    {
        var images = Qwen2VlImageProcessor.Load(Path.Combine(Folder(Golden), "model"), new PreResize(262144));
        return new SampleEncoder(ChatTemplates.Qwen2Vl, Tokenizer.Load(Folder("data/tokenizers/qwen2_5")), new Qwen2VlMedia(images), Options());
    }
}
