namespace Fovea.Cli.Demo;

/// <summary>How large the demonstration is. The defaults are what <c>fovea demo</c> runs; tests run the same code much smaller.</summary>
internal sealed record DemoOptions
{
    public const string DefaultOutput = "output/demo";

    /// <summary>Folder of everything that is made.</summary>
    public string Output { get; init; } = DefaultOutput;

    /// <summary>Decides pictures, first weights and order. The same seed on the same machine gives the same result.</summary>
    public int Seed { get; init; } = 7;

    /// <summary>Pictures that the base learns from.</summary>
    public int Pictures { get; init; } = 6000;

    /// <summary>How many of them the adapter learns from.</summary>
    public int FruitPictures { get; init; } = 480;

    /// <summary>Pictures that no training sees.</summary>
    public int HeldOut { get; init; } = 120;

    /// <summary>Times that the base sees its pictures.</summary>
    public double BaseEpochs { get; init; } = 4;

    /// <summary>Times that the adapter sees its pictures.</summary>
    public double AdapterEpochs { get; init; } = 8;

    /// <summary>Steps from one line of the base's log to the next.</summary>
    public int BaseLoggingSteps { get; init; } = 50;

    public int AdapterLoggingSteps { get; init; } = 10;

    /// <summary>Samples that make one step.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>Percentage points above chance that both tasks must reach in the end.</summary>
    public double RequiredGain { get; init; } = 40;
}
