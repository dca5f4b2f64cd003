namespace Fovea.Tests.Unit.Tensors;

public sealed class DoorTests : NativeTest
{
    private static readonly Operator Add = new("aten::add", "Tensor");
    private static readonly Operator Index = new("aten::index", "Tensor");
    private static readonly Operator Div = new("aten::div", "Tensor_mode");
    private static readonly Operator Empty = new("aten::empty", "memory_format");

    [Fact]
    public void Defaults_are_filled_and_a_scalar_may_be_given_as_an_integer()
    {
        using var scope = TensorScope.Open("test");
        var x = CreateOps.From([1f, 2f], 2);
        Assert.Equal([2f, 4f], Add.Call(x, x).ToArray<float>());
        Assert.Equal([4f, 8f], Add.Call(x, x, 3).ToArray<float>());
    }

    [Fact]
    public void Strings_lists_and_absent_entries_cross()
    {
        using var scope = TensorScope.Open("test");
        var x = CreateOps.From([7f, -7f], 2);
        Assert.Equal([3f, -4f], Div.Call(x, CreateOps.From([2f, 2f], 2), "floor").ToArray<float>());
        var table = CreateOps.Arange(0, 6, dtype: DType.F32).View(2, 3);
        Assert.Equal([2f, 0f, 5f, 3f], Index.Call(table, Arg.Optional([null, CreateOps.From([2L, 0L], 2)])).ToArray<float>());
    }

    [Fact]
    public void Meta_tensors_have_shapes_and_no_memory()
    {
        using var scope = TensorScope.Open("test");
        var x = Empty.Call((long[])[1L << 20, 1L << 20], DType.BF16, Arg.None, Device.Meta);
        Assert.Equal(1L << 40, x.Count);
        Assert.Equal(DType.BF16, x.DType);
        Assert.Equal(0, x.StorageId);
    }

    [Fact]
    public void A_wrong_argument_type_is_refused_with_every_argument_described()
    {
        using var scope = TensorScope.Open("test");
        var x = CreateOps.Zeros([2, 3]);
        var e = Assert.Throws<TorchException>(() => Add.Call(x, "no tensor"));
        Assert.Contains("aten::add.Tensor", e.Message);
        Assert.Contains("F32 [2, 3] on cpu", e.Message);
    }

    [Fact]
    public void A_surplus_argument_is_refused()
    {
        using var scope = TensorScope.Open("test");
        var x = CreateOps.Zeros([2, 3]);
        Assert.Throws<TorchException>(() => Add.Call(x, x, 1, 1));
    }

    [Fact]
    public void Mismatched_shapes_name_both_shapes()
    {
        using var scope = TensorScope.Open("test");
        var e = Assert.Throws<TorchException>(() => CreateOps.Zeros([2, 3]).MatMul(CreateOps.Zeros([2, 3])));
        Assert.Contains("[2, 3]", e.Message);
        Assert.Contains("aten::matmul", e.Message);
    }

    [Fact]
    public void An_unknown_operator_is_named()
    {
        var e = Assert.Throws<TorchException>(() => new Operator("aten::no_such_thing").Handle);
        Assert.Contains("aten::no_such_thing", e.Message);
    }
}
