namespace Fovea.Running;

/// <summary>The first place where two answers differ.</summary>
/// <param name="What">What differs, in words.</param>
/// <param name="Step">Number of the token, from 1; null where it is no token.</param>
/// <param name="Before">The answer's text up to there.</param>
internal sealed record VerificationDifference(string What, int? Step, string Before)
{
    public string? TokenA { get; init; }

    public string? TokenB { get; init; }

    public double? LogprobA { get; init; }

    public double? LogprobB { get; init; }
}
