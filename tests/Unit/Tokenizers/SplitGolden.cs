using System.Text.Json;

namespace Fovea.Tests.Unit.Tokenizers;

/// <summary>Rows of splits.jsonl: text, its forms C and D, and its pieces by Oniguruma for each expression (make_split_golden.py).</summary>
internal static class SplitGolden
{
    internal static IEnumerable<JsonElement> Rows()
    {
        foreach (var line in File.ReadLines(TestFiles.Golden("tokenizer/splits.jsonl")))
        {
            using var row = JsonDocument.Parse(line);
            yield return row.RootElement.Clone();
        }
    }
}
