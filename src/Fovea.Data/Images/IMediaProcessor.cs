namespace Fovea.Data.Images;

/// <summary>A model family's way from pictures to patches. Must be usable from several threads at once.</summary>
internal interface IMediaProcessor
{
    /// <summary>Values of one patch.</summary>
    int PatchLength { get; }

    /// <summary>Everything but the picture that decides the values of the patches: settings of every resize and of the normalisation, as text.</summary>
    string Identity { get; }

    /// <summary>What becomes of a picture, from its header alone. Throws a <see cref="FoveaException"/> that says what is wrong with it.</summary>
    MediaPlan Plan(MediaHeader header);

    /// <summary>
    /// Decodes a picture once and writes all its parts, each [grid.Patches, <see cref="PatchLength"/>]. Throws as <see cref="Plan"/> does, also where the
    /// picture turns out to be of another size than <paramref name="plan"/> says.
    /// </summary>
    /// <param name="plan">What <see cref="Plan"/> said of its header.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="parts">Where each part goes; one that is empty is not wanted.</param>
    void Process(MediaPlan plan, MediaContent content, ReadOnlySpan<Memory<float>> parts);
}
