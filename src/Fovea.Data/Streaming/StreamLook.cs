using Fovea.Data.Datasets;

namespace Fovea.Data.Streaming;

/// <summary>Looks at the first rows of each dataset before a run begins: what is wrong with all of them shows there.</summary>
internal static class StreamLook
{
    private const int Rows = 64;

    /// <returns>What is without effect.</returns>
    /// <exception cref="ConfigException">A dataset has no rows, or one of those cannot be used and unusable rows stop the run.</exception>
    public static List<string> At(IReadOnlyList<StreamedSource> sources, DataOptions options)
    {
        var (problems, notices) = (new List<string>(), new List<string>());
        foreach (var (source, number) in sources.DistinctBy(source => source.Spec.Name).Select((source, i) => (source, i)))
        {
            using var cursor = new SourceCursor(source, number);
            var use = new ColumnUse(source.Spec);
            var (seen, bad) = (0, new List<string>());
            for (; seen < Rows && cursor.HasMore; seen++)
            {
                var place = cursor.Take();
                var reasons = new List<string>();
                if (source.Read(place, reasons, use) is null)
                {
                    bad.Add(source.Place(new BadSample(source.Spec.Name, (int)place.Row + 1, Brief.Join(reasons)), place).ToString());
                }
            }

            if (seen == 0)
            {
                problems.Add($"dataset '{source.Spec.Name}' has no rows");
            }
            else if (bad.Count == seen || options.OnBadSample == BadSamplePolicy.Error)
            {
                problems.AddRange(bad);
            }

            notices.AddRange(source.Spec.Notices);
            if (use.Notice() is { } notice)
            {
                notices.Add($"{notice} (of its first {seen} rows)");
            }
        }

        return problems.Count == 0 ? notices : throw new ConfigException(problems);
    }
}
