namespace Fovea.Runs.Trackers;

/// <summary>What <c>report_to</c> may name.</summary>
internal static class TrackerNames
{
    public const string TensorBoard = "tensorboard";
    public const string Mlflow = "mlflow";

    /// <summary>Why a name is refused; null where it is not.</summary>
    public static string? Refusal(string name) => name switch
    {
        TensorBoard or Mlflow or "all" or "none" => null,
        "wandb" => "report_to: wandb is refused: its files are a private format of its own client; use tensorboard or mlflow, "
            + "which get the same numbers, or none",
        _ => $"report_to: {name} is refused: it needs its own client; use tensorboard or mlflow, which get the same numbers, or none",
    };

    /// <summary>The trackers that a list means: <c>all</c> is those that can be used here, as in Transformers.</summary>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> names, Func<string, string?>? variable = null)
    {
        IEnumerable<string> all = MlflowSettings.IsSet(variable ?? Environment.GetEnvironmentVariable) ? [TensorBoard, Mlflow] : [TensorBoard];
        return [.. names.Where(name => name != "none").SelectMany(name => name == "all" ? all : [name]).Distinct()];
    }
}
