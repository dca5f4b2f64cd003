using System.Text.RegularExpressions;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Objects;
using Fovea.Data.Templates;
using Fovea.Data.Tokenizers;
using Fovea.Models.Slices;

namespace Fovea.Models.MiniCpmV;

/// <summary>
/// MiniCPM-V's tokenizer, template and images. Samples are made as the official trainer makes them, unless a configuration names a template: then as
/// LLaMA-Factory does.
/// </summary>
internal sealed partial record MiniCpmVProcessor : ModelProcessor
{
    /// <summary>Names and places of objects as the model's authors describe them (OpenBMB/MiniCPM-V, issues 185, 772 and 982).</summary>
    internal static readonly ObjectForm Form = new(BoxScale.Norm1000)
    {
        Name = ("<ref>", "</ref>"),
        Box = ("<box>", "</box>"),
        Point = ("<point>", "</point>"),
        IsSpaced = true,
    };

    private readonly MiniCpmVConfig config;
    private readonly PreResize? preResize;
    private readonly MiniCpmVOptions options;

    private MiniCpmVProcessor(Tokenizer tokenizer, MiniCpmVConfig config, SlicedMedia images, PreResize? preResize, MiniCpmVOptions options)
        : base(tokenizer, TemplateOf(config, tokenizer, options), images)
    {
        this.config = config;
        this.preResize = preResize;
        this.options = options;
    }

    /// <param name="source">A folder with config.json and tokenizer.json; what preprocessor_config.json says of colours is used where it is there.</param>
    /// <param name="preResize">LLaMA-Factory's resize, for its way of making samples.</param>
    /// <exception cref="ConfigException">A file is missing or wrong.</exception>
    public static ModelProcessor Load(ModelSource source, PreResize? preResize = null, MiniCpmVOptions? options = null)
    {
        var (folder, config) = (source.Folder, MiniCpmVConfig.Read(source.Config));
        MiniCpmVFields.CheckImages(folder, config);
        var (mean, deviation) = Colours(Path.Combine(folder, "preprocessor_config.json"));
        var media = new SlicedMedia(Style(config), config.Slicing, mean, deviation);
        return new MiniCpmVProcessor(source.Tokenizer(), config, media, preResize, options ?? new MiniCpmVOptions())
        {
            Rows = config.Language.VocabularySize,
            Objects = Form,
        };
    }

    public override ModelProcessor With(DataOptions data)
    {
        NewEncoder(data); // says what of llm_type does not fit before a model is loaded
        var resize = data.Template is not null && preResize is not null ? preResize with { AreaOnly = true } : null;
        return this with { Images = Media.With(options.MaxSliceNums, resize) };
    }

    public override IReadOnlyDictionary<string, string?> Outcomes(DataOptions data) => new Dictionary<string, string?>
    {
        ["llm_type"] = data.Template is not null ? null : DialogueOf(options.LlmType, config).ToString().ToLowerInvariant(),
    };

    public override ISampleEncoder NewEncoder(DataOptions data) => data.Template is not null
        ? base.NewEncoder(data)
        : new MiniCpmVEncoder(Tokenizer, config, Media, DialogueOf(options.LlmType, config), data, SystemOf(Tokenizer));

    /// <summary>
    /// The official names. <c>llama</c>, which the guide gives for V-4, falls into MiniCPM's tags there, which V-4 does not know: its own way is meant.
    /// </summary>
    internal static MiniCpmVDialogue DialogueOf(string? name, MiniCpmVConfig config) => name switch
    {
        null or "llama" => config.Dialogue,
        "minicpm" => MiniCpmVDialogue.MiniCpm,
        "llama3" => MiniCpmVDialogue.Llama3,
        "qwen" or "qwen2" => MiniCpmVDialogue.Qwen,
        _ => throw new ConfigException($"llm_type: '{name}' is not known; it must be minicpm, llama3, llama or qwen"),
    };

    private SlicedMedia Media => (SlicedMedia)Images;

    /// <summary>The official loader does not look at EXIF; V-2 and V-2.5 put all cells into one pair of tags.</summary>
    private static SliceStyle Style(MiniCpmVConfig config) =>
        new() { Name = "minicpmv/1", Tokens = config.Queries, TagsCells = config.NewSchema, Numbers = config.NewSchema };

    private static ChatTemplate TemplateOf(MiniCpmVConfig config, Tokenizer tokenizer, MiniCpmVOptions options) => config.Dialogue switch
    {
        MiniCpmVDialogue.MiniCpm => ChatTemplates.MiniCpmV2,
        MiniCpmVDialogue.Llama3 => ChatTemplates.MiniCpmLlama3V,
        _ when config.Thinks => ChatTemplates.MiniCpmV with
        {
            Name = options.ThinkFirst ? "minicpm_v_4_5_think_first" : "minicpm_v_4_5",
            DefaultSystem = string.Empty,
            Thought = QwenThoughts.Marks with { PromptEnd = options.ThinkFirst ? QwenThoughts.Marks.Open : QwenThoughts.Marks.Empty },
        },
        _ => ChatTemplates.MiniCpmV with { DefaultSystem = SystemOf(tokenizer) ?? string.Empty },
    };

    /// <summary>The system prompt that the tokenizer's own template writes where a conversation has none.</summary>
    private static string? SystemOf(Tokenizer tokenizer) =>
        tokenizer.ChatTemplate is { } template && DefaultSystem().Match(template) is { Success: true } match ? match.Groups[1].Value : null;

    private static (IReadOnlyList<double> Mean, IReadOnlyList<double> Deviation) Colours(string path)
    {
        double[] half = [0.5, 0.5, 0.5];
        if (!File.Exists(path))
        {
            return (half, half);
        }

        var json = ConfigReader.Open(path);
        return (json.Doubles("norm_mean", half), json.Doubles("norm_std", half)) is ({ Length: 3 } mean, { Length: 3 } deviation) && deviation.All(v => v > 0)
            ? (mean, deviation)
            : throw new ConfigException($"{path}: norm_mean and norm_std must be three numbers each, the latter positive");
    }

    [GeneratedRegex(@"<\|im_start\|>system(?:\\n|\n)([^'""{}<]+)<\|im_end\|>", RegexOptions.CultureInvariant)]
    private static partial Regex DefaultSystem();
}
