using Fovea.Data.Images;
using Fovea.Models;
using Fovea.Nn;
using Fovea.Nn.Lora;
using Fovea.Tensors;

namespace Fovea.Generation.Engine;

/// <summary>
/// What the vision side makes of images whose tokens are not in the cache yet: images of several prompts in one pass, the same image once, freed when no
/// sequence needs it any more.
/// </summary>
/// <param name="mostPatches">Patches of a pass.</param>
internal sealed class Pictures(VisionLanguageModel model, int mostPatches) : IDisposable
{
    private readonly Dictionary<(long Images, NamedAdapter? Adapter), PictureGroup> groups = [];

    /// <summary>Whether images wait for the vision side.</summary>
    public bool Wait => groups.Values.Any(group => group.Features is null);

    /// <summary>Notes what a sequence needs from where its cache ends.</summary>
    public void Want(Sequence sequence)
    {
        var images = sequence.Request.Prompt.Images;
        var adapter = sequence.Adapter is { } named && WorksOnVision(named) ? named : null;
        if (model.ImagesStandAlone)
        {
            foreach (var image in images.Where(image => image.Offset + image.Tokens > sequence.Cached))
            {
                Add(image, Group((TokenKeys.Content(image.Image), adapter), [image.Image]), 0);
            }

            return;
        }

        if (images.All(image => image.Offset + image.Tokens <= sequence.Cached))
        {
            return;
        }

        var all = images.Select(image => image.Image).ToList();
        var group = Group((all.Aggregate(0L, (key, image) => (long)SplitMix.Mix((ulong)key, (ulong)TokenKeys.Content(image))), adapter), all);
        var row = 0;
        foreach (var image in images)
        {
            if (image.Offset + image.Tokens > sequence.Cached)
            {
                Add(image, group, row);
            }

            row += model.FeatureRows(image.Image.Grid);
        }

        void Add(PromptImage image, PictureGroup of, int first)
        {
            of.Users++;
            sequence.Pictures.Add(new Picture(of, image, first));
        }
    }

    /// <summary>What a sequence has computed needs its pictures no more.</summary>
    /// <param name="all">It has ended.</param>
    public void Release(Sequence sequence, bool all = false) => sequence.Pictures.RemoveAll(picture =>
    {
        if (!all && picture.End > sequence.Cached)
        {
            return false;
        }

        if (--picture.Group.Users == 0)
        {
            picture.Group.Dispose();
            groups.Remove(picture.Group.Key);
        }

        return true;
    });

    /// <summary>
    /// Lets the vision side see images that wait, the longest waiting first: as many as fit a pass, at least one, with one adapter.
    /// </summary>
    public void See()
    {
        var (chosen, patches) = (new List<PictureGroup>(), 0);
        foreach (var group in groups.Values.Where(group => group.Features is null))
        {
            if (chosen.Count > 0 && (patches + group.Patches > mostPatches || group.Key.Adapter != chosen[0].Key.Adapter))
            {
                continue;
            }

            chosen.Add(group);
            patches += group.Patches;
        }

        using var scope = TensorScope.Open("images");
        using var rows = chosen[0].Key.Adapter is { } adapter ? new AdapterRows(adapter).Open() : null;
        var features = See([.. chosen.SelectMany(group => group.Images)], [.. chosen.Select(group => group.Images.Count)]);
        var row = 0L;
        foreach (var group in chosen)
        {
            var end = row + group.Images.Sum(image => model.FeatureRows(image.Grid));
            group.Keep(features.Slice(row, end, row, end));
            row = end;
        }
    }

    /// <summary>Lets the vision side run for nothing, where other processes need it to.</summary>
    public void SeeNothing()
    {
        using var scope = TensorScope.Open("images");
        var grid = model.UsualImage;
        See([new ProcessedImage(grid, new float[grid.Patches * model.PatchLength])], [1]);
    }

    public void Dispose()
    {
        foreach (var group in groups.Values)
        {
            group.Dispose();
        }

        groups.Clear();
    }

    private VisualFeatures See(IReadOnlyList<ProcessedImage> images, IReadOnlyList<int> counts)
    {
        var pixels = new float[images.Sum(image => image.Patches.Length)];
        var at = 0;
        foreach (var image in images)
        {
            image.Patches.CopyTo(pixels, at);
            at += image.Patches.Length;
        }

        return model.VisionFeatures(model.PrepareImages([.. images.Select(image => image.Grid)], pixels, counts))!;
    }

    private static bool WorksOnVision(NamedAdapter adapter) => adapter.Targets.Any(target => target.Weight.Block?.Part != ModelPart.Language);

    private PictureGroup Group((long, NamedAdapter?) key, IReadOnlyList<ProcessedImage> images)
    {
        if (!groups.TryGetValue(key, out var group))
        {
            groups.Add(key, group = new PictureGroup(key, images));
        }

        return group;
    }
}
