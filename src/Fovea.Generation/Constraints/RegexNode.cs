namespace Fovea.Generation.Constraints;

/// <summary>A part of a regular expression.</summary>
internal abstract record RegexNode
{
    private RegexNode()
    {
    }

    /// <summary>One character of a set.</summary>
    internal sealed record One(CodeSet Set) : RegexNode;

    /// <summary>Parts one after the other; none of them is the empty text.</summary>
    internal sealed record Chain(IReadOnlyList<RegexNode> Parts) : RegexNode;

    /// <summary>Any one of several parts.</summary>
    internal sealed record Choice(IReadOnlyList<RegexNode> Parts) : RegexNode;

    /// <summary>A part several times; without end where there is no most.</summary>
    internal sealed record Repeat(RegexNode Part, int Least, int? Most) : RegexNode;
}
