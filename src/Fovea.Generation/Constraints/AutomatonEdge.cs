namespace Fovea.Generation.Constraints;

/// <summary>A way from one state to another: for nothing, for one byte of a range, or through a rule.</summary>
/// <param name="Rule">The called rule; -1 for bytes, -2 for nothing.</param>
/// <param name="Low">The smallest byte.</param>
/// <param name="High">The largest byte.</param>
/// <param name="To">The state behind it.</param>
internal readonly record struct AutomatonEdge(int Rule, byte Low, byte High, int To)
{
    public bool IsCall => Rule >= 0;

    public bool IsBytes => Rule == -1;

    public bool IsSkip => Rule == -2;

    public static AutomatonEdge Skip(int to) => new(-2, 0, 0, to);

    public static AutomatonEdge Bytes(byte low, byte high, int to) => new(-1, low, high, to);

    public static AutomatonEdge Call(int rule, int to) => new(rule, 0, 0, to);
}
