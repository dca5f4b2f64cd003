namespace Fovea.Tensors.Native;

/// <summary>Where the bridge and the libtorch that it was built for are looked for.</summary>
/// <param name="Named">What <c>FOVEA_NATIVE</c> says; null where it says nothing. The launcher sets it.</param>
/// <param name="Beside">The program's own folders of native libraries, the first to be looked at first; NuGet packages put theirs there.</param>
/// <param name="Cached">Its folder in the cache, one for each version of Fovea.</param>
internal sealed record BridgePlaces(string? Named, IReadOnlyList<string> Beside, string Cached)
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
            Path.Combine(CacheFolder.Path, "bridge", $"nuget-{version}"));
    }

    /// <summary>The bridge. What is named is taken as it is: that it is not there is better said than passed over.</summary>
    /// <exception cref="TorchException">None of the places has it.</exception>
    public string Find() => Named ?? Folders().Select(folder => Path.Combine(folder, FileName)).FirstOrDefault(File.Exists) ?? throw new TorchException(
        $"the native bridge {FileName} is in none of the places where it is looked for: {Variable} is not set, "
        + $"the program's folders ({string.Join(", ", Beside)}) do not have it, and neither does the cache ({Cached}). "
        + "Start through ./fovea (or ./test), or set the environment that a clone of Fovea prints: eval \"$(./fovea env)\"; $FOVEA_DOTNET app.dll");

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
        ? "It needs libtorch beside it: reference the package libtorch-cpu-linux-x64 in the version that docs/decisions/libtorch-for-a-library.md names"
        : string.IsNullOrEmpty(host) || host == process
            ? "`./fovea doctor` says what is missing"
            : $"Its libtorch may need a newer C library than {process} starts with: start the program with {host} instead (FOVEA_DOTNET)";

    private IEnumerable<string> Folders() => Beside.Append(Cached);
}
