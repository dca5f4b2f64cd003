using System.Text.RegularExpressions;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// Names of weights: the ledger has those of generation C (<c>model.layers.0.self_attn.q_proj</c>); generation A's files have their own
/// (<c>layers.0.attention.wq</c>), one for one.
/// </summary>
internal static partial class MiniMindVNames
{
    private static readonly (string A, string Ledger)[] Parts =
    [
        ("attention.wq", "self_attn.q_proj"),
        ("attention.wk", "self_attn.k_proj"),
        ("attention.wv", "self_attn.v_proj"),
        ("attention.wo", "self_attn.o_proj"),
        ("attention_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("w1", "gate_proj"),
        ("w2", "down_proj"),
        ("w3", "up_proj"),
    ];

    private static readonly (string A, string Ledger)[] Whole =
    [
        ("tok_embeddings.weight", "model.embed_tokens.weight"),
        ("norm.weight", "model.norm.weight"),
        ("output.weight", "lm_head.weight"),
    ];

    /// <summary>The ledger's spelling of a name of either generation.</summary>
    public static string Canonical(string name)
    {
        foreach (var (a, ledger) in Whole)
        {
            if (name == a)
            {
                return ledger;
            }
        }

        if (!name.StartsWith("layers.", StringComparison.Ordinal))
        {
            return name;
        }

        name = $"model.{name}".Replace(".feed_forward.", ".mlp.", StringComparison.Ordinal);
        foreach (var (a, ledger) in Parts)
        {
            name = ReplacePart(name, a, ledger);
        }

        return name;
    }

    /// <summary>Generation A's spelling of a name of the ledger.</summary>
    public static string OfGenerationA(string name)
    {
        foreach (var (a, ledger) in Whole)
        {
            if (name == ledger)
            {
                return a;
            }
        }

        if (!name.StartsWith("model.layers.", StringComparison.Ordinal))
        {
            return name;
        }

        name = name["model.".Length..].Replace(".mlp.", ".feed_forward.", StringComparison.Ordinal);
        foreach (var (a, ledger) in Parts)
        {
            name = ReplacePart(name, ledger, a);
        }

        return name;
    }

    /// <summary>What the project's own files hold besides weights: tables that are computed.</summary>
    public static bool IsTable(string name) => Table().IsMatch(name);

    private static string ReplacePart(string name, string from, string to) => name.Replace($".{from}.", $".{to}.", StringComparison.Ordinal);

    [GeneratedRegex(@"(?:^|\.)(?:freqs_cos|freqs_sin|pos_cis|freqs_cis|rotary_emb\.inv_freq|attention\.mask|position_ids)$", RegexOptions.CultureInvariant)]
    private static partial Regex Table();
}
