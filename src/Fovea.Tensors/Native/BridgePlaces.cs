using System.Text.RegularExpressions;

namespace Fovea.Tensors.Native;

/// <summary>
/// Where the bridge and the libtorch that it was built for are looked for. A folder has one bridge, <see cref="FileName"/>, or one for each version of
/// libtorch (<c>libfovea_native.torch-2.6.0.so</c>), as the package Fovea.Native.linux-x64 does: then the libtorch at hand decides.
/// </summary>
/// <param name="Named">What <c>FOVEA_NATIVE</c> says; null where it says nothing. The launcher sets it.</param>
/// <param name="Beside">The program's own folders of native libraries, the first to be looked at first; NuGet packages put theirs there.</param>
/// <param name="Cached">Its folder in the cache, one for each version of Fovea.</param>
/// <param name="System">Where the system has its libraries: its libtorch counts where none lies beside the program.</param>
internal sealed partial record BridgePlaces(string? Named, IReadOnlyList<string> Beside, string Cached, IReadOnlyList<string> System)
{
    public const string Variable = "FOVEA_NATIVE";
    public const string FileName = "libfovea_native.so";
    private const string LibtorchName = "libtorch_cpu.so";
    private const string Runtime = "runtimes/linux-x64/native";

    public static BridgePlaces OfThisProcess()
    {
        var assembly = typeof(BridgePlaces).Assembly;

        // The host's own list: the folders of all packages that the program's .deps.json names.
        var listed = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? string.Empty;
        List<string> beside = [.. listed.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)];
        string[] homes = [AppContext.BaseDirectory, Path.GetDirectoryName(assembly.Location) ?? string.Empty];
        foreach (var home in homes.Where(home => home.Length > 0))
        {
            beside.AddRange([home, Path.Combine(home, Runtime)]);
        }

        var named = Environment.GetEnvironmentVariable(Variable);
        var version = assembly.GetName().Version?.ToString(3) ?? "0.0.0";
        return new BridgePlaces(
            string.IsNullOrEmpty(named) ? null : named,
            [.. beside.Select(folder => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))).Distinct(StringComparer.Ordinal)],
            Path.Combine(CacheFolder.Path, "bridge", $"nuget-{version}"),
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/local/lib"]);
    }

    /// <summary>The bridge. What is named is taken as it is: that it is not there is better said than passed over.</summary>
    /// <exception cref="TorchException">None of the places has it, or none for this libtorch.</exception>
    public string Find()
    {
        if (Named is not null)
        {
            return Named;
        }

        foreach (var folder in Folders().Where(Directory.Exists))
        {
            var only = Path.Combine(folder, FileName);
            if (File.Exists(only))
            {
                return only;
            }

            if (Directory.GetFiles(folder, "libfovea_native.torch-*.so") is { Length: > 0 } several)
            {
                return ForLibtorch(several);
            }
        }

        throw new TorchException(
            $"the native bridge {FileName} is in none of the places where it is looked for: {Variable} is not set, "
            + $"the program's folders ({string.Join(", ", Beside)}) do not have it, and neither does the cache ({Cached}). "
            + "Reference the package Fovea.Native.linux-x64, or start the program through the launcher, which has it: fovea dotnet app.dll "
            + "(dotnet tool install -g Fovea.Tool; ./fovea in a clone)");
    }

    /// <summary>Of the bridges for several versions the one for the libtorch that the process will load.</summary>
    private string ForLibtorch(IReadOnlyList<string> bridges)
    {
        var built = bridges.ToDictionary(file => BuiltFor().Match(Path.GetFileName(file)).Groups[1].Value);
        var libtorch = Folders().Concat(System).Select(LibtorchIn).FirstOrDefault(file => file is not null);
        var version = libtorch is null ? null : LibtorchVersion(libtorch);
        var fitting = built.Keys.Where(key => version is null ? libtorch is not null && built.Count == 1 : Minor(key) == Minor(version)).ToList();
        return fitting is [var one, ..] ? built[one] : throw new TorchException(
            $"the package has a native bridge for libtorch {string.Join(", ", built.Keys.Order(StringComparer.Ordinal))}, but "
            + (libtorch is null
                ? $"no libtorch is beside the program or in {string.Join(", ", System)}"
                : version is null ? $"the version of {libtorch} is unknown" : $"{libtorch} is libtorch {version}")
            + ". Install that libtorch (on Debian 13: apt install libtorch2.6 libopenblas0-openmp), or start the program through the launcher, "
            + "which brings one: fovea dotnet app.dll (dotnet tool install -g Fovea.Tool)");

        // 2.6 and 2.6.0 are one: releases of one minor version have the same binary interface.
        static string Minor(string version) => string.Join('.', version.Split('.').Take(2));
    }

    /// <summary>libtorch in this folder: without its development files a system has it under versioned names alone.</summary>
    private static string? LibtorchIn(string folder) => !Directory.Exists(folder)
        ? null
        : Directory.GetFiles(folder, LibtorchName + "*").Order(StringComparer.Ordinal).FirstOrDefault();

    /// <summary>As its file is called, as the file of unzipped libtorchs and wheels says, or as NuGet's folder says; null where none does.</summary>
    private static string? LibtorchVersion(string file)
    {
        var real = File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file;
        var says = Path.Combine(Path.GetDirectoryName(real)!, "..", "build-version");
        string?[] places = [real, File.Exists(says) ? $"{LibtorchName}.{TextFile.Read(says)}" : null];
        return places.Select(place => place is null ? null : VersionIn().Match(place) is { Success: true } found ? found.Groups[1].Value : null)
            .FirstOrDefault(version => version is not null);
    }

    /// <summary>
    /// The libtorch to load before the bridge; null where the bridge finds it by itself. What the bridge asks for by name is then there already, OpenMP's
    /// library too, which libtorch brings under a name of its own: otherwise the system's would be loaded as a second one, or be missing.
    /// </summary>
    public string? Libtorch(string bridge)
    {
        IEnumerable<string> folders = [Path.GetDirectoryName(Path.GetFullPath(bridge))!, .. Named is null ? Folders() : []];
        return folders.Select(folder => Path.Combine(folder, LibtorchName)).FirstOrDefault(File.Exists);
    }

    /// <summary>What to do about a bridge that is there and does not load.</summary>
    /// <param name="host">What <c>FOVEA_DOTNET</c> says: the dotnet that the launcher prepared for its libtorch.</param>
    /// <param name="process">The dotnet that runs this.</param>
    public string Remedy(string? host, string? process) => Named is null
        ? "It needs libtorch, and the libraries that libtorch needs: on Debian 13 apt install libtorch2.6 libopenblas0-openmp; elsewhere start the program "
            + "through the launcher, which brings them: fovea dotnet app.dll (dotnet tool install -g Fovea.Tool)"
        : string.IsNullOrEmpty(host) || host == process
            ? $"`{StartedAs.Command} doctor` says what is missing"
            : $"Its libtorch may need a newer C library than {process} starts with: start the program with {host} instead (FOVEA_DOTNET)";

    private IEnumerable<string> Folders() => Beside.Append(Cached);

    [GeneratedRegex(@"\.torch-(.+)\.so$", RegexOptions.CultureInvariant)]
    private static partial Regex BuiltFor();

    [GeneratedRegex(@"(?:libtorch_cpu\.so\.|/libtorch-c[a-z0-9.-]*-linux-x64/)(\d+\.\d+(?:\.\d+)?)", RegexOptions.CultureInvariant)]
    private static partial Regex VersionIn();
}
