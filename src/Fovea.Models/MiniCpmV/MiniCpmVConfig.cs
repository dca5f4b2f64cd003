using System.Globalization;
using Fovea.Data.Images;
using Fovea.Models.Configs;
using Fovea.Nn;

namespace Fovea.Models.MiniCpmV;

/// <summary>A MiniCPM-V checkpoint's config.json, of whatever version; what the versions do differently is said here and nowhere else.</summary>
internal sealed record MiniCpmVConfig
{
    public const string ModelType = "minicpmv";

    /// <summary>The models that hear and speak too; of these only vision and text are used.</summary>
    public const string OmniModelType = "minicpmo";

    private const double ThinkingVersion = 4.5;

    /// <summary>2, 2.5, 2.6, 4 or 4.5.</summary>
    public required double Version { get; init; }

    public required DecoderShape Language { get; init; }

    public required MiniCpmVVisionConfig Vision { get; init; }

    /// <summary>Most tokens of one sequence.</summary>
    public required int MaxPositions { get; init; }

    public required RopeSettings Rope { get; init; }

    /// <summary>Tokens that the language model sees of each slice.</summary>
    public required int Queries { get; init; }

    public required SliceSettings Slicing { get; init; }

    /// <summary>Slices have tags of their own and images are numbered (from V-2.6 on).</summary>
    public bool NewSchema => Version >= 2.6;

    /// <summary>The resampler's queries have places of their own in a square, as V-2's have.</summary>
    public bool PlacedQueries => Version < 2.5;

    /// <summary>The language model is Qwen3, which can think before it answers.</summary>
    public bool Thinks => Version == ThinkingVersion;

    /// <summary>Which conversations the language model knows.</summary>
    public MiniCpmVDialogue Dialogue => Version < 2.5 ? MiniCpmVDialogue.MiniCpm : Version < 2.6 ? MiniCpmVDialogue.Llama3 : MiniCpmVDialogue.Qwen;

    /// <param name="root">Of the config.json file.</param>
    public static MiniCpmVConfig Read(ConfigReader root)
    {
        if (root.Text("model_type") is not (ModelType or OmniModelType))
        {
            throw root.Wrong("model_type", $"\"{ModelType}\" or \"{OmniModelType}\" for this model family");
        }

        var version = VersionOf(root);
        MiniCpmVFields.Check(root, version);
        var slicing = root.Section("slice_config") ?? root;
        var patch = root.Section("vision_config")?.Int("patch_size", 14) ?? root.Int("patch_size", 14);
        var positions = root.Int("max_position_embeddings", 32768);
        var config = new MiniCpmVConfig
        {
            Version = version,
            Language = Decoder(root, version),
            Vision = MiniCpmVVisionConfig.Read(root, version),
            MaxPositions = positions,
            Rope = MiniCpmVFields.Rope(root, version, positions),
            Queries = root.Int("query_num", 64),
            Slicing = new SliceSettings(
                root.Bool("slice_mode", true) ? slicing.Int("max_slice_nums", 9) : 1, slicing.Int("scale_resolution", 448), patch),
        };
        config.Validate(root);
        return config;
    }

    /// <summary>V-2's config.json names no version; V-2.5's name it as text, later ones as a number.</summary>
    internal static double VersionOf(ConfigReader root)
    {
        if (!root.Has("version"))
        {
            return root.Has("scale_emb") ? 2 : root.Section("vision_config")?.Text("model_type") == "idefics2" ? 2.5 : 2.6;
        }

        var text = root.HasText("version") ? root.Text("version") : string.Empty;
        var version = text.Length == 0 ? root.Double("version")
            : double.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number
            : throw root.Wrong("version", "a number");
        return version is 2 or 2.5 or 2.6 or 4 or ThinkingVersion
            ? version
            : throw root.Wrong("version", "2, 2.5, 2.6, 4.0 or 4.5; other versions are built differently");
    }

    private static DecoderShape Decoder(ConfigReader root, double version)
    {
        var (width, heads, layers) = (root.Int("hidden_size"), root.Int("num_attention_heads"), root.Int("num_hidden_layers"));
        return new DecoderShape
        {
            Width = width,
            Inner = root.Int("intermediate_size"),
            Layers = layers,
            Heads = heads,
            KeyValueHeads = root.Int("num_key_value_heads", heads),
            HeadSize = root.Int("head_dim", version == ThinkingVersion ? 128 : width / heads), // Qwen3's stands by itself
            VocabularySize = root.Int("vocab_size"),
            NormEpsilon = root.Double("rms_norm_eps", 1e-6),
            AttentionBias = root.Bool("attention_bias", version == 2.6), // Qwen2, whose configuration does not say it
            NormalisesQueriesAndKeys = version == ThinkingVersion,
            TiedEmbeddings = root.Bool("tie_word_embeddings", false),
            EmbeddingScale = root.Double("scale_emb", 1),
            ResidualScale = root.Has("scale_depth") ? root.Double("scale_depth") / Math.Sqrt(layers) : 1,
            OutputScale = root.Has("dim_model_base") ? root.Double("dim_model_base") / width : 1,
        };
    }

    private void Validate(ConfigReader root)
    {
        if (Language.Width % 128 != 0)
        {
            throw root.Wrong("hidden_size", "a multiple of 128, the resampler's head size");
        }

        if (Language.Heads % Language.KeyValueHeads != 0)
        {
            throw root.Wrong("num_attention_heads", $"a multiple of num_key_value_heads {Language.KeyValueHeads}");
        }

        if (Language.HeadSize % 2 != 0)
        {
            throw root.Wrong(root.Has("head_dim") ? "head_dim" : "num_attention_heads", $"such that heads have an even size, not {Language.HeadSize}");
        }

        if (Vision.HiddenSize % Vision.Heads != 0)
        {
            throw root.Wrong("vision_config", "one whose hidden_size is a multiple of its num_attention_heads");
        }

        if (Language.HeadSize % 2 != 0)
        {
            throw root.Wrong("head_dim", $"even (hidden_size / num_attention_heads where it is left out), not {Language.HeadSize}: its halves are turned");
        }

        if (Thinks && Language.AttentionBias)
        {
            throw root.Wrong("attention_bias", "false: the language model of this version has none in any published checkpoint");
        }

        var side = (int)Math.Sqrt(Queries);
        if (PlacedQueries && side * side != Queries)
        {
            throw root.Wrong("query_num", "a square number");
        }

        if (Rope.Kind == RopeKind.LongRope && (Rope.Short.Count * 2 != Language.HeadSize || Rope.Long.Count * 2 != Language.HeadSize))
        {
            throw RopeReader.Section(root)!.Refused(
                "long_factor and short_factor",
                $"{Rope.Long.Count} and {Rope.Short.Count} factors, where each of the {Language.HeadSize / 2} rotary frequencies needs one (half of head_dim, "
                    + "or of hidden_size / num_attention_heads)");
        }

        MiniCpmVFields.CheckPatches(root, Slicing.PatchSize);
    }
}
