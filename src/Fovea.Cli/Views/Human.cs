using System.Globalization;

namespace Fovea.Cli.Views;

/// <summary>Numbers as people read them.</summary>
internal static class Human
{
    /// <summary>Bytes with a binary unit: <c>3.1 GiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        var value = (double)bytes;
        var unit = 0;
        while (value >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        var format = unit == 0 || value >= 100 ? "0" : "0.0";
        return $"{value.ToString(format, CultureInfo.InvariantCulture)} {units[unit]}";
    }

    /// <summary>A whole number with thousands separated.</summary>
    public static string Count(double value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>Hours, minutes and seconds: <c>0:01:05</c>; hours go on beyond a day.</summary>
    public static string Clock(TimeSpan span) =>
        string.Create(CultureInfo.InvariantCulture, $"{(long)span.TotalHours}:{span.Minutes:00}:{span.Seconds:00}");

    /// <summary>Short form of any real number, for losses and learning rates.</summary>
    public static string Real(double value) =>
        value != 0 && Math.Abs(value) is < 1e-3 or >= 1e5
            ? value.ToString("0.0##e-00", CultureInfo.InvariantCulture)
            : value.ToString("0.0###", CultureInfo.InvariantCulture);
}
