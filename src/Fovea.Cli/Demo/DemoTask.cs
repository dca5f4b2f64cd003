namespace Fovea.Cli.Demo;

/// <summary>A question about pictures and the words that may answer it.</summary>
/// <param name="Answers">All answers, each as likely as the others.</param>
/// <param name="Expected">The right one for a picture.</param>
internal sealed record DemoTask(string Question, IReadOnlyList<string> Answers, Func<DemoPicture, string> Expected)
{
    public static DemoTask Shapes { get; } = new("Which shape is it?", Words<DemoShape>(), picture => Word(picture.Shape));

    public static DemoTask Colours { get; } = new("Which colour is it?", Words<DemoColour>(), picture => Word(picture.Colour));

    /// <summary>Percent right by guessing.</summary>
    public double Chance => 100.0 / Answers.Count;

    private static string[] Words<T>()
        where T : struct, Enum => [.. Enum.GetValues<T>().Select(Word)];

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
