using System.Buffers;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Data.Datasets;

/// <summary>Goes through all data as training would, without training: counts, and names every row that cannot be used.</summary>
internal static class DataCheck
{
    // Among so many first samples, one with objects is preferred as the example, else one with an image.
    private const int ExampleSearch = 200;
    private const ulong DrawSeed = 42;

    /// <summary>Enough to find what is wrong with a share of the images: one torn of a hundred is among so many with more than 92 in 100.</summary>
    public const int DecodedByDefault = 256;

    /// <summary>
    /// Checks what <paramref name="options"/> name. All images are opened for their size, and some or all decoded in full.
    /// Bad rows are reported whatever the policy; a dataset that cannot be opened at all is a <see cref="ConfigException"/>.
    /// </summary>
    /// <param name="encoder">The one that training would use.</param>
    /// <param name="decode">Images to decode, drawn from all by a fixed seed; <see cref="int.MaxValue"/> decodes all.</param>
    public static DataReport Run(
        DataOptions options, Tokenizer tokenizer, IMediaProcessor images, ISampleEncoder encoder, int decode = DecodedByDefault,
        CancellationToken cancellation = default)
    {
        options = options with { OnBadSample = BadSamplePolicy.Skip };
        using var data = DatasetLoader.Load(options);
        var train = Measure(data.Train, encoder, cancellation);
        var eval = data.Eval is null ? [] : Measure(data.Eval, encoder, cancellation);
        Measured[] all = [.. train, .. eval];
        var duplicates = Duplicates.Find(data.Train, data.Eval, (set, i) => (set == data.Train ? train : eval)[i].Bad is null, cancellation);
        var decoded = DecodeSome(all, decode, encoder, images, cancellation);
        var reports = data.Summaries.Select((summary, source) => Report(summary, Array.FindAll(all, m => m.Source == source))).ToArray();
        var rejected = data.Rejected.Concat(all.Select(m => m.Bad).OfType<BadSample>()).DistinctBy(b => (b.Dataset, b.Row))
            .OrderBy(b => b.Dataset, StringComparer.Ordinal).ThenBy(b => b.Row);
        var example = Example(data.Train, encoder);
        var name = example is null ? null : $"{example.Dataset}, row {example.Row}";
        return new DataReport(reports, [.. rejected], name, example is null ? [] : ExampleText.Turns(example, tokenizer))
        {
            Decoded = decoded,
            Duplicates = duplicates,
            Notices = data.Notices,
            Places = example?.Places ?? [],
        };
    }

    private static Measured[] Measure(ConversationSet samples, ISampleEncoder encoder, CancellationToken cancellation)
    {
        var measured = new Measured[samples.Count];
        Parallel.For(0, samples.Count, new ParallelOptions { CancellationToken = cancellation }, i =>
        {
            measured[i] = new Measured(samples, i);
            try
            {
                measured[i].Take(encoder.Encode(samples[i]));
            }
            catch (BadSampleException e)
            {
                measured[i].Bad = samples.Place(e.Sample, i);
            }
        });
        return measured;
    }

    /// <returns>How many were decoded.</returns>
    private static int DecodeSome(Measured[] all, int most, ISampleEncoder encoder, IMediaProcessor decoder, CancellationToken cancellation)
    {
        var places = all.SelectMany((sample, i) => Enumerable.Range(0, sample.Images).Select(image => (Sample: i, Image: image))).ToArray();
        if (places.Length > most)
        {
            places = Array.ConvertAll(new NumpyRandom(DrawSeed).Permutation(places.Length)[..most], i => places[i]);
        }

        var work = places.GroupBy(place => place.Sample, place => place.Image).ToArray();
        Parallel.ForEach(work, new ParallelOptions { CancellationToken = cancellation }, images => Decode(all[images.Key], [.. images], encoder, decoder));
        return places.Length;
    }

