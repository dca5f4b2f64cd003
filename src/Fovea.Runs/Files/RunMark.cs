namespace Fovea.Runs.Files;

/// <summary>
/// Fovea's mark in <c>trainer_state.json</c>: where a run was taken up, or when a checkpoint was written. It stands under <c>stateful_callbacks</c>, where
/// Transformers passes over the names that it does not know.
/// </summary>
/// <param name="Order">What is written later in a run's folder has a higher number.</param>
/// <param name="From">The checkpoint that the run went on from: a name in its folder, or a whole path; null where it began anew.</param>
internal sealed record RunMark(int Order, string? From = null)
{
    private const string Callbacks = "stateful_callbacks";
    private const string Name = "Fovea";

    /// <summary>Takes the mark out of what a trainer state holds; null where it has none.</summary>
    internal static RunMark? Take(Dictionary<string, object?> state)
    {
        if (state.GetValueOrDefault(Callbacks) is not Dictionary<string, object?> callbacks || !callbacks.Remove(Name, out var mark))
        {
            return null;
        }

        var attributes = (mark as Dictionary<string, object?>)?.GetValueOrDefault("attributes") as Dictionary<string, object?>;
        return attributes?.GetValueOrDefault("order") is long order and > 0 and < int.MaxValue
            ? new RunMark((int)order, attributes.GetValueOrDefault("from") as string)
            : null;
    }

    /// <summary>Puts the mark into what a trainer state holds.</summary>
    internal void Put(Dictionary<string, object?> state)
    {
        var attributes = new Dictionary<string, object?> { ["order"] = Order };
        if (From is not null)
        {
            attributes["from"] = From;
        }

        var others = state.GetValueOrDefault(Callbacks) as Dictionary<string, object?> ?? [];
        state[Callbacks] = new Dictionary<string, object?>(others)
        {
            [Name] = new Dictionary<string, object?> { ["args"] = new Dictionary<string, object?>(), ["attributes"] = attributes },
        };
    }
}
