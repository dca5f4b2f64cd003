namespace Fovea.Tensors;

/// <summary>The kernels that multiply matrices on the CPU, one for each element type and all threads of the process. On a GPU they have no say.</summary>
internal static class ProductKernels
{
    private static readonly Operator ChosenOp = new("fovea::product_kernel");
    private static readonly Operator FitsOp = new("fovea::product_kernel_fits");
    private static readonly Operator ChooseOp = new("fovea::choose_product_kernel");
    private static readonly Operator SecondsOp = new("fovea::product_seconds");
    private static readonly Operator PeakOp = new("fovea::product_peak");

    /// <summary>The kernel in use for fp32, bf16 or fp16.</summary>
    public static ProductKernel Of(DType type) => (ProductKernel)(int)ChosenOp.Number(type);

    /// <summary>Whether this processor and element type have the kernel.</summary>
    public static bool Fit(DType type, ProductKernel kernel) => FitsOp.Number(type, (int)kernel) != 0;

    /// <summary>Uses it from now on, in the whole process.</summary>
    /// <exception cref="TorchException">It does not <see cref="Fit"/>.</exception>
    public static void Choose(DType type, ProductKernel kernel) => ChooseOp.Run(type, (int)kernel);

    /// <summary>Seconds of the fastest of several products after one that is not counted.</summary>
    /// <param name="rows">Rows of x, for instance tokens.</param>
    /// <param name="inner">Columns of x.</param>
    /// <param name="columns">Outputs of the layer.</param>
    public static double Seconds(DType type, ProductKernel kernel, int rows, int inner, int columns, ProductForm form, int times) =>
        SecondsOp.Number(type, (int)kernel, rows, inner, columns, (int)form, times);

    /// <summary>Operations a second that all threads reach in registers alone, a multiplication and an addition counted as two.</summary>
    /// <param name="pairs">Of bf16 pairs instead of fp32; 0 where the processor has none.</param>
    public static double Peak(bool pairs) => PeakOp.Number(pairs);
}
