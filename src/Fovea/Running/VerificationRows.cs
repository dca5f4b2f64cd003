using Fovea.Data.Datasets;
using Fovea.Evaluation.Coherence;
using Fovea.Training.Answers;

namespace Fovea.Running;

/// <summary>What two sides are asked.</summary>
internal static class VerificationRows
{
    private static readonly string[] Questions =
    [
        "Hello! Who are you?", "Write one sentence about the sea.", "What is 17 + 25?", "Count from 1 to 10.", "用一句话介绍北京。", "Name three colours.",
    ];

    /// <summary>A few questions, some of them about a drawn picture and one with a system message and history.</summary>
    public static IReadOnlyList<Conversation> BuiltIn { get; } =
    [
        .. Questions.Select(text => Ask(text)),
        new([
            new Message(Role.System, [new Text("Answer in few words.")]), new Message(Role.User, [new Text("What is the capital of France?")]),
            new Message(Role.Assistant, [new Text("Paris.")]), new Message(Role.User, [new Text("And of Italy?")])]),
        Ask("Describe the picture.", Picture(0, 0)),
        Ask("Which colour and which shape do you see?", Picture(2, 2)),
    ];

    /// <summary>The rows of a dataset or file without their last answers; the built-in ones where none is named.</summary>
    /// <exception cref="ConfigException">They cannot be read, or there are none.</exception>
    public static IReadOnlyList<Conversation> Read(string? rows, DataOptions data, int? limit)
    {
        if (rows is null)
        {
            return [.. BuiltIn.Take(limit ?? int.MaxValue)];
        }

        using var loaded = DatasetLoader.Load(data with { Dataset = [rows], EvalDataset = [], ValSize = 0, MaxSamples = limit });
        var read = Enumerable.Range(0, loaded.Train.Count).Select(row => loaded.Train[row])
            .Select(row => row.Messages[^1].Role == Role.Assistant ? RowQuestions.Asked(row) : row).ToList();
        return read.Count > 0 ? read : throw new ConfigException($"{rows}: there are no rows to ask");
    }

    private static Conversation Ask(string text, params Part[] before) => new([new Message(Role.User, [.. before, new Text(text)])]);

    private static Image Picture(int shape, int colour) => new(CoherencePicture.Draw(shape, colour, 0.45, 0.55, 0.3, $"picture-{shape}-{colour}.png"));
}
