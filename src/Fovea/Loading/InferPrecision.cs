using Fovea.Training.Config;

namespace Fovea.Loading;

/// <summary>The element type of answering as configurations write it, and as the library's options do.</summary>
internal static class InferPrecision
{
    /// <returns>Null for the checkpoint's own.</returns>
    public static Precision? Of(InferDtype? dtype) => dtype switch
    {
        InferDtype.Float32 => Precision.Fp32,
        InferDtype.Bfloat16 => Precision.Bf16,
        InferDtype.Float16 => Precision.Fp16,
        _ => null,
    };

    /// <exception cref="ConfigException">It is for training alone.</exception>
    public static InferDtype Dtype(Precision? precision) => precision switch
    {
        null => InferDtype.Auto,
        Precision.Fp32 => InferDtype.Float32,
        Precision.Bf16 => InferDtype.Bfloat16,
        Precision.Fp16 => InferDtype.Float16,
        _ => throw new ConfigException($"Precision.{precision} is for training: use Fp32, Bf16 or Fp16"),
    };
}
