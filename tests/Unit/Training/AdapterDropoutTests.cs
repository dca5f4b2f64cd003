using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models;
using Fovea.Models.MiniMindV;
using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Training;

/// <summary>Every linear of every family can be adapted with dropout: what is dropped depends on the sample, not on what is beside it.</summary>
public sealed class AdapterDropoutTests : NativeTest
{
    private const int FeaturesAnImage = 3;
    private const double Share = 0.3;

    // Tokens and images of each sample; the second image of the last is smaller.
    private static readonly (int Tokens, int Images)[] Samples = [(20, 1), (12, 0), (25, 2)];

    public static TheoryData<string> Models => [.. EveryModel.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void Samples_in_one_batch_drop_what_each_drops_alone(string name)
    {
        using var dropout = new DropoutStream(Share, 7);
        using var model = Adapted(name, dropout);
        var together = Gradients(model, dropout, [0, 1, 2], BlockMode.Keep);
        var alone = new[] { 0, 1, 2 }.Select(sample => Gradients(model, dropout, [sample], BlockMode.Keep)).ToArray();
        Assert.Equal(model.Ledger.Linears.Count * 2, together.Count);
        var largest = together.Values.Max(gradient => gradient.Max(Math.Abs));
        foreach (var (parameter, gradient) in together)
        {
            var sum = new float[gradient.Length];
            foreach (var part in alone.Select(gradients => gradients.GetValueOrDefault(parameter)).OfType<float[]>())
            {
                sum = [.. sum.Zip(part, (a, b) => a + b)];
            }

            var allowed = 2e-4 * Math.Max(gradient.Max(Math.Abs), 1e-3 * largest);
            Assert.True(gradient.Zip(sum).All(pair => Math.Abs(pair.First - pair.Second) <= allowed), parameter);
        }

        // Another step drops other things.
        var next = Gradients(model, dropout, [0, 1, 2], BlockMode.Keep, step: 1);
        Assert.All(together, pair => Assert.True(pair.Value.All(v => v == 0) || !pair.Value.SequenceEqual(next[pair.Key]), pair.Key));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void What_is_computed_again_drops_the_same(string name)
    {
        using var dropout = new DropoutStream(Share, 7);
        using var model = Adapted(name, dropout);
        var kept = Gradients(model, dropout, [0, 1, 2], BlockMode.Keep);
        foreach (var mode in new[] { BlockMode.Recompute, BlockMode.Selective })
        {
            var again = Gradients(model, dropout, [0, 1, 2], mode);
            Assert.All(kept, pair => Assert.True(pair.Value.SequenceEqual(again[pair.Key]), $"{pair.Key} with {mode}"));
        }
    }

    private static VisionLanguageModel Adapted(string name, DropoutStream dropout)
    {
        var model = EveryModel.Build(name, new ModelOptions());

        // Not on weights of experts, where dropout is refused as PEFT refuses it.
        var linears = model.Ledger.Linears.Select(linear => linear.Path).ToHashSet(StringComparer.Ordinal);
        Adapters.Attach(model.Ledger, new LoraOptions { Rank = 4 }, linears.Contains, dropout: dropout);
        Torch.Seed(3);
        foreach (var parameter in model.Ledger.AdapterParameters)
        {
            using var grad = Autograd.NoGrad();
            parameter.Value.Normal_(0, 0.1);
        }

        return model;
    }

    private static Dictionary<string, float[]> Gradients(VisionLanguageModel model, DropoutStream dropout, int[] samples, BlockMode mode, int step = 0)
    {
        foreach (var block in model.Ledger.Blocks)
        {
            block.Mode = mode;
        }

        using var scope = TensorScope.Open("micro-batch");
        var tokens = samples.Sum(sample => Samples[sample].Tokens);
        var (ids, rows, places, starts) = (new List<long>(), new List<long>(), new List<int>(), new List<int> { 0 });
        var (slots, features, pixels) = (new List<long>(), new List<long>(), new List<Tensor>());
        var (images, grids, gradients) = (new List<(long Sample, int Image)>(), new List<ImageGrid>(), new List<Tensor>());
        var featureStart = 0;
        foreach (var sample in samples)
        {
            var start = ids.Count;
            Torch.Seed((ulong)sample);
            gradients.Add(CreateOps.Empty([Samples[sample].Tokens, model.Head.Shape[1]]).Normal_(0, 1));
            for (var i = 0; i < Samples[sample].Tokens; i++)
            {
                ids.Add(1 + (((sample * 7) + (i * 3)) % 20));
                rows.Add(sample);
                places.Add(i);
            }

            for (var i = 0; i < Samples[sample].Images; i++)
            {
                var usual = model.UsualImage;
                var grid = i == 1 && model is not MiniMindVModel ? new ImageGrid(1, usual.H / 2, usual.W) : usual;
                images.Add((sample, i));
                grids.Add(grid);
                pixels.Add(CreateOps.Empty([grid.Patches, model.PatchLength]).Normal_(0, 1));
                for (var feature = 0; feature < FeaturesAnImage; feature++)
                {
                    slots.Add(start + 2 + (i * 5) + feature);
                    features.Add(featureStart + (feature * 2 % model.FeatureRows(grid)));
                }

                featureStart += model.FeatureRows(grid);
            }

            starts.Add(ids.Count);
        }

        using var batch = new PackedBatch
        {
            Ids = [.. ids], CuSeqlens = [.. starts], SampleIndices = samples, SampleGroup = samples, SampleWeight = [.. samples.Select(_ => 1f)], Grids = [],
            ImagePaths = [], ImageStarts = new int[samples.Length + 1], ImageTokens = [], ImageSlots = [], LossIndex = [], Targets = [],
        };
        var input = model.Prepare(batch);
        if (images.Count > 0)
        {
            input = input with
            {
                ImageSlots = CreateOps.From([.. slots]), FeatureRows = CreateOps.From([.. features]), Grids = grids, Pixels = ShapeOps.Cat([.. pixels]),
                ImagesOfSamples = [.. samples.Select(sample => Samples[sample].Images)],
            };
        }

        dropout.Begin(step, rows.ToArray(), places.ToArray());
        dropout.BeginImages(images.ToArray(), model.VisionRows(input));
        var hidden = model.Hidden(input, images.Count > 0 ? model.VisionFeatures(input) : null);
        Autograd.Backward([hidden], [ShapeOps.Cat([.. gradients])]);
        Assert.Equal(tokens, hidden.Size(0));
        var found = new Dictionary<string, float[]>();
        foreach (var parameter in model.Ledger.AdapterParameters)
        {
            if (parameter.Value.Grad() is { } gradient)
            {
                found.Add(parameter.Name, gradient.ToArray<float>());
                parameter.Value.SetGrad(null);
            }
        }

        return found;
    }
}
