using System.Security.Cryptography;
using System.Text;

namespace Fovea.Evaluation.Running;

/// <summary>What a benchmark asks, as a short text that changes with any question, image name or order of turns.</summary>
internal static class QuestionPrint
{
    /// <summary>Depends on what is asked, not on what is expected: answers stay good when expectations are corrected.</summary>
    public static string Of(IReadOnlyList<BenchmarkItem> items)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var item in items)
        {
            Add("item", item.Id);
            foreach (var part in item.Before.Concat(item.Turns).SelectMany(turn => turn.Parts.Prepend(new Text(turn.Role.ToString()))))
            {
                Add(part.GetType().Name, part is Image image ? $"{image.Source.Name} {image.Source.Offset} {image.Source.Length}" : $"{part}");
            }
        }

        return $"{items.Count} items, {Convert.ToHexStringLower(hash.GetHashAndReset())[..16]}";

        void Add(string kind, string text) => hash.AppendData(Encoding.UTF8.GetBytes($"{kind} {text.Length} {text}\n"));
    }
}
