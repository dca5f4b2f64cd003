using Fovea.Tensors.Native;

namespace Fovea.Tests.Unit.Tensors;

/// <summary>Where the bridge is looked for, and which libtorch is loaded before it.</summary>
public sealed class BridgePlacesTests : IDisposable
{
    private readonly TempFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void What_is_named_comes_first_then_the_programs_folders_in_their_order_then_the_cache()
    {
        var cached = Put("cache", BridgePlaces.FileName);
        Assert.Equal(cached, Places().Find());
        var second = Put("second", BridgePlaces.FileName);
        Assert.Equal(second, Places().Find());
        var first = Put("first", BridgePlaces.FileName);
        Assert.Equal(first, Places().Find());
        Assert.Equal("/elsewhere/own.so", Places("/elsewhere/own.so").Find());
    }

    [Fact]
    public void Where_none_has_it_the_message_names_all_three_and_what_to_do()
    {
        var e = Assert.Throws<TorchException>(() => Places().Find());
        Assert.Contains("FOVEA_NATIVE is not set", e.Message);
        Assert.Contains($"{folder["first"]}, {folder["second"]}", e.Message);
        Assert.Contains($"the cache ({folder["cache"]})", e.Message);
        Assert.Contains("Fovea.Native.linux-x64", e.Message);
        Assert.Contains("fovea dotnet app.dll", e.Message);
    }

    [Theory]
    [InlineData("libtorch_cpu.so.2.6.0", "2.6.0")]
    [InlineData("libtorch_cpu.so.2.6", "2.6.0")]
    [InlineData("libtorch_cpu.so.2.10.0", "2.10.0")]
    public void Of_bridges_for_several_versions_the_systems_libtorch_chooses(string libtorch, string built)
    {
        var bridges = Several("2.6.0", "2.10.0");
        Put("system", libtorch);
        Assert.Equal(bridges[built], Places().Find());
        File.CreateSymbolicLink(Path.Combine(folder["system"], "libtorch_cpu.so"), Path.Combine(folder["system"], libtorch));
        Assert.Equal(bridges[built], Places().Find());
    }

    [Fact]
    public void A_libtorch_beside_the_program_comes_before_the_systems()
    {
        var bridges = Several("2.6.0", "2.10.0");
        Put("system", "libtorch_cpu.so.2.6.0");
        Put("second", "libtorch_cpu.so");
        Assert.Contains("the version of", Assert.Throws<TorchException>(() => Places().Find()).Message);
        Put(".", "build-version", "2.10.0+cpu\n");
        Assert.Equal(bridges["2.10.0"], Places().Find());
    }

    [Fact]
    public void NuGets_libtorch_is_known_by_its_folder()
    {
        var bridges = Several("2.6.0", "2.10.0");
        Put("libtorch-cpu-linux-x64/2.10.0/runtimes/linux-x64/native", "libtorch_cpu.so");
        var places = Places() with { Beside = [folder["first"], folder["libtorch-cpu-linux-x64/2.10.0/runtimes/linux-x64/native"]] };
        Assert.Equal(bridges["2.10.0"], places.Find());
    }

    [Fact]
    public void A_libtorch_that_no_bridge_was_built_for_is_told_with_both_versions()
    {
        Several("2.6.0");
        var none = Assert.Throws<TorchException>(() => Places().Find()).Message;
        Assert.Contains("bridge for libtorch 2.6.0, but no libtorch is beside the program", none);
        Assert.Contains("apt install libtorch2.6", none);
        var system = Put("system", "libtorch_cpu.so.2.9.1");
        Assert.Contains($"{system} is libtorch 2.9.1", Assert.Throws<TorchException>(() => Places().Find()).Message);
    }

    [Fact]
    public void Libtorch_is_taken_from_beside_the_bridge_or_from_the_programs_folders()
    {
        var bridge = Put("cache", BridgePlaces.FileName);
        Assert.Null(Places().Libtorch(bridge));
        var packaged = Put("second", "libtorch_cpu.so");
        Assert.Equal(packaged, Places().Libtorch(bridge));
        var beside = Put("cache", "libtorch_cpu.so");
        Assert.Equal(beside, Places().Libtorch(bridge));
    }

    [Fact]
    public void A_bridge_that_is_named_knows_its_libtorch()
    {
        Put("first", "libtorch_cpu.so");
        var bridge = Put("own", BridgePlaces.FileName);
        Assert.Null(Places(bridge).Libtorch(bridge));
        var beside = Put("own", "libtorch_cpu.so");
        Assert.Equal(beside, Places(bridge).Libtorch(bridge));
    }

    [Fact]
    public void A_bridge_that_does_not_load_comes_with_what_to_do()
    {
        Assert.Contains("apt install libtorch2.6", Places().Remedy("/prepared/dotnet", "/usr/bin/dotnet"));
        Assert.Contains("start the program with /prepared/dotnet", Places("/own.so").Remedy("/prepared/dotnet", "/usr/bin/dotnet"));
        Assert.Contains("./fovea doctor", Places("/own.so").Remedy("/prepared/dotnet", "/prepared/dotnet"));
        Assert.Contains("./fovea doctor", Places("/own.so").Remedy(null, "/usr/bin/dotnet"));
    }

    [Fact]
    public void A_program_has_its_own_folder_and_that_of_its_packages()
    {
        var places = BridgePlaces.OfThisProcess();
        var home = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        Assert.Contains(home, places.Beside);
        Assert.Contains(Path.Combine(home, "runtimes/linux-x64/native"), places.Beside);
        Assert.StartsWith(Path.Combine(CacheFolder.Path, "bridge", "nuget-"), places.Cached, StringComparison.Ordinal);
    }

    private BridgePlaces Places(string? named = null) => new(named, [folder["first"], folder["second"]], folder["cache"], [folder["system"]]);

    private Dictionary<string, string> Several(params string[] versions) => versions.ToDictionary(
        version => version, version => Put("first", $"libfovea_native.torch-{version}.so"));

    private string Put(string place, string name, string text = "library") => folder.Write(Path.Combine(place, name), text);
}
