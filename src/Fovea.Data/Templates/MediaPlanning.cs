using Fovea.Data.Datasets;
using Fovea.Data.Images;

namespace Fovea.Data.Templates;

/// <summary>Plans of the pictures of a conversation.</summary>
internal static class MediaPlanning
{
    /// <summary>What becomes of a picture of a conversation; reads its header.</summary>
    /// <exception cref="BadSampleException">It cannot be used; names the row.</exception>
    public static MediaPlan PlanFor(this IMediaProcessor processor, Conversation conversation, MediaSource image)
    {
        try
        {
            return processor.Plan(image);
        }
        catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException)
        {
            throw BadSampleException.Of(conversation, e is ImageException ? e.Message : $"image {image}: {e.Message}", e);
        }
    }
}
