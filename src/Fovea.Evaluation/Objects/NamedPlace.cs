namespace Fovea.Evaluation.Objects;

/// <summary>A box or point of an answer.</summary>
/// <param name="Numbers">Four of a box, two of a point.</param>
/// <param name="Label">What the answer says is there; null where it says nothing.</param>
/// <param name="IsMarked">The label stands in marks or in JSON. Otherwise it is the text before the place, which may be more than the label.</param>
internal sealed record NamedPlace(IReadOnlyList<double> Numbers, string? Label, bool IsMarked)
{
    /// <summary>Whether it has that label; capitals and blanks around it do not count.</summary>
    public bool Is(string label)
    {
        label = label.Trim();
        return Label is not null && (Label.Equals(label, StringComparison.OrdinalIgnoreCase)
            || (!IsMarked && Label.EndsWith(label, StringComparison.OrdinalIgnoreCase) && !char.IsLetterOrDigit(Label[^(label.Length + 1)])));
    }
}
