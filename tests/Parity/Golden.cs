using System.Runtime.InteropServices;
using System.Text.Json;
using Fovea.Files.Safetensors;

namespace Fovea.Tests.Parity;

/// <summary>Reference tensors and numbers of the original stack, and how near ours must be.</summary>
internal sealed class Golden : IDisposable
{
    private const int Every = 7;
    private readonly Checkpoint file;

    public Golden(string path) => file = Checkpoint.Open(path);

    public IEnumerable<string> Names => file.Tensors.Keys.Select(key => key.Split('@')[0]).Distinct();

    public static JsonElement Json(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.Clone();
    }

    /// <summary>Its values. Of large ones only every seventh was kept; the others are NaN, with which nothing is compared (tests/goldens/shrink.py).</summary>
    public float[] Floats(string name)
    {
        if (file.TryGet(name, out var whole))
        {
            return MemoryMarshal.Cast<byte, float>(whole.Span).ToArray();
        }

        if (file.TryGet($"{name}@bytes", out var places))
        {
            var palette = Floats($"{name}@palette");
            return Array.ConvertAll(places.Span.ToArray(), place => palette[place]);
        }

        var kept = MemoryMarshal.Cast<byte, float>(file[$"{name}@{Every}"].Span);
        var all = new float[Shape(name).Aggregate(1L, (product, size) => product * size)];
        Array.Fill(all, float.NaN);
        for (var i = 0; i < kept.Length; i++)
        {
            all[i * Every] = kept[i];
        }

        return all;
    }

    /// <summary>What the file holds of a tensor, beside the same elements of another.</summary>
    public (float[] Expected, T[] Actual) Pairs<T>(string name, T[] actual)
    {
        if (file.Tensors.ContainsKey(name))
        {
            return (Elements(name), actual);
        }

        return (Elements($"{name}@{Every}"), [.. actual.Where((_, i) => i % Every == 0)]);

        float[] Elements(string stored) => file[stored].DType == DType.U8 ? Array.ConvertAll(Bytes(stored), b => (float)b) : Floats(stored);
    }

    public byte[] Bytes(string name) => file[name].Span.ToArray();

    public long[] Longs(string name) => MemoryMarshal.Cast<byte, long>(file[name].Span).ToArray();

    public long[] Shape(string name) => file.TryGet(name, out var whole) || file.TryGet($"{name}@bytes", out whole) ? whole.Shape : Longs($"{name}@shape");

    /// <summary>Asserts that shape and every element agree within an absolute tolerance.</summary>
    public void Near(string name, Tensor actual, double tolerance)
    {
        Assert.Equal(Shape(name), actual.Shape);
        Near(name, Floats(name), actual.Detach().To(DType.F32).ToArray<float>(), tolerance);
    }

    public static void Near(string what, float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.True(expected.Length == 0 || expected.Any(value => !float.IsNaN(value)), $"{what}: nothing to compare with");
        var worst = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, float.IsNaN(expected[i]) ? 0 : Math.Abs((double)expected[i] - actual[i]));
            Assert.False(float.IsNaN(actual[i]), $"{what}: element {i} is NaN");
        }

        tolerance = TestDevice.Tolerance(tolerance);
        Assert.True(worst <= tolerance, $"{what}: the largest difference is {worst:g3}, allowed {tolerance:g3}");
    }

    /// <summary>Asserts that the difference is small beside the length of the expected vector.</summary>
    public static void NearRelative(string what, float[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double difference = 0, length = 0;
        Assert.True(expected.Length == 0 || expected.Any(value => !float.IsNaN(value)), $"{what}: nothing to compare with");
        foreach (var i in Enumerable.Range(0, expected.Length).Where(i => !float.IsNaN(expected[i])))
        {
            difference += Math.Pow((double)expected[i] - actual[i], 2);
            length += Math.Pow(expected[i], 2);
        }

        var relative = Math.Sqrt(difference) / Math.Max(Math.Sqrt(length), 1e-12);
        tolerance = TestDevice.Tolerance(tolerance);
        Assert.True(relative <= tolerance, $"{what}: relative difference {relative:g3}, allowed {tolerance:g3}");
    }

    public void Dispose() => file.Dispose();
}
