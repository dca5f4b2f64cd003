using System.Reflection;

namespace Fovea.Tests.House;

/// <summary>What users of the library may hold on to is decided type by type; everything else is free to change.</summary>
public sealed class SurfaceTests
{
    // Assemblies of the library whose public types are its surface.
    private static readonly string[] Surface = ["Fovea", "Fovea.Abstractions", "Fovea.AspNetCore", "Fovea.Extensions.AI"];

    // Benchmarks are public because BenchmarkDotNet runs no others.
    private static readonly string[] Programs = ["Fovea.Tests", "Fovea.Benchmarks"];

    [Fact]
    public void Types_are_internal_outside_Fovea_and_Fovea_Abstractions()
    {
        var rooms = Directory.GetFiles(AppContext.BaseDirectory, "*.dll").Select(file => Path.GetFileNameWithoutExtension(file))
            .Where(name => name.Split('.')[0] == "Fovea" && !Surface.Contains(name) && !Programs.Contains(name))
            .Order(StringComparer.Ordinal).ToList();
        var projects = SourceTree.Programs.Select(file => file.Key.Split('/')[..^1]).Select(path => path[0] == "tests" ? $"Fovea.{path[1]}" : path[1])
            .Distinct().Except(Surface);
        Assert.Equal(projects.Order(StringComparer.Ordinal), rooms);
        Assert.Empty(rooms.SelectMany(name => PublicTypes(Assembly.Load(name))));
    }

    [Fact]
    public void A_public_type_is_found() => Assert.Contains("Fovea.ConfigException", PublicTypes(typeof(ConfigException).Assembly));

    private static IEnumerable<string?> PublicTypes(Assembly room) => room.GetExportedTypes().Select(type => type.FullName);
}
