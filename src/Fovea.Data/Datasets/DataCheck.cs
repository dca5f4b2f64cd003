using System.Buffers;
using System.Collections.Concurrent;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;

namespace Fovea.Data.Datasets;

/// <summary>Goes through all data as training would, without training: counts, and names every row that cannot be used.</summary>
public static class DataCheck
{
    // Among so many first samples, one with an image is preferred as the example.
    private const int ExampleSearch = 200;

    /// <summary>
    /// Checks what <paramref name="options"/> name. Images are opened for their size only, unless <paramref name="decodeImages"/>.
    /// Bad rows are reported whatever the policy; a data set that cannot be opened at all is a <see cref="ConfigException"/>.
    /// </summary>
    public static DataReport Run(
        DataOptions options, Tokenizer tokenizer, IImageStage images, bool decodeImages = false, CancellationToken cancellation = default,
        ISampleEncoder? encoder = null)
    {
        options = options with { OnBadSample = BadSamplePolicy.Skip };
        using var data = DatasetLoader.Load(options);
        encoder ??= new SampleEncoder(ChatTemplates.Get(options.Template), tokenizer, images, options);
        var rejected = new List<BadSample>(data.Rejected);
        var train = Measure(data.Train, encoder, decodeImages ? images : null, rejected, cancellation);
        var eval = data.Eval is null ? [] : Measure(data.Eval, encoder, decodeImages ? images : null, rejected, cancellation);

        // A split leaves the evaluation rows in the data set they came from.
        var split = options.EvalDatasets.Count == 0;
        var reports = data.Summaries.Select(s =>
            Report(s, (split ? train.Concat(eval) : s.ForEvaluation ? eval : train).Where(m => m.Dataset == s.Name).ToArray())).ToArray();
        var (name, spans) = Example(data.Train, encoder, tokenizer);
        return new DataReport(reports, [.. rejected.OrderBy(b => b.Dataset, StringComparer.Ordinal).ThenBy(b => b.Row)], name, spans);
    }

    private static List<Measured> Measure(
        ConversationSet samples, ISampleEncoder encoder, IImageStage? decoder, List<BadSample> rejected, CancellationToken cancellation)
    {
        var bad = new ConcurrentBag<BadSample>();
        var measured = new Measured?[samples.Count];
        Parallel.For(0, samples.Count, new ParallelOptions { CancellationToken = cancellation }, i =>
        {
            try
            {
                var sample = encoder.Encode(samples[i]);
                foreach (var image in sample.Images)
                {
                    Decode(decoder, sample, image);
                }

                var shown = sample.Images.Count(image => image.Part == 0);
                measured[i] = new Measured(sample.Dataset, sample.Ids.Length, sample.TrainedTokens, shown, sample.Truncated, false);
            }
            catch (BadSampleException e)
            {
                bad.Add(e.Sample);
                measured[i] = new Measured(e.Sample.Dataset, -1, 0, 0, false, e.Sample.TooLong);
            }
        });
        rejected.AddRange(bad);
        return [.. measured.OfType<Measured>()];
    }

    private static void Decode(IImageStage? decoder, EncodedSample sample, ImageRef image)
    {
        if (decoder is null)
        {
            return;
        }

        var values = image.Grid.Patches * decoder.PatchLength;
        var buffer = ArrayPool<float>.Shared.Rent(values);
        try
        {
            decoder.Load(image.Path, image.Part, image.Grid, buffer.AsSpan(0, values));
        }
        catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
        {
            var reason = e is ImageException ? e.Message : $"image {image.Path}: {e.Message}";
            throw new BadSampleException(new BadSample(sample.Dataset, sample.Row, reason), e);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(buffer);
        }
    }

    private static DatasetReport Report(DatasetSummary summary, Measured[] all)
    {
        var good = Array.FindAll(all, m => m.Tokens >= 0);
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
            TooLong = all.Count(m => m.TooLong),
            Rejected = summary.Rejected + all.Length - good.Length,
        };
    }

    /// <summary>The nearest rank: the smallest value that at least this share does not exceed.</summary>
    private static int Percentile(int[] sorted, double share) =>
        sorted.Length == 0 ? 0 : sorted[Math.Max((int)Math.Ceiling(share * sorted.Length), 1) - 1];

    private static (string? Name, IReadOnlyList<ExampleSpan> Spans) Example(ConversationSet samples, ISampleEncoder encoder, Tokenizer tokenizer)
    {
        EncodedSample? example = null;
        for (var i = 0; i < Math.Min(samples.Count, ExampleSearch) && example is not { Images.Count: > 0 }; i++)
        {
            try
            {
                var sample = encoder.Encode(samples[i]);
                example = example is null || sample.Images.Count > 0 ? sample : example;
            }
            catch (BadSampleException)
            {
                // Reported already.
            }
        }

        return example is null ? (null, []) : ($"{example.Dataset}, row {example.Row}", Spans(example, tokenizer));
    }

    private static List<ExampleSpan> Spans(EncodedSample sample, Tokenizer tokenizer)
    {
        var spans = new List<ExampleSpan>();
        var images = sample.Images.ToDictionary(i => i.Offset);
        var at = 0;
        while (at < sample.Ids.Length)
        {
            var trained = sample.Labels[at] != EncodedSample.Ignored;
            if (images.TryGetValue(at, out var image))
            {
                spans.Add(new ExampleSpan($"{tokenizer.Decode([sample.Ids[at]])} x {image.Tokens}", trained));
                at += image.Tokens;
                continue;
            }

            var end = at + 1;
            while (end < sample.Ids.Length && sample.Labels[end] != EncodedSample.Ignored == trained && !images.ContainsKey(end))
            {
                end++;
            }

            spans.Add(new ExampleSpan(tokenizer.Decode(sample.Ids.AsSpan(at, end - at)), trained));
            at = end;
        }

        return spans;
    }

    private sealed record Measured(string Dataset, int Tokens, int Trained, int Images, bool Truncated, bool TooLong);
}
