namespace Fovea.Tests.Unit.Runs;

/// <summary>A run that the stand-in MLflow keeps.</summary>
internal sealed class FakeRun(string id, string experiment, string name)
{
    public string Id => id;

    public string Experiment => experiment;

    public string Name => name;

    public string Status { get; set; } = "RUNNING";

    public bool Ended { get; set; }

    public Dictionary<string, string> Params { get; } = [];

    public Dictionary<string, string> Tags { get; } = [];

    public List<(string Key, double Value, int Step)> Metrics { get; } = [];

    public double[] Of(string key) => [.. Metrics.Where(metric => metric.Key == key).Select(metric => metric.Value)];
}
