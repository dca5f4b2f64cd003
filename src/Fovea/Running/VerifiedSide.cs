namespace Fovea.Running;

/// <summary>All answers of one side.</summary>
/// <param name="Name">What answered, in words.</param>
/// <param name="ElementType">Of its computation; null where it is not known.</param>
/// <param name="Answers">One for each row.</param>
internal sealed record VerifiedSide(string Name, string? ElementType, IReadOnlyList<VerifiedAnswer> Answers)
{
    public bool IsExact => ElementType == "f32";
}
