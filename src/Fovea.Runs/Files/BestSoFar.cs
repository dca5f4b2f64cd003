namespace Fovea.Runs.Files;

/// <summary>The best evaluation of a run so far, as Transformers keeps it in <c>trainer_state.json</c>.</summary>
/// <param name="Metric">Its value; null before the first.</param>
/// <param name="Step">The step after which it was measured; null where no checkpoints are saved.</param>
/// <param name="Checkpoint">Its folder; null until it is saved.</param>
/// <param name="Waited">Evaluations since then that were no better.</param>
internal sealed record BestSoFar(double? Metric = null, int? Step = null, string? Checkpoint = null, int Waited = 0)
{
    private const string Callbacks = "stateful_callbacks";
    private const string Stopping = "EarlyStoppingCallback";
    private const string Patience = "early_stopping_patience";
    private const string Counter = "early_stopping_patience_counter";

    /// <summary>What a state says.</summary>
    public static BestSoFar Of(TrainerState state)
    {
        var counter = Map(Map(Map(state.Others, Callbacks), Stopping), "attributes")?.GetValueOrDefault(Counter);
        var metric = state.Others.GetValueOrDefault("best_metric");
        return new BestSoFar(
            metric is double real ? real : metric as long?, Count(state.Others.GetValueOrDefault("best_global_step")),
            state.Others.GetValueOrDefault("best_model_checkpoint") as string, Count(counter) ?? 0);
    }

    /// <summary>The state with this in it.</summary>
    /// <param name="patience">Evaluations without a better one after which the run stops; null where it never does.</param>
    public TrainerState In(TrainerState state, int? patience)
    {
        var others = new Dictionary<string, object?>(state.Others)
        {
            ["best_metric"] = Metric,
            ["best_global_step"] = Step,
            ["best_model_checkpoint"] = Checkpoint,
        };
        if (patience is { } most)
        {
            others[Callbacks] = new Dictionary<string, object?>(Map(others, Callbacks) ?? new Dictionary<string, object?>())
            {
                [Stopping] = new Dictionary<string, object?>
                {
                    ["args"] = new Dictionary<string, object?> { [Patience] = most, ["early_stopping_threshold"] = 0.0 },
                    ["attributes"] = new Dictionary<string, object?> { [Counter] = Waited },
                },
            };
        }

        return state with { Others = others };
    }

    private static int? Count(object? value) => value switch
    {
        int count => count,
        long count and >= 0 and <= int.MaxValue => (int)count,
        _ => null,
    };

    private static IReadOnlyDictionary<string, object?>? Map(IReadOnlyDictionary<string, object?>? from, string key) =>
        from?.GetValueOrDefault(key) as IReadOnlyDictionary<string, object?>;
}
