using Fovea.Tensors;

namespace Fovea.Nn.Lora;

/// <summary>
/// Dropout whose mask depends only on (seed, step, sample, token, module, feature), on the vision side on the image and the row in it instead of the token:
/// recomputation, packing and the number of processes cannot change it. Masks are drawn where they are used, on the device, and not kept.
/// </summary>
internal sealed class DropoutStream(double probability, ulong seed) : IDisposable
{
    private readonly List<Tensor> imageKeys = [];
    private Tensor? keys;
    private Tensor? shapes;
    private long step;

    /// <summary>The share of inputs that is dropped.</summary>
    internal double Probability => probability;

    /// <summary>Keys are shapes alone, as many as there are rows, while a pass is measured (<see cref="BlockMeter"/>).</summary>
    internal bool AsShapes
    {
        set
        {
            shapes?.Dispose();
            shapes = value ? CreateOps.Empty([0], DType.I64, Device.Meta).Keep() : null;
        }
    }

    /// <summary>Says which tokens the rows of the coming micro-batch are.</summary>
    /// <param name="step">Number of the optimizer step.</param>
    /// <param name="samples">One number a row: the sample it belongs to.</param>
    /// <param name="tokens">One number a row: its place in the sample.</param>
    /// <param name="device">Where the micro-batch is computed.</param>
    public void Begin(long step, ReadOnlySpan<long> samples, ReadOnlySpan<int> tokens, Device device = default)
    {
        this.step = step;
        var rows = new long[samples.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = (long)SplitMix.Mix(Of(samples[i]), (ulong)tokens[i]);
        }

        Forget();
        keys = Placed(rows, device);
    }

    /// <summary>Says, after <see cref="Begin"/>, which images the vision side of the coming micro-batch sees.</summary>
    /// <param name="images">Of each image the sample it belongs to, and its number in that sample.</param>
    /// <param name="rows">
    /// How many rows each image has in the linears of the vision side: a list for every number of rows that they see, from those of the first to those of
    /// the last.
    /// </param>
    /// <param name="device">Where the micro-batch is computed.</param>
    public void BeginImages(ReadOnlySpan<(long Sample, int Image)> images, IEnumerable<int[]> rows, Device device = default)
    {
        imageKeys.ForEach(given => given.Dispose());
        imageKeys.Clear();
        var ofImages = new ulong[images.Length];
        for (var i = 0; i < images.Length; i++)
        {
            // Tokens count from 0 up, images from the top down.
            ofImages[i] = SplitMix.Mix(Of(images[i].Sample), ~(ulong)images[i].Image);
        }

        foreach (var counts in rows)
        {
            var drawn = counts.SelectMany((count, i) => Enumerable.Range(0, count).Select(row => (long)SplitMix.Mix(ofImages[i], (ulong)row)));
            imageKeys.Add(Placed([.. drawn], device));
        }
    }

    public void Dispose() => Forget();

    internal Tensor Apply(Tensor x, ModelPart part, int module) => x.Dropout(KeysOf(x, part), module, probability);

    /// <summary>One key a row of <paramref name="x"/>, 64 bits, on the device: what (seed, step, sample, token) come to.</summary>
    internal Tensor KeysOf(Tensor x, ModelPart part)
    {
        if (shapes is null)
        {
            var told = part == ModelPart.Language ? keys : KeysOfImages(x.Size(0), part);
            return PassRows.Narrow(told ?? throw new InvalidOperationException("dropout does not know which tokens come"));
        }

        if (!PassRows.AreOthers && shapes.Count != x.Size(0))
        {
            shapes.Dispose();
            shapes = CreateOps.Empty([x.Size(0)], DType.I64, Device.Meta).Keep();
        }

        return PassRows.Narrow(shapes);
    }

    /// <summary>Where two places of the vision side have as many rows in all, the tower's are the first of them and the projector's the last.</summary>
    private Tensor KeysOfImages(long rows, ModelPart part) =>
        (part == ModelPart.Vision ? imageKeys.Find(given => given.Count == rows) : imageKeys.FindLast(given => given.Count == rows))
        ?? throw new InvalidOperationException(
            $"dropout was told of {(imageKeys.Count == 0 ? "no" : string.Join(" or ", imageKeys.Select(given => given.Count)))} rows of images and met {rows}");

    private static Tensor Placed(long[] rows, Device device)
    {
        using var scope = TensorScope.Open("dropout");
        return CreateOps.On(device, rows).Keep();
    }

    private ulong Of(long sample) => SplitMix.Mix(SplitMix.Mix(seed ^ 0x9E3779B97F4A7C15UL, (ulong)step), (ulong)sample);

    private void Forget()
    {
        keys?.Dispose();
        keys = null;
        imageKeys.ForEach(given => given.Dispose());
        imageKeys.Clear();
    }
}
