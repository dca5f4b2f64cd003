using Fovea.Tensors;

namespace Fovea.Training.Session;

/// <summary>
/// The kernels whose refusal slows one run. Only when a kernel is called is it known whether the device takes it, and the answer holds for the process:
/// what another run met before is this run's matter only once this run meets it too.
/// </summary>
/// <param name="read">The refusals of this process so far.</param>
internal sealed class RefusalWatch(Func<IReadOnlyList<KernelRefusal>> read)
{
    private readonly Dictionary<(string Kernel, string Case), long> before = read().ToDictionary(Key, refusal => refusal.Times);

    /// <summary>What was refused since the watch began, each once.</summary>
    public IReadOnlyList<KernelFact> News()
    {
        List<KernelRefusal> met = [.. read().Where(refusal => refusal.Times > before.GetValueOrDefault(Key(refusal)))];
        met.ForEach(refusal => before[Key(refusal)] = long.MaxValue);
        return KernelReport.Of(met);
    }

    private static (string Kernel, string Case) Key(KernelRefusal refusal) => (refusal.Kernel, refusal.Case);
}
