using Fovea.Data.Images;
using Fovea.Data.Packing;
using Fovea.Models.Vocabularies;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models;

/// <summary>What training, evaluation and generation need of a model family. All tensors it makes belong to the scope that is open.</summary>
internal abstract class VisionLanguageModel(Ledger ledger) : IDisposable
{
    /// <summary>Every weight.</summary>
    public Ledger Ledger { get; } = ledger;

    /// <summary>The output head [V, E].</summary>
    public abstract Parameter Head { get; }

    /// <summary>Layers of the decoder; each has its own keys and values in generation, or states (<see cref="States"/>).</summary>
    public abstract int Layers { get; }

    /// <summary>Heads of queries.</summary>
    public abstract int QueryHeads { get; }

    /// <summary>Heads of keys and values, and numbers of each, that every layer keeps of a token in generation.</summary>
    public abstract (int Heads, int Size) KeyValueShape { get; }

    /// <summary>How many layers keep states of a sequence in generation, not keys and values, and of what size; null where none does.</summary>
    public virtual (int Layers, GatedDeltaShape Shape)? States => null;

    /// <summary>Most tokens of one sequence (<c>max_position_embeddings</c>).</summary>
    public abstract int MaxTokens { get; }

    /// <summary>What was remarkable about the files that the weights came from, in sentences.</summary>
    public IReadOnlyList<string> Notices { get; set; } = [];

    /// <summary>New tokens that it was given; null where its folder's are all.</summary>
    public Vocabulary? Vocabulary { get; set; }

    /// <summary>Whether the features of an image depend on nothing but the image.</summary>
    public virtual bool ImagesStandAlone => true;

    public Device Device => Ledger.Device;

    /// <summary>How its weights are called in files and in the ledger.</summary>
    public abstract NameMap Names { get; }

    /// <summary>Puts a packed batch into tensors on the model's device.</summary>
    /// <param name="exchange">Between ranks that split its tokens: then this rank's part of it. Null where this one has them all.</param>
    public ModelInput Prepare(PackedBatch batch, ISequenceExchange? exchange = null) => InputBuilder.OfBatch(this, batch, exchange);

    /// <summary>Puts one prompt from token <paramref name="from"/> on into tensors; the earlier ones, with their images, are in the cache already.</summary>
    /// <param name="ids">The whole prompt, each image expanded to its tokens.</param>
    /// <param name="images">All its images in order; none may lie across <paramref name="from"/>.</param>
    /// <param name="from">Tokens whose keys and values <paramref name="attention"/> holds.</param>
    /// <param name="attention">Attention over a cache.</param>
    /// <param name="next">The place of the token that will follow.</param>
    public ModelInput PreparePrompt(ReadOnlySpan<long> ids, IReadOnlyList<PromptImage> images, int from, ISequencePlan attention, out int next) =>
        InputBuilder.OfPrompt(this, ids, images, from, attention, out next);

    /// <summary>Images alone, for <see cref="VisionFeatures"/>.</summary>
    /// <param name="pixels">Normalised patches of all images, one after the other.</param>
    /// <param name="counts">How many images each sample has.</param>
    public ModelInput PrepareImages(IReadOnlyList<ImageGrid> grids, ReadOnlySpan<float> pixels, IReadOnlyList<int> counts) =>
        InputBuilder.OfImages(this, grids, pixels, counts);

    /// <summary>Writes the positions of a prompt's tokens along each axis [axes][T].</summary>
    /// <returns>The place of the token that follows.</returns>
    public int PlacePrompt(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions) => Place(ids, images, positions, 0);

    /// <summary>One generated token as input. The token after it has the place <paramref name="place"/> + 1.</summary>
    public ModelInput PrepareNext(long id, int place, ISequencePlan attention) => InputBuilder.OfToken(this, id, place, attention);

    /// <summary>Writes the positions of one sample's tokens along each axis of the position embedding.</summary>
    /// <param name="images">The sizes of its images, in order.</param>
    /// <param name="positions">[axes][T]; the sample's tokens begin at <paramref name="start"/>.</param>
    /// <returns>The place of the token that would follow.</returns>
    protected internal abstract int Place(ReadOnlySpan<long> ids, ReadOnlySpan<ImageGrid> images, int[][] positions, int start);

    /// <summary>The position of a single token of text at a place [axes][1].</summary>
    protected internal abstract int[][] PositionsAt(int place);

    /// <summary>The groups of tokens over which losses inside the model are averaged, where it has such losses.</summary>
    protected internal virtual IReadOnlyList<TokenGroup> GroupsOf(PackedBatch batch) => [];

    /// <summary>Features of all images in the order of the image slots; null without images.</summary>
    public virtual VisualFeatures? VisionFeatures(ModelInput input) => TowerFeatures(input) is { } tower ? Project(tower, input) : null;

    /// <summary>Layers of the decoder, from the first, behind which images have features of their own (<see cref="VisualFeatures.PerLayer"/>).</summary>
    public virtual int FeatureLayers => 0;

    /// <summary>
    /// Whether features are made by a tower and then a projector (<see cref="TowerFeatures"/>, <see cref="Project"/>): what a frozen tower made can
    /// then be kept while the projector learns.
    /// </summary>
    public virtual bool HasTower => false;

    /// <summary>What the tower alone makes of the images, in their order; null without images.</summary>
    public virtual VisualFeatures? TowerFeatures(ModelInput input) => throw new NotSupportedException("this family's vision side is one piece");

    /// <summary>The rest: <see cref="VisionFeatures"/> from <see cref="TowerFeatures"/>.</summary>
    /// <param name="tower">Of all images.</param>
    /// <param name="input">Says how large each image is; its pixels may be missing.</param>
    public virtual VisualFeatures Project(VisualFeatures tower, ModelInput input) => throw new NotSupportedException("this family's vision side is one piece");

    /// <summary>Rows of <see cref="VisionFeatures"/> that one image makes, and of the features of every layer.</summary>
    public abstract int FeatureRows(ImageGrid grid);

    /// <summary>Rows of the embeddings in <see cref="TowerFeatures"/> that one image makes.</summary>
    public virtual int TowerRows(ImageGrid grid) => grid.Patches;

    /// <summary>
    /// Rows that each image of an input has in the linears of the vision side, image after image: a list for every number of rows that they see, from those of
    /// the first to those of the last.
    /// </summary>
    public virtual IEnumerable<int[]> VisionRows(ModelInput input)
    {
        yield return [.. input.Grids.Select(grid => grid.Patches)];
        yield return [.. input.Grids.Select(FeatureRows)];
    }

    /// <summary>The patches of a usual image.</summary>
    public abstract ImageGrid UsualImage { get; }

    /// <summary>Values of one patch.</summary>
    public abstract int PatchLength { get; }

    /// <summary>Most patches that the vision side sees of one image, for counting memory.</summary>
    /// <param name="pixels">Images are scaled down to this area, where the family does so.</param>
    /// <param name="tokens">Most tokens that the image may take.</param>
    public abstract int MostPatches(int pixels, int tokens);

    /// <summary>Final hidden states [T, E], or [L, E] where the input names the wanted rows.</summary>
    public abstract Tensor Hidden(ModelInput input, VisualFeatures? features);

    public void Dispose()
    {
        Ledger.Dispose();
        GC.SuppressFinalize(this);
    }
}
