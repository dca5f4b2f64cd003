using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Fovea.Training.Planning;

namespace Fovea.Tests.Unit.Tensors;

/// <summary>Large buffers of tensors: free ones serve again, whatever their sizes, and the process never holds much more than was in use.</summary>
public sealed class HostBlocksTests : NativeTest
{
    private const long Megabyte = 1 << 20;

    [Fact]
    public void A_freed_buffer_serves_again_with_its_pages()
    {
        using var scope = TensorScope.Open("test");
        HostBlocks.Trim();
        var before = HostBlocks.Now;
        Fill(32).Dispose();
        Assert.InRange(HostBlocks.Now.Kept - before.Kept, 32 * Megabyte, 33 * Megabyte);
        using var next = Fill(30);
        Assert.InRange(HostBlocks.Now.Live - before.Live, 30 * Megabyte, 31 * Megabyte);
        Assert.InRange(HostBlocks.Now.Kept - before.Kept, Megabyte, 3 * Megabyte);
    }

    [Fact]
    public void Free_neighbours_join()
    {
        using var scope = TensorScope.Open("test");
        HostBlocks.Trim();
        var before = HostBlocks.Now;
        // More than the large one needs: after other tests the first few may come from holes elsewhere.
        var small = Enumerable.Range(0, 32).Select(_ => Fill(4)).ToArray();
        foreach (var tensor in small)
        {
            tensor.Dispose();
        }

        var kept = HostBlocks.Now.Kept;
        using var large = Fill(60);
        Assert.InRange(kept - HostBlocks.Now.Kept, 60 * Megabyte, 61 * Megabyte);
        Assert.InRange(HostBlocks.Now.Kept - before.Kept, 68 * Megabyte, 70 * Megabyte);
    }

    [Fact]
    [Trait("Category", "Long")]
    public void Sizes_that_change_all_the_time_take_no_more_memory_than_was_in_use_at_one_time()
    {
        using var scope = TensorScope.Open("test");
        HostBlocks.Trim();
        var (start, random) = (ProcessMemory.Anonymous, new Random(7));
        var live = HostBlocks.Now.Live;
        var held = new List<Tensor>();
        var most = 0L;
        for (var i = 0; i < 3000; i++)
        {
            // Up to 400 MB, from 0.3 to 12 MB each.
            while (HostBlocks.Now.Live - live > 400 * Megabyte)
            {
                var at = random.Next(held.Count);
                held[at].Dispose();
                held.RemoveAt(at);
            }

            held.Add(Fill(0.3 + (random.NextDouble() * random.NextDouble() * 12), i));
            most = Math.Max(most, ProcessMemory.Anonymous);
            if (i % 500 == 0)
            {
                // What is in use holds what was put there.
                using var views = TensorScope.Open("block");
                Assert.All(held, tensor => Assert.Equal(tensor.Select(0, 0).Item(), tensor.Select(0, tensor.Count - 1).Item()));
            }
        }

        var peak = HostBlocks.Now.Peak - live;
        Assert.InRange(peak, 400 * Megabyte, 415 * Megabyte);

        // Free ones (a thirty-second), huge pages at their ends, and what else the process does.
        Assert.InRange(most - start, 350 * Megabyte, peak + (80 * Megabyte));
        held.ForEach(tensor => tensor.Dispose());
        HostBlocks.Trim();
        Assert.InRange(ProcessMemory.Anonymous - start, -100 * Megabyte, 80 * Megabyte);
        Assert.Equal(0, HostBlocks.Now.Kept);
    }

    [Fact]
    public void Small_tensors_are_not_counted_and_large_ones_are_aligned()
    {
        using var scope = TensorScope.Open("test");
        var before = HostBlocks.Now.Live;
        using var small = CreateOps.Ones([1000]);
        Assert.Equal(before, HostBlocks.Now.Live);
        foreach (var _ in Enumerable.Range(0, 5))
        {
            Assert.Equal(0, Address(Fill(1)) % 64);
        }
    }

    private static unsafe long Address(Tensor tensor) => (long)Unsafe.AsPointer(ref MemoryMarshal.GetReference(tensor.Elements<float>()));

    private static Tensor Fill(double megabytes, double value = 1) => CreateOps.Full([(long)(megabytes * Megabyte / 4)], value, DType.F32);
}
