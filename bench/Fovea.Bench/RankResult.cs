namespace Fovea.Bench;

/// <summary>What rank 0 measured in one setting; each name ends in its unit.</summary>
internal sealed record RankResult(int Ranks, int Zero, bool Full)
{
    public required double StepSecondsMedian { get; init; }

    /// <summary>Of the mean step, spent standing still for other ranks.</summary>
    public required double WaitingSeconds { get; init; }

    /// <summary>Of the mean traced step, with a collective under way.</summary>
    public required double CommunicationSeconds { get; init; }

    /// <summary>The part of that in which rank 0 computed instead of standing still, by the spans of a trace.</summary>
    public required double HiddenShare { get; init; }

    /// <summary>Bytes that each rank has to send in a step, by theory.</summary>
    public required double TheoryMegabytes { get; init; }

    /// <summary>Bytes that each rank sent in a step over TCP.</summary>
    public required double WireMegabytes { get; init; }

    /// <summary>Bytes of the model's weights in the type of the computation.</summary>
    public required double ModelMegabytes { get; init; }

    /// <summary>Tensors between steps.</summary>
    public required double ResidentMebibytes { get; init; }

    /// <summary>Most tensors at one time within a step.</summary>
    public required double PeakMebibytes { get; init; }

    public required double Loss { get; init; }
}
