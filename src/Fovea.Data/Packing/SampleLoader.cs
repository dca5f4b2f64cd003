using System.Buffers;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates;

namespace Fovea.Data.Packing;

/// <summary>Reads, encodes and decodes one sample, and applies the policy where that fails. Usable from several threads at once.</summary>
internal sealed class SampleLoader(ConversationSet samples, SampleEncoder encoder, IImageStage? images, BadSamplePolicy policy)
{
    // So many samples in a row that cannot be used mean that something else is wrong, for instance a folder that is gone.
    private const int MostReplacements = 100;

    internal LoadedSample Load(int index)
    {
        var bad = new List<BadSample>();
        while (true)
        {
            try
            {
                var sample = encoder.Encode(samples[index]);
                return new LoadedSample(new StepSample(index, sample), Pixels(sample), bad);
            }
            catch (BadSampleException e) when (policy != BadSamplePolicy.Error)
            {
                bad.Add(e.Sample);
            }

            if (policy == BadSamplePolicy.Skip)
            {
                return new LoadedSample(null, [], bad);
            }

            if (bad.Count == Math.Min(MostReplacements, samples.Count))
            {
                throw new ConfigException([$"on_bad_sample: {bad.Count} samples in a row cannot be used", .. bad.Take(10).Select(b => b.ToString())]);
            }

            index = (index + 1) % samples.Count;
        }
    }

    private float[][] Pixels(EncodedSample sample)
    {
        var pixels = new float[sample.Images.Count][];
        for (var i = 0; i < pixels.Length; i++)
        {
            var image = sample.Images[i];
            var values = image.Grid.Patches * images!.PatchLength;
            pixels[i] = ArrayPool<float>.Shared.Rent(values);
            try
            {
                images.Load(image.Path, image.Grid, pixels[i].AsSpan(0, values));
            }
            catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
            {
                for (var r = 0; r <= i; r++)
                {
                    ArrayPool<float>.Shared.Return(pixels[r]);
                }

                var reason = e is ImageException ? e.Message : $"image {image.Path}: {e.Message}";
                throw new BadSampleException(new BadSample(sample.Dataset, sample.Row, reason), e);
            }
        }

        return pixels;
    }
}
