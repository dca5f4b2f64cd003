namespace Fovea.Models.Configs;

/// <summary>A config.json whose language model has a section of its own, <c>text_config</c>, beside which the same may stand again.</summary>
internal static class NestedText
{
    /// <summary>What stands beside the section counts for nothing: it must say the same.</summary>
    /// <param name="read">Names of the section that are read, parted by spaces.</param>
    /// <param name="rope">The rotary embedding of either.</param>
    public static void Check(ConfigReader root, ConfigReader text, string read, Func<ConfigReader, RopeSettings> rope)
    {
        var ofRope = RopeReader.Fields.Split(' ');
        foreach (var name in read.Split(' ').Where(root.Has).Except(ofRope))
        {
            if (!text.Has(name) || root.Value(name)!.Value.GetRawText() != text.Value(name)!.Value.GetRawText())
            {
                throw root.Wrong(name, $"what {text.PathOf(name)} says, which alone is read, or be left out");
            }
        }

        if (ofRope.Any(root.Has) && RopeReader.Text(rope(root)) != RopeReader.Text(rope(text)))
        {
            throw root.Wrong(root.Has("rope_scaling") ? "rope_scaling" : "rope_theta", "what text_config says of the rotary embedding, or be left out");
        }
    }

    /// <summary>Whether the output head is the embedding table.</summary>
    public static bool TiesEmbeddings(ConfigReader root, ConfigReader text)
    {
        const string name = "tie_word_embeddings";
        var tied = root.Has(name) ? root.Bool(name) : text.Bool(name, false);
        return text.Bool(name, tied) == tied
            ? tied
            : throw text.Wrong(name, "what the file says outside text_config: Transformers 4 reads the one and 5 the other");
    }
}
