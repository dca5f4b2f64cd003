using System.Text.Json;

namespace Fovea.Tests.Unit.Tokenizers;

/// <summary>Rows of splits.jsonl.gz: text, its forms C and D, and its pieces by Oniguruma for each expression (make_split_golden.py).</summary>
internal static class SplitGolden
{
    internal static IEnumerable<JsonElement> Rows()
    {
        foreach (var line in TestFiles.GoldenLines("tokenizer/splits.jsonl.gz"))
        {
            using var row = JsonDocument.Parse(line);
            yield return row.RootElement.Clone();
        }
    }
}