    private static void Decode(Measured measured, HashSet<int> wanted, ISampleEncoder encoder, IMediaProcessor decoder)
    {
        try
        {
            var sample = encoder.Encode(measured.Samples[measured.Index]);
            var number = -1;
            foreach (var image in sample.Images.Where(image => image.Part == 0))
            {
                if (wanted.Contains(++number))
                {
                    Decode(decoder, sample, image);
                }
            }
        }
        catch (BadSampleException e)
        {
            measured.Bad = measured.Samples.Place(e.Sample, measured.Index);
        }
    }

    private static void Decode(IMediaProcessor decoder, EncodedSample sample, ImageRef image)
    {
        var buffers = image.Plan.Parts.Select(grid => ArrayPool<float>.Shared.Rent(grid.Patches * decoder.PatchLength)).ToArray();
        try
        {
            var parts = buffers.Select((buffer, part) => buffer.AsMemory(0, image.Plan.Parts[part].Patches * decoder.PatchLength)).ToArray();
            decoder.Process(image.Plan, new MediaContent(image.Source), parts);
        }
        catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
        {
            var reason = e is ImageException ? e.Message : $"image {image.Source}: {e.Message}";
            throw new BadSampleException(new BadSample(sample.Dataset, sample.Row, reason), e);
        }
        finally
        {
            Array.ForEach(buffers, buffer => ArrayPool<float>.Shared.Return(buffer));
        }
    }

    private static DatasetReport Report(DatasetSummary summary, Measured[] all)
    {
        var good = Array.FindAll(all, m => m.Bad is null);
        var lengths = Array.ConvertAll(good, m => m.Tokens);
        Array.Sort(lengths);
        return new DatasetReport
        {
            Name = summary.Name,
            ForEvaluation = summary.ForEvaluation,
            Rows = summary.Rows,
            Samples = good.Length,
            Tokens = good.Sum(m => (long)m.Tokens),
            MedianTokens = Percentile(lengths, 0.5),
            P95Tokens = Percentile(lengths, 0.95),
            MaxTokens = Percentile(lengths, 1),
            Images = good.Sum(m => m.Images),
            TrainedTokens = good.Sum(m => (long)m.Trained),
            Truncated = good.Count(m => m.Truncated),
            Untrained = good.Count(m => m.Trained == 0),
            TooLong = all.Count(m => m.Bad is { TooLong: true }),
            Rejected = summary.Rejected + all.Where(m => m.Bad is not null).DistinctBy(m => m.Samples.Origin(m.Index)).Count(),
        };
    }

    /// <summary>The nearest rank: the smallest value that at least this share does not exceed.</summary>
    private static int Percentile(int[] sorted, double share) =>
        sorted.Length == 0 ? 0 : sorted[Math.Max((int)Math.Ceiling(share * sorted.Length), 1) - 1];

    private static EncodedSample? Example(ConversationSet samples, ISampleEncoder encoder)
    {
        EncodedSample? example = null;
        for (var i = 0; i < Math.Min(samples.Count, ExampleSearch) && example is not { Places.Count: > 0 }; i++)
        {
            try
            {
                var sample = encoder.Encode(samples[i]);
                example = example is null || Worth(sample) > Worth(example) ? sample : example;
            }
            catch (BadSampleException)
            {
                // Reported already.
            }
        }

        return example;

        static int Worth(EncodedSample sample) => sample.Places.Count > 0 ? 2 : sample.Images.Count > 0 ? 1 : 0;
    }

    /// <summary>What was found of a sample, or what is wrong with it.</summary>
    private sealed class Measured(ConversationSet samples, int index)
    {
        public ConversationSet Samples { get; } = samples;

        public int Index { get; } = index;

        public int Source { get; } = samples.SourceOf(index);

        public BadSample? Bad { get; set; }

        public int Tokens { get; private set; }

        public int Trained { get; private set; }

        public int Images { get; private set; }

        public bool Truncated { get; private set; }

        public void Take(EncodedSample sample)
        {
            (Tokens, Trained, Truncated) = (sample.Ids.Length, sample.TrainedTokens, sample.Truncated);
            Images = sample.Images.Count(image => image.Part == 0);
        }
    }
}
