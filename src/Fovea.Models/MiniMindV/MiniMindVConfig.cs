using Fovea.Data.Templates;
using Fovea.Models.Configs;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// A MiniMind-V model folder's config.json: the fields of the project's <c>LMConfig</c>/<c>VLMConfig</c> (generation A, <c>dim</c>) or
/// <c>MiniMindConfig</c>/<c>VLMConfig</c> (C, <c>hidden_size</c>) with the project's defaults, and where weights and vision encoder lie.
/// </summary>
internal sealed record MiniMindVConfig
{
    public const string ModelType = "minimind-v";

    public required MiniMindVGeneration Generation { get; init; }

    public required int HiddenSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    public required int HeadSize { get; init; }

    /// <summary>Of the gated MLP, and of every expert.</summary>
    public required int IntermediateSize { get; init; }

    public required int VocabularySize { get; init; }

    public required int MaxPositions { get; init; }

    public required double NormEpsilon { get; init; }

    public required RopeSettings Rope { get; init; }

    /// <summary>A mixture of experts instead of one MLP.</summary>
    public required bool UseMoe { get; init; }

    public required int Experts { get; init; }

    public required int ExpertsPerToken { get; init; }

    /// <summary>Another expert that every token goes through.</summary>
    public required bool SharedExpert { get; init; }

    /// <summary>Factor of the auxiliary loss that keeps the experts evenly used.</summary>
    public required double AuxiliaryFactor { get; init; }

    /// <summary>The weights of the chosen experts are made to add up to 1.</summary>
    public required bool NormaliseTopK { get; init; }

    /// <summary>The token whose runs stand for an image.</summary>
    public required int ImageTokenId { get; init; }

    /// <summary>Tokens of an image.</summary>
    public required int ImageTokens { get; init; }

    /// <summary>Folder of the encoder as Hugging Face lays it out.</summary>
    public required string VisionFolder { get; init; }

    /// <summary>File of the language model or the whole model, without the encoder.</summary>
    public required string WeightsFile { get; init; }

    public required MiniMindVVisionConfig Vision { get; init; }

    /// <summary>Whether tokens pair neighbouring dimensions in the rotary embedding.</summary>
    public bool Interleaved => Generation == MiniMindVGeneration.A;

    /// <summary>Whether queries and keys are normalised.</summary>
    public bool NormalisesQueriesAndKeys => Generation == MiniMindVGeneration.C;

    /// <summary>The name of a file of weights as the project writes it, for instance <c>sft_vlm_512_moe.pth</c>.</summary>
    public string FileName(string stage) => $"{stage}_{HiddenSize}{(UseMoe ? "_moe" : string.Empty)}.pth";

    /// <summary>Reads the encoder's config.json too.</summary>
    public static MiniMindVConfig Read(ModelSource source)
    {
        var json = source.Config;
        if (json.Text("model_type") != ModelType)
        {
            throw json.Wrong("model_type", $"\"{ModelType}\" for this model family");
        }

        MiniMindVFields.Of(json).Check(json);
        var moe = json.Bool("use_moe", false);
        var config = json.Has("dim") ? ReadA(source, moe) : ReadC(source, moe);
        config.Validate(json);
        return config;
    }

    /// <summary>Layers as config.json counts them, without reading anything else.</summary>
    public static int LayersIn(ConfigReader json) => json.Has("dim") ? json.Int("n_layers", 8) : json.Int("num_hidden_layers", 8);

    private static MiniMindVConfig ReadA(ModelSource source, bool moe)
    {
        var (json, folder) = (source.Config, PlaceOf(source));
        var dim = json.Int("dim");
        var heads = json.Int("n_heads", 8);
        var multiple = json.Int("multiple_of", 64);
        var inner = json.Has("hidden_dim") ? json.Int("hidden_dim") : multiple * (((8 * dim / 3) + multiple - 1) / multiple);
        var vision = Locate(json, folder, "clip-vit-base-patch16");
        return new MiniMindVConfig
        {
            Generation = MiniMindVGeneration.A,
            HiddenSize = dim,
            Layers = LayersIn(json),
            Heads = heads,
            KeyValueHeads = json.Int("n_kv_heads", 2),
            HeadSize = dim / heads,
            IntermediateSize = inner,
            VocabularySize = json.Int("vocab_size", 6400),
            MaxPositions = json.Int("max_seq_len", 8192),
            NormEpsilon = json.Double("norm_eps", 1e-5),
            Rope = MiniMindVFields.Rope(json, json.Int("max_seq_len", 8192)),
            UseMoe = moe,
            Experts = json.Int("n_routed_experts", 4),
            ExpertsPerToken = json.Int("num_experts_per_tok", 2),
            SharedExpert = json.Bool("n_shared_experts", true),
            AuxiliaryFactor = json.Double("aux_loss_alpha", 0.1),
            NormaliseTopK = json.Bool("norm_topk_prob", true),
            ImageTokenId = First(json.Ints("image_ids", [34]), json),
            ImageTokens = 196,
            VisionFolder = vision,
            WeightsFile = Weights(json, folder),
            Vision = MiniMindVVisionConfig.Read(source.ConfigOf(vision), isClip: true),
        };
    }

