using System.Globalization;
using System.Text.Json;

namespace Fovea.Tensors;

/// <summary>
/// What was measured of this processor with this libtorch, kept in a file so that it is measured once. A file that cannot be read or written is no reason to
/// stop: then it is measured again.
/// </summary>
internal sealed class ProductMeasurements
{
    // Another kernel of ours is another measurement.
    private const int Revision = 1;

    // What the fastest kernel reaches of the processor's peak where nothing else runs is far more.
    private const double LeastOfPeak = 0.3;


    /// <param name="folder">Where the file lies, named after what it holds for.</param>
    public ProductMeasurements(string folder) => File = Path.Combine(folder, $"products-{Revision}-{Slug(Processor.Name)}-{Slug(Torch.Version)}.json");

    /// <summary>Where they are kept; it may be missing.</summary>
    internal string File { get; }

    /// <summary>The rates of an element type, from the file or measured now.</summary>
    /// <param name="type">fp32, bf16 or fp16.</param>
    /// <param name="measured">Whether it was measured now.</param>
    public ProductRates Of(DType type, out bool measured)
    {
        var all = Read();
        var name = ProductChoice.Types.First(known => known.Type == type).Name;
        measured = false;
        if (all.TryGetValue(name, out var rates) && Usable(rates, type) is { } found)
        {
            return found;
        }

        measured = true;
        var fresh = ProductRates.Measure(type);
        if (fresh.Gflops.Values.Max() * 1e9 < LeastOfPeak * ProductKernels.Peak(pairs: false))
        {
            return fresh; // other programs want the processor: good enough for this run, not to be kept
        }

        all[name] = fresh.Gflops.ToDictionary(rate => ProductChoice.NameOf(rate.Key), rate => Math.Round(rate.Value, 1));
        Write(all);
        return fresh;
    }

    private static ProductRates? Usable(Dictionary<string, double> rates, DType type)
    {
        var known = rates.Where(rate => ProductChoice.KernelOf(rate.Key) is not null)
            .ToDictionary(rate => ProductChoice.KernelOf(rate.Key)!.Value, rate => rate.Value);
        return Enum.GetValues<ProductKernel>().All(kernel => known.ContainsKey(kernel) == ProductKernels.Fit(type, kernel)) ? new ProductRates(known) : null;
    }

    private Dictionary<string, Dictionary<string, double>> Read()
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, Dictionary<string, double>>>(System.IO.File.ReadAllBytes(File)) ?? [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return [];
        }
    }

    private void Write(Dictionary<string, Dictionary<string, double>> all)
    {
        try
        {
            AtomicFile.Write(File, stream => JsonSerializer.Serialize(stream, all));
        }
        catch (CheckpointException)
        {
            // Measured again the next time.
        }
    }

    private static string Slug(string text) =>
        string.Concat(text.ToLower(CultureInfo.InvariantCulture).Select(letter => char.IsAsciiLetterOrDigit(letter) ? letter : '-'));
}
