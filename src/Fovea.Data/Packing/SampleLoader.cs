using System.Buffers;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;
using Fovea.Tensors;

namespace Fovea.Data.Packing;

/// <summary>Reads, encodes and decodes one sample, and applies the policy where that fails. Usable from several threads at once.</summary>
internal sealed class SampleLoader(ConversationSet samples, ISampleEncoder encoder, IImageStage? images, PipelineOptions options)
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
        for (var i = 0; i < loaded.Length; i++)
        {
            var image = sample.Images[i];
            try
            {
                loaded[i] = Load(image);
            }
            catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
            {
                for (var r = 0; r < i; r++)
                {
                    loaded[r].Ticket?.Dispose();
                    Return(loaded[r].Pixels);
                }

                var reason = e is ImageException ? e.Message : $"image {image.Source}: {e.Message}";
                throw new BadSampleException(new BadSample(sample.Dataset, sample.Row, reason), e);
            }
        }

        return loaded;
    }

    private LoadedImage Load(ImageRef image)
    {
        var ticket = options.Features?.Ask(image.Source, image.Grid, image.Part);
        if (ticket?.Features is not null)
        {
            return new LoadedImage(null, ticket);
        }

        var values = image.Grid.Patches * images!.PatchLength;
        var pixels = ArrayPool<float>.Shared.Rent(values);
        try
        {
            images.Load(image.Source, image.Part, image.Grid, pixels.AsSpan(0, values));
        }
        catch
        {
            Return(pixels);
            throw;
        }

        // A file that was rewritten meanwhile may have been decoded in its new form.
        return new LoadedImage(pixels, ticket is not null && options.Features!.IsCurrent(ticket) ? ticket : null);
    }

    private static void Return(float[]? pixels)
    {
        if (pixels is not null)
        {
            ArrayPool<float>.Shared.Return(pixels);
        }
    }
}
