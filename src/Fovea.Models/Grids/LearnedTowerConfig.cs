namespace Fovea.Models.Grids;

/// <summary>A vision tower with learned positions (<see cref="LearnedTower"/>), as a checkpoint's config.json states it.</summary>
internal sealed record LearnedTowerConfig
{
    public required int Depth { get; init; }

    public required int HiddenSize { get; init; }

    public required int Heads { get; init; }

    public required int IntermediateSize { get; init; }

    public required int OutHiddenSize { get; init; }

    public required int PatchSize { get; init; }

    public required int TemporalPatchSize { get; init; }

    public required int InChannels { get; init; }

    /// <summary>Patches a side that become one token of the language model.</summary>
    public required int MergeSize { get; init; }

    /// <summary>Places a side of the table of learned positions.</summary>
    public required int Side { get; init; }

    /// <summary>Blocks of whose output features for the decoder's first layers are made, ascending: the first for the first layer, and so on.</summary>
    public required int[] FeatureBlocks { get; init; }

    public PatchShape Patches => new(PatchSize, TemporalPatchSize, InChannels, MergeSize);

    /// <summary>Values of the patches that become one token, together.</summary>
    public int MergedSize => HiddenSize * MergeSize * MergeSize;

    public TowerShape Blocks => new()
    {
        Width = HiddenSize,
        Heads = Heads,
        Inner = IntermediateSize,
        Up = "linear_fc1",
        Down = "linear_fc2",
    };

    /// <param name="usualBlocks">Blocks that make features for layers where the file names none.</param>
    internal static LearnedTowerConfig Read(ConfigReader json, int[] usualBlocks)
    {
        if (json.Int("in_channels", 3) != 3)
        {
            throw json.Wrong("in_channels", "3: pictures are RGB");
        }

        var places = json.Int("num_position_embeddings", 2304);
        var config = new LearnedTowerConfig
        {
            Depth = json.Int("depth", 27),
            HiddenSize = json.Int("hidden_size"),
            Heads = json.Int("num_heads", 16),
            IntermediateSize = json.Int("intermediate_size"),
            OutHiddenSize = json.Int("out_hidden_size"),
            PatchSize = json.Int("patch_size", 16),
            TemporalPatchSize = json.Int("temporal_patch_size", 2),
            InChannels = json.Int("in_channels", 3),
            MergeSize = json.Int("spatial_merge_size", 2),
            Side = (int)Math.Round(Math.Sqrt(places)),
            FeatureBlocks = json.Ints("deepstack_visual_indexes", usualBlocks),
        };
        if (config.Side * config.Side != places)
        {
            throw json.Wrong("num_position_embeddings", "the square of a whole number: places of a square table");
        }

        var blocks = config.FeatureBlocks;
        if (blocks.Any(block => block >= config.Depth) || blocks.Zip(blocks.Skip(1)).Any(pair => pair.First >= pair.Second))
        {
            throw json.Wrong("deepstack_visual_indexes", $"numbers of blocks in ascending order, each below depth, which is {config.Depth}");
        }

        return config.HiddenSize % (4 * config.Heads) == 0
            ? config
            : throw json.Wrong("num_heads", $"such that each head has an equal part of hidden_size, {config.HiddenSize}, of a multiple of 4");
    }
}
