namespace Fovea.Models.Hybrids;

/// <summary>Which layers attend and which have a recurrence, as config.json states it: one by one, or every so many.</summary>
internal static class LayerKinds
{
    private const string Recurrent = "linear_attention";
    private const string Attending = "full_attention";

    /// <returns>For each layer whether it has a recurrence.</returns>
    public static bool[] Read(ConfigReader text)
    {
        var (layers, interval) = (text.Int("num_hidden_layers"), text.Int("full_attention_interval", 4));
        bool[] spaced = [.. Enumerable.Range(1, layers).Select(layer => layer % interval != 0)];
        if (!text.Has("layer_types"))
        {
            return spaced;
        }

        var kinds = text.Texts("layer_types");
        if (kinds.Length != layers || kinds.Any(kind => kind is not (Recurrent or Attending)))
        {
            throw text.Wrong("layer_types", $"a list of {Recurrent} and {Attending}, one for each of the {layers} layers (num_hidden_layers)");
        }

        var listed = Array.ConvertAll(kinds, kind => kind == Recurrent);
        return !text.Has("full_attention_interval") || listed.AsSpan().SequenceEqual(spaced)
            ? listed
            : throw text.Wrong("full_attention_interval", "what layer_types says layer by layer, which alone counts, or be left out");
    }
}
