using Fovea.Files.Pickle;

namespace Fovea.Models;

/// <summary>What a <see cref="ResumeFile"/> has of one weight that learns.</summary>
/// <param name="Value">In the shape of the weight, as are the moments.</param>
/// <param name="Mean">AdamW's first moment; null before the first update.</param>
/// <param name="Variance">AdamW's second moment; null before the first update.</param>
/// <param name="Updates">Updates of this weight.</param>
internal sealed record ResumeWeight(PickledTensor Value, PickledTensor? Mean, PickledTensor? Variance, double Updates);
