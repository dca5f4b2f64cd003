using System.Text.RegularExpressions;

namespace Fovea.Tests.House;

/// <summary>The checkout's own source files, as text.</summary>
internal static partial class SourceTree
{
    /// <summary>Every C# and C++ file below src, tests and native, by its path from the root; no build output.</summary>
    public static IReadOnlyDictionary<string, string[]> Files { get; } = new[] { "src", "tests", "native", "bench" }
        .Select(folder => Path.Combine(TestFiles.Root, folder))
        .Where(Directory.Exists)
        .SelectMany(folder => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        .Where(file => Path.GetExtension(file) is ".cs" or ".cpp" or ".h" or ".cu" or ".cuh")
        .Select(file => Path.GetRelativePath(TestFiles.Root, file))
        .Where(file => !file.Split('/').Any(part => part is "bin" or "obj" or "artifacts" or "build"))
        .ToDictionary(file => file, file => File.ReadAllLines(Path.Combine(TestFiles.Root, file)));

    /// <summary>The C# files below a folder.</summary>
    public static IEnumerable<KeyValuePair<string, string[]>> CSharp(string under) =>
        Files.Where(file => file.Key.EndsWith(".cs", StringComparison.Ordinal) && file.Key.StartsWith(under, StringComparison.Ordinal));

    /// <summary>The C# files of src, and of the programs around it that are no tests.</summary>
    public static IEnumerable<KeyValuePair<string, string[]>> Programs { get; } =
        [.. new[] { "src/", "bench/Fovea.Bench/", "tests/Probe/", "tests/Testing/" }.SelectMany(CSharp)];

    /// <summary>Types that stand on their own (not nested) in a file, with their number of lines.</summary>
    public static IEnumerable<(string Name, bool OfFile, int Lines)> Types(string[] lines)
    {
        for (var i = 0; i < lines.Length; i++)
        {
            var match = TypeDeclaration().Match(lines[i]);
            if (!match.Success)
            {
                continue;
            }

            // The layout is fixed: a type ends with a brace in the first column, or on its own line where it has no body.
            var open = Array.IndexOf(lines, "{", i);
            var semicolon = Array.FindIndex(lines, i, line => line.EndsWith(';'));
            var end = open >= 0 && (semicolon < 0 || open < semicolon) ? Array.IndexOf(lines, "}", open) : semicolon;
            yield return (match.Groups["name"].Value, match.Groups["access"].Value == "file", end - i + 1);
        }
    }

    /// <summary>Lines that match, as <c>path:line: text</c>; comments are not looked at.</summary>
    public static List<string> Find(IEnumerable<KeyValuePair<string, string[]>> files, Regex pattern) =>
    [
        .. files.SelectMany(file => file.Value.Select((line, i) => (line, i))
            .Where(at => pattern.IsMatch(CodeOf(at.line)))
            .Select(at => $"{file.Key}:{at.i + 1}: {at.line.Trim()}")),
    ];

    private static string CodeOf(string line) => line.TrimStart().StartsWith("//", StringComparison.Ordinal) ? string.Empty : line;

    [GeneratedRegex(@"^(?<access>public|internal|file)\s(?:[a-z]+\s)*(?:class|record|struct|interface|enum)\s(?<name>\w+)", RegexOptions.CultureInvariant)]
    private static partial Regex TypeDeclaration();
}
