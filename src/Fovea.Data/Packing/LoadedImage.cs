namespace Fovea.Data.Packing;

/// <summary>An image of a sample: its patches in a rented array, or a ticket for its features, or both when the features are to be kept.</summary>
internal sealed record LoadedImage(float[]? Pixels, FeatureTicket? Ticket);
