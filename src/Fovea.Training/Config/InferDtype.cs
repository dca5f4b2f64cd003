namespace Fovea.Training.Config;

/// <summary>Precision of the weights for generation and export (<c>infer_dtype</c>).</summary>
internal enum InferDtype
{
    /// <summary>The checkpoint's own, fp32 read as bf16.</summary>
    Auto,
    Float16,
    Bfloat16,
    Float32,
}
