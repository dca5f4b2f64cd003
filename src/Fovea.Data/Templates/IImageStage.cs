using Fovea.Data.Images;

namespace Fovea.Data.Templates;

/// <summary>A model family's way from images to patches. Must be usable from several threads at once.</summary>
public interface IImageStage
{
    /// <summary>Values of one patch.</summary>
    int PatchLength { get; }

    /// <summary>Everything but the image that decides the values of the patches: settings of every resize and of the normalisation, as text.</summary>
    string Identity { get; }

    /// <summary>
    /// Patches of the image after every resize, from its header alone. Throws a <see cref="FoveaException"/> that says what is wrong with it.
    /// </summary>
    ImageGrid GridOf(MediaSource image);

    /// <summary>Tokens that such an image takes in the text.</summary>
    int TokensOf(ImageGrid grid);

    /// <summary>
    /// Decodes, resizes and cuts the image into <paramref name="patches"/> [grid.Patches, <see cref="PatchLength"/>], where <paramref name="grid"/> is what
    /// <see cref="GridOf"/> said. Throws as that does, also where the image turns out to be of another size.
    /// </summary>
    void Load(MediaSource image, ImageGrid grid, Span<float> patches);

    /// <summary>All parts that the image becomes, from its header alone; throws as <see cref="GridOf"/>.</summary>
    ImageLayout LayoutOf(MediaSource image) => new([GridOf(image)]);

    /// <summary>As <see cref="Load(MediaSource, ImageGrid, Span{float})"/>, for one part of what <see cref="LayoutOf"/> said.</summary>
    void Load(MediaSource image, int part, ImageGrid grid, Span<float> patches) => Load(image, grid, patches);

    /// <summary>The text that stands for an image, with the template's image token once for each part; null for the template's own.</summary>
    /// <param name="number">Images of the conversation before this one.</param>
    string? TextOf(int number, ImageLayout layout) => null;
}
