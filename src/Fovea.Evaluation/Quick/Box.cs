namespace Fovea.Evaluation.Quick;

/// <summary>A rectangle by its left, upper, right and lower side, in pixels.</summary>
internal readonly record struct Box(double Left, double Top, double Right, double Bottom)
{
    /// <summary>The area that both have over the area that either has; 0 where they do not meet.</summary>
    public static double Overlap(Box a, Box b)
    {
        var (left, top) = (Math.Max(a.Left, b.Left), Math.Max(a.Top, b.Top));
        var (right, bottom) = (Math.Min(a.Right, b.Right), Math.Min(a.Bottom, b.Bottom));
        if (right <= left || bottom <= top)
        {
            return 0;
        }

        var both = (right - left) * (bottom - top);
        var either = a.Area + b.Area - both;
        return either <= 0 ? 0 : both / either;
    }

    private double Area => Math.Max(Right - Left, 0) * Math.Max(Bottom - Top, 0);

    /// <summary>Within an image, its sides in order.</summary>
    public Box Within(double width, double height)
    {
        var (left, right) = (Math.Clamp(Left, 0, width), Math.Clamp(Right, 0, width));
        var (top, bottom) = (Math.Clamp(Top, 0, height), Math.Clamp(Bottom, 0, height));
        return new Box(Math.Min(left, right), Math.Min(top, bottom), Math.Max(left, right), Math.Max(top, bottom));
    }

    public Box Scale(double x, double y) => new(Left * x, Top * y, Right * x, Bottom * y);
}
