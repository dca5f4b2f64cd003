namespace Fovea.Training.Planning;

/// <summary>Bytes by the number of rows (tokens, or patches of images).</summary>
/// <param name="Once">Whatever the number: copies of weights in the element type of the computation.</param>
/// <param name="EachRow">Of one row; a fraction where several rows share something.</param>
internal readonly record struct RowBytes(double Once, double EachRow)
{
    public static RowBytes operator +(RowBytes a, RowBytes b) => new(a.Once + b.Once, a.EachRow + b.EachRow);

    public static RowBytes operator -(RowBytes a, RowBytes b) => new(a.Once - b.Once, a.EachRow - b.EachRow);

    /// <summary>The line through two measurements.</summary>
    public static RowBytes Through(int rows, long bytes, int moreRows, long moreBytes)
    {
        var each = (moreBytes - bytes) / (double)(moreRows - rows);
        return new RowBytes(bytes - (each * rows), each);
    }

    public long Of(int rows) => (long)(Once + (EachRow * rows));
}
