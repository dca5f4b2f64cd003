using System.Text.RegularExpressions;

namespace Fovea.Tests.House;

/// <summary>A tensor whose handle native code works on must not be finalized meanwhile: who takes a handle keeps its tensor alive, in one folder.</summary>
public sealed partial class HandleTests
{
    private const string Native = "src/Fovea.Tensors/Native/";

    [Fact]
    public void Only_the_native_folder_takes_the_handle_of_a_tensor() => Assert.Empty(SourceTree.Find(
        SourceTree.Programs.Where(file => !file.Key.Contains("/Native/", StringComparison.Ordinal)), Taken()));

    [Fact]
    public void Every_method_that_takes_the_handle_of_a_tensor_keeps_it_alive()
    {
        var methods = SourceTree.CSharp(Native).SelectMany(file => Methods(file.Key, file.Value)).Where(method => Taken().IsMatch(method.Text)).ToList();

        Assert.True(methods.Count >= 6, $"only {methods.Count} methods take a handle");

        // Two only collect handles, for callers that keep the tensors alive.
        Assert.Equal(
            ["Door.Pack", "Gradient.HandlesOf"],
            methods.Where(method => !Keeps(method.Text)).Select(method => method.Name).Order(StringComparer.Ordinal));
        foreach (var caller in methods.Where(method => method.Text.Contains("HandlesOf(", StringComparison.Ordinal) && method.Name != "Gradient.HandlesOf"))
        {
            Assert.True(Keeps(caller.Text), caller.Name);
        }
    }

    private static bool Keeps(string text) => text.Contains("GC.KeepAlive(", StringComparison.Ordinal);

    /// <summary>Members of a file's types, from the line that declares them to the next one that does.</summary>
    private static IEnumerable<(string Name, string Text)> Methods(string path, string[] lines)
    {
        var starts = Enumerable.Range(0, lines.Length).Where(i => Member().IsMatch(lines[i])).Append(lines.Length).ToArray();
        for (var i = 0; i + 1 < starts.Length; i++)
        {
            var name = Member().Match(lines[starts[i]]).Groups["name"].Value;
            yield return ($"{Path.GetFileNameWithoutExtension(path)}.{name}", string.Join('\n', lines[starts[i]..starts[i + 1]]));
        }
    }

    /// <summary>The property read from some tensor, or within Tensor given to the bridge as it stands; an operator's handle is no tensor's.</summary>
    [GeneratedRegex(@"(?<!\bop)\.Handle\b|Bridge\.\w+\((?:[^()]*[\s,])?Handle\b", RegexOptions.CultureInvariant)]
    private static partial Regex Taken();

    [GeneratedRegex(@"^    (?:private|internal|public)\s[^=;]*?(?<name>\w+)(?:<\w+>)?\(", RegexOptions.CultureInvariant)]
    private static partial Regex Member();
}
