using System.Globalization;
using Fovea.Models;
using Fovea.Models.Peft;
using Fovea.Nn.Lora;
using Fovea.Training.Config;

namespace Fovea.Training.Session;

/// <summary>Rows of embeddings, and of the head where it is a table of its own, that learn in their place (<c>trainable_token_indices</c>).</summary>
internal static class TokenRows
{
    /// <summary>Gives the tables the rows that the configuration names and the adapter does not have yet.</summary>
    /// <returns>All of them, as adapter_config.json lists them.</returns>
    /// <exception cref="ConfigException">There are no such rows.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyList<int>> Attach(TuningSection tuning, VisionLanguageModel model, PeftConfig adapter)
    {
        if (tuning.TrainableTokenIndices is not { Count: > 0 } words)
        {
            return adapter.TokenIndices;
        }

        var tables = new Dictionary<string, IReadOnlyList<int>>(adapter.TokenIndices, StringComparer.Ordinal);
        var ids = Ids(words, model);
        var embeddings = model.Ledger.Parameters.First(p => p.Name.EndsWith($"{PeftConfig.Embeddings}.weight", StringComparison.Ordinal));
        foreach (var table in new[] { embeddings, model.Head }.Distinct())
        {
            if (table.Rows is { } known)
            {
                var name = tables.Keys.First(name => AdapterContents.IsOf(table, name));
                tables[name] = known.Extend(model.Ledger, [.. ids.Except(tables[name])]);
                continue;
            }

            TrainedRows.Attach(model.Ledger, table, ids, saved: null, trainable: true);
            tables.Add(table.Name.Split('.')[^2], ids);
        }

        return tables;
    }

    private static List<int> Ids(IReadOnlyList<string> words, VisionLanguageModel model)
    {
        var count = model.Head.Shape[0];
        var ids = words.Where(word => word != AdapterChecks.NewTokens).Select(word => int.Parse(word, CultureInfo.InvariantCulture))
            .Concat(words.Contains(AdapterChecks.NewTokens) ? model.Vocabulary?.NewIds ?? [] : []).Distinct().Order().ToList();
        if (ids.Count == 0 || ids[^1] >= count)
        {
            throw new ConfigException(ids.Count == 0
                ? "trainable_token_indices: new needs new tokens: add_tokens or add_special_tokens that the tokenizer does not have"
                : $"trainable_token_indices: {ids[^1]} is beyond the vocabulary's {count} rows");
        }

        return ids;
    }
}
