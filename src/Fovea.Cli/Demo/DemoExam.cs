using Fovea.Cli.Verbs;
using Fovea.Generation;
using Fovea.Training.Config;

namespace Fovea.Cli.Demo;

/// <summary>Asks a model about pictures, greedily, and counts what is right.</summary>
internal static class DemoExam
{
    private const int MaxAnswerTokens = 8;

    /// <summary>The answers to one question about every picture.</summary>
    /// <param name="adapter">Folder of the adapter, or null for the model alone.</param>
    /// <param name="dataFolder">What the pictures' files are relative to.</param>
    public static IReadOnlyList<DemoAnswer> Take(
        string model, string? adapter, DemoTask task, string dataFolder, IReadOnlyList<DemoPicture> pictures,
        CancellationToken stop = default)
    {
        var config = new TrainConfig
        {
            Model = new ModelSection
            {
                ModelNameOrPath = model,
                AdapterNameOrPath = adapter is null ? [] : [adapter],
                InferDtype = InferDtype.Float32,
            },
        };
        using var setup = ChatSetup.Load(config, fromModel: true, TextWriter.Null);
        var options = setup.Options with { DoSample = false, MaxNewTokens = MaxAnswerTokens };
        using var session = new ChatSession(setup.Model, setup.Tokenizer, setup.Prompts);
        var answers = new List<DemoAnswer>(pictures.Count);
        foreach (var picture in pictures)
        {
            stop.ThrowIfCancellationRequested();
            session.Clear();
            // Short, and judged whole: an answer that was cut off would count as a wrong one.
            var answer = session.Ask(task.Question, [Path.Combine(dataFolder, picture.File)], options, cancel: CancellationToken.None).Text.Trim();
            answers.Add(new DemoAnswer(picture, answer, task.Expected(picture)));
        }

        return answers;
    }

    /// <summary>Percent of the answers that are right.</summary>
    public static double Accuracy(IReadOnlyList<DemoAnswer> answers) => 100.0 * answers.Count(answer => answer.IsRight) / answers.Count;
}
