using System.Runtime.CompilerServices;

namespace Fovea.Tests.Unit.Tensors;

public sealed class LifetimeTests : NativeTest
{
    [Fact]
    public void A_scope_frees_what_was_made_inside_and_nothing_else()
    {
        using var outer = TensorScope.Open("test");
        var kept = CreateOps.Ones([3]);
        var before = Handles.Live;
        using (TensorScope.Open("block"))
        {
            _ = kept.Add(1).Mul(2);
        }

        Assert.Equal(before, Handles.Live);
        Assert.Equal(3, kept.Sum().Item());
    }

    [Fact]
    public void A_released_value_outlives_its_scope()
    {
        using var outer = TensorScope.Open("test");
        Tensor result;
        using (var inner = TensorScope.Open("block"))
        {
            result = inner.Release(CreateOps.Ones([3]).Add(1));
        }

        Assert.Equal(6, result.Sum().Item());
    }

    [Fact]
    public void Use_after_the_scope_is_an_error_that_says_so()
    {
        Tensor escaped;
        using (TensorScope.Open("block"))
        {
            escaped = CreateOps.Ones([3]);
        }

        Assert.Throws<ObjectDisposedException>(() => escaped.Add(1));
    }

    [Fact]
    public void A_forgotten_tensor_is_freed_by_the_finalizer_and_counted()
    {
        var live = Handles.Live;
        var finalized = Handles.Finalized;
        Leak();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(finalized + 1, Handles.Finalized);
        Assert.Equal(live, Handles.Live);
        Handles.ForgiveOne();
    }

    [Fact]
    public void Memory_of_others_is_given_back_when_the_last_view_is_gone()
    {
        var released = 0;
        var memory = System.Runtime.InteropServices.GCHandle.Alloc(new float[] { 1, 2, 3, 4 }, System.Runtime.InteropServices.GCHandleType.Pinned);
        Tensor view;
        using (var scope = TensorScope.Open("test"))
        {
            var whole = CreateOps.FromMemory(memory.AddrOfPinnedObject(), [4], DType.F32, () => released++);
            view = whole.Slice(0, 1, 3).Keep();
        }

        Assert.Equal(0, released);
        Assert.Equal([2f, 3f], view.ToArray<float>());
        view.Dispose();
        Assert.Equal(1, released);
        memory.Free();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Leak() => _ = CreateOps.Ones([3]);
}
