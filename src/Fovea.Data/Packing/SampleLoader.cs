using System.Buffers;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;

namespace Fovea.Data.Packing;

/// <summary>Reads, encodes and decodes one sample, and applies the policy where that fails. Usable from several threads at once.</summary>
internal sealed class SampleLoader(ISampleSet samples, ISampleEncoder encoder, IMediaProcessor? images, PipelineOptions options)
{
    // Keeps these draws apart from others of the same seed.
    private const ulong Purpose = 0x5265_7361_6d70_6c65;

    // So many samples in a row that cannot be used mean that something else is wrong, for instance a folder that is gone.
    private const int MostReplacements = 100;

    /// <param name="epoch">The pass over the data for which it is changed by chance; null leaves it as it is.</param>
    internal LoadedSample Load(int index, int? epoch)
    {
        var policy = options.OnBadSample;
        var bad = new List<BadSample>();
        var tried = new HashSet<int>();
        var place = SplitMix.Mix(SplitMix.Mix((ulong)options.Seed ^ Purpose, (ulong)(epoch ?? 0)), (ulong)index);
        var draws = 0UL;
        while (true)
        {
            try
            {
                var sample = epoch is { } pass ? encoder.Encode(samples[index], pass, index) : encoder.Encode(samples[index]);
                return new LoadedSample(new StepSample(index, sample), Images(sample), bad);
            }
            catch (BadSampleException e)
            {
                var placed = samples.Place(e.Sample, index);
                if (policy == BadSamplePolicy.Error)
                {
                    throw new BadSampleException(placed, e.InnerException);
                }

                bad.Add(placed);
            }

            if (policy == BadSamplePolicy.Skip)
            {
                return new LoadedSample(null, [], bad);
            }

            if (bad.Count == Math.Min(MostReplacements, samples.Count))
            {
                throw new ConfigException([$"on_bad_sample: {bad.Count} samples in a row cannot be used", .. bad.Take(10).Select(b => b.ToString())]);
            }

            // Drawn for the place, not in turn: any rank, thread or resumed run draws the same. One that was bad before would be so again.
            for (tried.Add(index); tried.Contains(index);)
            {
                index = (int)(SplitMix.Mix(place, draws++) % (ulong)samples.Count);
            }
        }
    }

    private LoadedImage[] Images(EncodedSample sample)
    {
        var loaded = new LoadedImage[sample.Images.Count];
        for (int i = 0, parts; i < loaded.Length; i += parts)
        {
            var image = sample.Images[i];
            parts = 1;
            while (i + parts < loaded.Length && ReferenceEquals(sample.Images[i + parts].Plan, image.Plan))
            {
                parts++;
            }

            try
            {
                Load(sample.Images, i, loaded.AsSpan(i, parts));
            }
            catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
            {
                Drop(loaded.AsSpan(0, i));
                var reason = e is ImageException ? e.Message : $"image {image.Source}: {e.Message}";
                throw new BadSampleException(new BadSample(sample.Dataset, sample.Row, reason), e);
            }
        }

        return loaded;
    }

    /// <summary>All parts of one image: the store is asked for each, and what it lacks is made by one decoding.</summary>
    private void Load(IReadOnlyList<ImageRef> all, int first, Span<LoadedImage> loaded)
    {
        var plan = all[first].Plan;
        var content = new MediaContent(all[first].Source);
        var targets = new Memory<float>[plan.Parts.Count];
        var made = 0;
        try
        {
            for (; made < loaded.Length; made++)
            {
                var part = all[first + made];
                var ticket = options.Features?.Ask(content, part.Grid, part.Part);
                var values = ticket?.HasFeatures == true ? 0 : part.Grid.Patches * images!.PatchLength;
                var pixels = values == 0 ? null : ArrayPool<float>.Shared.Rent(values);
                targets[part.Part] = pixels.AsMemory(0, values);
                loaded[made] = new LoadedImage(pixels, ticket);
            }

            if (Array.Exists(targets, target => !target.IsEmpty))
            {
                images!.Process(plan, content, targets);
            }
        }
        catch
        {
            Drop(loaded[..made]);
            throw;
        }

        // A file that was rewritten meanwhile may have been decoded in its new form.
        for (var i = 0; i < loaded.Length; i++)
        {
            if (loaded[i] is { Pixels: not null, Ticket: { } ticket } && !options.Features!.IsCurrent(ticket))
            {
                loaded[i] = loaded[i] with { Ticket = null };
            }
        }
    }

    private static void Drop(ReadOnlySpan<LoadedImage> loaded)
    {
        foreach (var image in loaded)
        {
            image.Ticket?.Dispose();
            if (image.Pixels is not null)
            {
                ArrayPool<float>.Shared.Return(image.Pixels);
            }
        }
    }
}
