using System.Runtime.InteropServices;

namespace Fovea.Data.Images.Native;

/// <summary>Finds the codec libraries: in the folders of <c>FOVEA_CODECS</c> (separated by colons), else where the system's loader looks.</summary>
internal static class CodecLibraries
{
    public const string FoldersVariable = "FOVEA_CODECS";
    internal const string TurboJpeg = "libturbojpeg.so.0";
    internal const string Webp = "libwebp.so.7";
    internal const string WebpDemux = "libwebpdemux.so.2";

    private static readonly (string Purpose, string FileName)[] Known = [("JPEG", TurboJpeg), ("WebP", Webp), ("WebP", WebpDemux)];
    private static readonly Dictionary<string, (nint Handle, string Place)> Loaded = [];

    static CodecLibraries() => NativeLibrary.SetDllImportResolver(typeof(CodecLibraries).Assembly, (name, _, _) => TryLoad(name)?.Handle ?? 0);

    /// <summary>Every codec library with the place where it loads from; <c>FoundAt</c> is null where it is missing. Loads what it finds.</summary>
    public static IReadOnlyList<CodecLibrary> Probe()
    {
        var found = new List<CodecLibrary>();
        foreach (var (purpose, fileName) in Known)
        {
            found.Add(new CodecLibrary(purpose, fileName, TryLoad(fileName)?.Place));
        }

        return found;
    }

    /// <summary>Loads the library or says what is missing.</summary>
    /// <exception cref="ConfigException">It is in none of the places.</exception>
    internal static void Require(string fileName)
    {
        if (TryLoad(fileName) is null)
        {
            var purpose = Array.Find(Known, known => known.FileName == fileName).Purpose;
            var folders = Environment.GetEnvironmentVariable(FoldersVariable);
            var places = string.IsNullOrEmpty(folders) ? "the system's library folders" : $"{folders} (from {FoldersVariable}) or the system's library folders";
            throw new ConfigException($"{fileName}, which reads {purpose} images, is not in {places}; `{StartedAs.Command} doctor` says how to install it");
        }
    }

    private static (nint Handle, string Place)? TryLoad(string fileName)
    {
        lock (Loaded)
        {
            if (Loaded.TryGetValue(fileName, out var known))
            {
                return known;
            }

            foreach (var folder in (Environment.GetEnvironmentVariable(FoldersVariable) ?? string.Empty).Split(':', StringSplitOptions.RemoveEmptyEntries))
            {
                var path = Path.Combine(folder, fileName);
                if (File.Exists(path) && NativeLibrary.TryLoad(path, out var inFolder))
                {
                    return Loaded[fileName] = (inFolder, path);
                }
            }

            return NativeLibrary.TryLoad(fileName, out var system) ? Loaded[fileName] = (system, "system") : null;
        }
    }
}
