using System.Globalization;
using System.Text;

namespace Fovea.Data.Images;

/// <summary>
/// What becomes of one picture, known from its header: the whole of it, or the whole scaled down and then the cells that it is cut into, row by row.
/// </summary>
/// <param name="Parts">Size in patches of each part; at least one.</param>
/// <param name="Tokens">Tokens that each part takes in the text.</param>
internal sealed record MediaPlan(IReadOnlyList<ImageGrid> Parts, IReadOnlyList<int> Tokens)
{
    /// <summary>The size in pixels that it is brought to as a whole; null where no single size is.</summary>
    public (int Width, int Height)? Seen { get; init; }

    /// <summary>Columns of cells; 0 where it is not cut.</summary>
    public int Columns { get; init; }

    /// <summary>The text before, between and behind the parts [Parts + 1]; null for what the template writes around an image.</summary>
    public IReadOnlyList<string>? Around { get; init; }

    /// <summary>What is written on both sides of the picture's number in the conversation, before everything else; null where it is not written.</summary>
    public (string Before, string After)? Number { get; init; }

    /// <summary>A picture that is one part.</summary>
    public static MediaPlan One(ImageGrid grid, int tokens) => new([grid], [tokens]);

    /// <summary>The text that stands for the picture, where the plan says it.</summary>
    /// <param name="number">Pictures of the conversation before this one; null to leave it out.</param>
    /// <param name="part">What stands for one part.</param>
    public string Write(int? number, string part)
    {
        var text = new StringBuilder();
        if (Number is { } sides && number is { } own)
        {
            text.Append(sides.Before).Append(own.ToString(CultureInfo.InvariantCulture)).Append(sides.After);
        }

        for (var i = 0; i < Parts.Count; i++)
        {
            text.Append(Around![i]).Append(part);
        }

        return text.Append(Around![^1]).ToString();
    }
}
