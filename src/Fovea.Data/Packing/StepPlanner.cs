using Fovea.Data.Images;
using Fovea.Data.Templates;

namespace Fovea.Data.Packing;

/// <summary>
/// Packs the samples of one step into micro-batches: in order, as many as fit the token budget, no sample split. Since every trained token
/// counts in its batch wherever it is packed, the packing does not change the gradient.
/// </summary>
internal static class StepPlanner
{
    /// <summary>
    /// Plans step <paramref name="step"/> from the batches of one rank (each of <c>per_device_train_batch_size</c> samples, fewer where
    /// samples were left out). Pixels are left empty.
    /// </summary>
    public static StepBatch Plan(int step, IReadOnlyList<IReadOnlyList<StepSample>> groups, PlanOptions options)
    {
        long trained = 0;
        var empty = 0;
        var truncated = 0;
        var perGroup = new long[groups.Count];
        for (var g = 0; g < groups.Count; g++)
        {
            foreach (var (_, sample) in groups[g])
            {
                perGroup[g] += sample.TrainedTokens;
                truncated += sample.Truncated ? 1 : 0;
            }

            trained += perGroup[g];
            empty += perGroup[g] == 0 ? 1 : 0;
        }

        var batches = new List<PackedBatch>();
        var open = new List<(StepSample Sample, long GroupTokens, int Group, float Share, float Part)>();
        var tokens = 0;
        for (var g = 0; g < groups.Count; g++)
        {
            var share = (float)(1.0 / (Math.Max(groups[g].Count, 1) * (double)Parts(options, groups.Count) * options.WorldSize));
            var all = groups[g].Sum(sample => (double)sample.Sample.Ids.Length)
                * (options.Reduction == LossReduction.Token ? 1 : (double)Parts(options, groups.Count) * options.WorldSize);
            foreach (var sample in groups[g])
            {
                var length = sample.Sample.Ids.Length;
                if (open.Count > 0 && tokens + length > options.MicroBatchTokens)
                {
                    batches.Add(Pack(open));
                    open.Clear();
                    tokens = 0;
                }

                open.Add((sample, perGroup[g], g, share, (float)(length / all)));
                tokens += length;
            }
        }

        if (open.Count > 0)
        {
            batches.Add(Pack(open));
        }

        return new StepBatch
        {
            Step = step,
            MicroBatches = batches,
            Reduction = options.Reduction,
            TrainedTokens = trained,
            Groups = Parts(options, groups.Count),
            EmptyGroups = empty,
            TruncatedSamples = truncated,
        };
    }

    private static bool IsWeighed(EncodedSample sample) => sample.Weight != 1 || Array.Exists(sample.Weights, weight => weight != 1);

    /// <summary>What the sum over the step's batches is divided by.</summary>
    private static int Parts(PlanOptions options, int groups) => options.Reduction == LossReduction.Accumulate ? options.Accumulation : groups;

    private static PackedBatch Pack(List<(StepSample Sample, long GroupTokens, int Group, float Share, float Part)> samples)
    {
        var tokens = 0;
        var trained = 0;
        var images = 0;
        var slots = 0;
        foreach (var ((_, sample), _, _, _, _) in samples)
        {
            tokens += sample.Ids.Length;
            trained += sample.TrainedTokens;
            images += sample.Images.Count;
            foreach (var image in sample.Images)
            {
                slots += image.Tokens;
            }
        }

        var batch = new PackedBatch
        {
            Ids = new long[tokens],
            CuSeqlens = new int[samples.Count + 1],
            SampleIndices = new int[samples.Count],
            SampleGroup = new int[samples.Count],
            GroupTokens = new long[samples.Count],
            SampleWeight = new float[samples.Count],
            SampleShare = new float[samples.Count],
            Grids = new ImageGrid[images],
            ImagePaths = new string[images],
            ImageStarts = new int[samples.Count + 1],
            ImageTokens = new int[images],
            ImageSlots = new int[slots],
            LossIndex = new long[trained],
            LossWeights = samples.Exists(sample => IsWeighed(sample.Sample.Sample)) ? new float[trained] : [],
            Targets = new long[trained],
        };
        var start = 0;
        trained = images = slots = 0;
        for (var s = 0; s < samples.Count; s++)
        {
            var ((index, sample), groupTokens, group, share, part) = samples[s];
            batch.SampleIndices[s] = index;
            batch.SampleGroup[s] = group;
            batch.GroupTokens[s] = groupTokens;
            batch.SampleWeight[s] = share;
            batch.SampleShare[s] = part;
            for (var i = 0; i < sample.Ids.Length; i++)
            {
                batch.Ids[start + i] = sample.Ids[i];
                if (i > 0 && sample.Labels[i] != EncodedSample.Ignored)
                {
                    batch.LossIndex[trained] = start + i - 1;
                    if (batch.LossWeights.Length > 0)
                    {
                        batch.LossWeights[trained] = sample.WeightOf(i);
                    }

                    batch.Targets[trained++] = sample.Labels[i];
                }
            }

            foreach (var image in sample.Images)
            {
                batch.Grids[images] = image.Grid;
                batch.ImageTokens[images] = image.Tokens;
                batch.ImagePaths[images++] = image.Source.Name;
                for (var i = 0; i < image.Tokens; i++)
                {
                    batch.ImageSlots[slots++] = start + image.Offset + i;
                }
            }

            batch.ImageStarts[s + 1] = images;
            start += sample.Ids.Length;
            batch.CuSeqlens[s + 1] = start;
        }

        return batch;
    }
}
