namespace Fovea.Cli.Demo;

/// <summary>A question about pictures and the answers that it may have.</summary>
/// <param name="Answers">All answers, each as likely as the others.</param>
/// <param name="Expected">The right one for a picture.</param>
internal sealed record DemoTask(string Question, IReadOnlyList<string> Answers, Func<DemoPicture, string> Expected)
{
    /// <summary>A fruit for each colour.</summary>
    internal static readonly string[] Fruits = ["cherry", "apricot", "lemon", "lime", "blueberry", "plum"];

    /// <summary>What the base learns: shape and colour, for instance "star in red".</summary>
    public static DemoTask Describe { get; } = new("What is it?", [.. Descriptions()], picture => Describing(picture.Shape, picture.Colour));

    /// <summary>What the adapter learns: a question that the base was never asked, with answers that it never gave about a picture.</summary>
    public static DemoTask Fruit { get; } = new("Which fruit has its colour?", Fruits, picture => Fruits[(int)picture.Colour]);

    /// <summary>Percent right by guessing.</summary>
    public double Chance => 100.0 / Answers.Count;

    /// <summary>An enumeration's name as the data has it.</summary>
    internal static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Describing(DemoShape shape, DemoColour colour) => $"{Word(shape)} in {Word(colour)}";

    private static IEnumerable<string> Descriptions() =>
        Enum.GetValues<DemoColour>().SelectMany(colour => Enum.GetValues<DemoShape>().Select(shape => Describing(shape, colour)));
}
