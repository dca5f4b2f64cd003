namespace Fovea.Cli.Demo;

/// <summary>Asks a model about pictures, greedily, and counts what is right.</summary>
internal static class DemoExam
{
    private const int MaxAnswerTokens = 8;

    /// <summary>The answers to one question about every picture.</summary>
    /// <param name="adapter">Folder of the adapter, or null for the model alone.</param>
    /// <param name="dataFolder">What the pictures' files are relative to.</param>
    public static IReadOnlyList<DemoAnswer> Take(
        string model, string? adapter, DemoTask task, string dataFolder, IReadOnlyList<DemoPicture> pictures, CancellationToken stop = default) =>
        TakeAsync(model, adapter, task, dataFolder, pictures, stop).GetAwaiter().GetResult();

    /// <summary>Percent of the answers that are right.</summary>
    public static double Accuracy(IReadOnlyList<DemoAnswer> answers) => 100.0 * answers.Count(answer => answer.IsRight) / answers.Count;

    private static async Task<IReadOnlyList<DemoAnswer>> TakeAsync(
        string folder, string? adapter, DemoTask task, string dataFolder, IReadOnlyList<DemoPicture> pictures, CancellationToken stop)
    {
        await using var model = await VisionModel.LoadAsync(folder, new() { Adapter = adapter, Precision = Precision.Fp32 }, stop);
        var options = model.Generation with { DoSample = false, MaxNewTokens = MaxAnswerTokens };
        var answers = new List<DemoAnswer>(pictures.Count);
        foreach (var picture in pictures)
        {
            var question = Message.User(Image.FromFile(Path.Combine(dataFolder, picture.File)), task.Question);
            var answer = await model.AnswerAsync([question], options, stop);
            answers.Add(new DemoAnswer(picture, answer.Text.Trim(), task.Expected(picture)));
        }

        return answers;
    }
}
