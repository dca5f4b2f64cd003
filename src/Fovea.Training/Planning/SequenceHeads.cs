using System.Globalization;
using Fovea.Models;
using Fovea.Nn;

namespace Fovea.Training.Planning;

/// <summary>Whether the heads of a model can be split over the ranks that split its sequences (<see cref="SplitSequences"/>).</summary>
internal static class SequenceHeads
{
    /// <summary>What to tell where they cannot; null where they can.</summary>
    public static string? Refusal(VisionLanguageModel model, int ranks)
    {
        (string What, int Count)[] all = model.States is { } states
            ? [("query heads", model.QueryHeads), ("value heads in its recurrent layers", states.Shape.ValueHeads)]
            : [("query heads", model.QueryHeads)];
        foreach (var (what, heads) in all)
        {
            if (heads % ranks != 0)
            {
                var allowed = Enumerable.Range(1, heads).Where(size => all.All(other => other.Count % size == 0));
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"sequence_parallel_size: {ranks} ranks cannot share the model's {heads} {what} evenly; use one of {string.Join(", ", allowed)}");
            }
        }

        return null;
    }
}
