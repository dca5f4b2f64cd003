using Fovea.Tensors.Native;

namespace Fovea.Tensors;

/// <summary>
/// The large buffers of tensors in this process's own memory (native/blocks.cpp), in bytes. What is free keeps its pages for the next buffer, as far as
/// that and what is in use are together not more than the most that was ever in use, and a thirty-second (at least 4 MiB).
/// </summary>
/// <param name="Live">In use.</param>
/// <param name="Kept">Free, but not given back to the system.</param>
/// <param name="Peak">The most in use at one time since the start or the last <see cref="Trim"/>.</param>
internal readonly record struct HostBlocks(long Live, long Kept, long Peak)
{
    /// <summary>As it is now.</summary>
    public static HostBlocks Now
    {
        get
        {
            Bridge.EnsureLoaded();
            Bridge.Check(Bridge.BlocksRead(out var live, out var kept, out var peak));
            return new HostBlocks(live, kept, peak);
        }
    }

    /// <summary>Gives all that is free back to the system, for instance after loading took more than training will.</summary>
    public static void Trim()
    {
        Bridge.EnsureLoaded();
        Bridge.Check(Bridge.BlocksTrim());
    }
}
