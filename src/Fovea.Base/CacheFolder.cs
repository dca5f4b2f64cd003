namespace Fovea;

/// <summary>The folder of what is kept between runs: <c>FOVEA_CACHE</c>, or <c>fovea</c> in <c>XDG_CACHE_HOME</c> or <c>~/.cache</c>.</summary>
internal static class CacheFolder
{
    public static string Path
    {
        get
        {
            if (Environment.GetEnvironmentVariable("FOVEA_CACHE") is { Length: > 0 } own)
            {
                return own;
            }

            var all = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
                ? cache
                : System.IO.Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return System.IO.Path.Combine(all, "fovea");
        }
    }
}
