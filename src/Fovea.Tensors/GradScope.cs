using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>Restores the thread's grad mode when disposed.</summary>
internal readonly struct GradScope : IDisposable
{
    private readonly int before;

    internal GradScope(bool enabled)
    {
        Bridge.EnsureLoaded();
        before = Bridge.GradMode(enabled ? 1 : 0);
    }

    internal bool WasRecording => before != 0;

    public void Dispose() => _ = Bridge.GradMode(before);
}