    private static MiniMindVConfig ReadC(ModelSource source, bool moe)
    {
        var (json, folder) = (source.Config, PlaceOf(source));
        var hidden = json.Int("hidden_size");
        var heads = json.Int("num_attention_heads", 8);
        var vision = Locate(json, folder, "siglip2-base-p32-256-ve");
        return new MiniMindVConfig
        {
            Generation = MiniMindVGeneration.C,
            HiddenSize = hidden,
            Layers = LayersIn(json),
            Heads = heads,
            KeyValueHeads = json.Int("num_key_value_heads", 4),
            HeadSize = json.Int("head_dim", hidden / heads),
            IntermediateSize = Inner(json, hidden, moe),
            VocabularySize = json.Int("vocab_size", 6400),
            MaxPositions = json.Int("max_position_embeddings", 32768),
            NormEpsilon = json.Double("rms_norm_eps", 1e-6),
            Rope = MiniMindVFields.Rope(json, json.Int("max_position_embeddings", 32768)),
            UseMoe = moe,
            Experts = json.Int("num_experts", 4),
            ExpertsPerToken = json.Int("num_experts_per_tok", 1),
            SharedExpert = false,
            AuxiliaryFactor = json.Double("router_aux_loss_coef", 5e-4),
            NormaliseTopK = json.Bool("norm_topk_prob", true),
            ImageTokenId = First(json.Ints("image_ids", [12]), json),
            ImageTokens = json.Int("image_token_len", 64),
            VisionFolder = vision,
            WeightsFile = Weights(json, folder),
            Vision = MiniMindVVisionConfig.Read(source.ConfigOf(vision), isClip: false),
        };
    }

    /// <summary>Where paths in config.json begin, as messages write it.</summary>
    private static string PlaceOf(ModelSource source) => Path.GetDirectoryName(Families.ConfigPath(source.Folder))!;

    private static int Inner(ConfigReader json, int hidden, bool moe)
    {
        var inner = json.Has("intermediate_size") ? json.Int("intermediate_size") : (int)Math.Ceiling(hidden * Math.PI / 64) * 64;
        return moe ? json.Int("moe_intermediate_size", inner) : inner;
    }

    private static int First(int[] ids, ConfigReader json) =>
        ids.Length > 0 && ids.All(id => id == ids[0]) ? ids[0] : throw json.Wrong("image_ids", "one id, repeated");

    /// <summary>The encoder's folder: <c>vision_model</c>, from the model folder or absolute, else the project's name for it.</summary>
    private static string Locate(ConfigReader json, string folder, string usual)
    {
        if (json.Has("vision_model"))
        {
            var given = json.FilePath("vision_model", folder);
            return File.Exists(Path.Combine(given, "config.json"))
                ? given
                : throw json.Wrong("vision_model", $"the folder of the vision encoder ({usual} of the hub, with its config.json), seen from this file");
        }

        string[] places = [usual, Path.Combine("vision_model", usual), Path.Combine("..", usual), Path.Combine("..", "vision_model", usual)];
        var found = places.Select(place => Path.GetFullPath(Path.Combine(folder, place)))
            .FirstOrDefault(place => File.Exists(Path.Combine(place, "config.json")));
        return found ?? throw json.Wrong("vision_model", $"the folder of the vision encoder ({usual} of the hub), or the encoder must lie in {folder}/{usual}");
    }

    private static string Weights(ConfigReader json, string folder)
    {
        if (json.Has("weights"))
        {
            return json.FilePath("weights", folder);
        }

        string[] usual = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"];
        if (usual.FirstOrDefault(name => File.Exists(Path.Combine(folder, name))) is { } name)
        {
            return Path.Combine(folder, name);
        }

        string[] files = Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder, "*.pth").Where(f => !f.EndsWith("_resume.pth", StringComparison.Ordinal)).Order(StringComparer.Ordinal)]
            : [];
        return files.Length == 1 ? files[0] : throw json.Wrong("weights", files.Length == 0
            ? "the file of the weights, for instance lm_512.pth; there is none in the folder"
            : $"one of the folder's {files.Length} .pth files ({string.Join(", ", files.Take(4).Select(Path.GetFileName))})");
    }

    private void Validate(ConfigReader json)
    {
        if (Heads <= 0 || KeyValueHeads <= 0 || Heads % KeyValueHeads != 0)
        {
            throw Interleaved
                ? json.Wrong("n_kv_heads", $"a divisor of n_heads, which is {Heads}")
                : json.Wrong("num_key_value_heads", $"a divisor of num_attention_heads, which is {Heads}");
        }

        if (HeadSize % 2 != 0 || (Interleaved && HiddenSize % Heads != 0))
        {
            throw json.Wrong(
                Interleaved ? "n_heads" : "head_dim", Interleaved ? $"such that heads have an even part of dim, which is {HiddenSize}" : "even");
        }

        if (UseMoe && (ExpertsPerToken < 1 || ExpertsPerToken > Experts))
        {
            throw json.Wrong("num_experts_per_tok", $"between 1 and the {Experts} experts");
        }

        if (!json.Bool("tie_word_embeddings", true))
        {
            throw json.Wrong("tie_word_embeddings", "true (no published checkpoint has a head of its own)");
        }

        if (json.Int("image_hidden_size", Vision.HiddenSize) != Vision.HiddenSize)
        {
            throw json.Wrong("image_hidden_size", $"the encoder's {Vision.HiddenSize}");
        }

        var token = (Interleaved ? ChatTemplates.MiniMind : ChatTemplates.MiniMind3).ImageToken!;
        MiniMindVFields.CheckImageToken(json, Interleaved ? string.Concat(Enumerable.Repeat(token, ImageTokens)) : token);
        if (Vision.Tokens != ImageTokens)
        {
            throw json.Wrong(Interleaved ? "image_ids" : "image_token_len",
                $"{Vision.Tokens}: that is how many tokens the encoder in {VisionFolder} (image_size {Vision.ImageSize}, patch_size {Vision.PatchSize}) "
                    + $"makes of an image, not {ImageTokens}");
        }
    }
}
