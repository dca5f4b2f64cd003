using System.Text.Json;

namespace Fovea.Data.Datasets;

/// <summary>The rows of one data set, in the order of its files, at most <c>max_samples</c> of them.</summary>
internal sealed class RowSource : IDisposable
{
    private readonly List<JsonRowFile> files = [];
    private readonly List<int> ends = [];
    private readonly RowConverter converter;

    internal RowSource(DatasetSpec spec, string mediaDir, int? maxSamples)
    {
        Spec = spec;
        converter = new RowConverter(spec, mediaDir);
        var rows = 0;
        try
        {
            foreach (var path in spec.Files)
            {
                files.Add(JsonRowFile.Open(path));
                rows += files[^1].Count;
                ends.Add(rows);
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        Count = Math.Min(rows, maxSamples ?? rows);
    }

    internal DatasetSpec Spec { get; }

    internal int Count { get; }

    public void Dispose() => files.ForEach(f => f.Dispose());

    /// <summary>Row <paramref name="index"/> (from 0), or null and the reasons in <paramref name="problems"/>.</summary>
    internal Conversation? Read(int index, List<string> problems)
    {
        var file = 0;
        while (index >= ends[file])
        {
            file++;
        }

        try
        {
            using var document = files[file].Read(index - (file == 0 ? 0 : ends[file - 1]));
            return converter.Convert(document.RootElement, index + 1, problems);
        }
        catch (JsonException e)
        {
            problems.Add(files.Count == 1 ? e.Message : $"({files[file].Path}, its row {index + 1 - (file == 0 ? 0 : ends[file - 1])}): {e.Message}");
            return null;
        }
    }
}
