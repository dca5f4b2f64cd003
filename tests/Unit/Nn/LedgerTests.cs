using Fovea.Nn;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Nn;

/// <summary>Building a model names and loads its weights; what a checkpoint has too little or too much of is said by name.</summary>
public sealed class LedgerTests : NativeTest
{
    private const string Begin = "m does not fit the model its config.json describes.";

    [Fact]
    public void A_checkpoint_that_fits_is_complete()
    {
        using var ledger = Build("a.proj.weight", "a.proj.bias", "tied.weight");
        ledger.CheckComplete("m", name => name == "tied.weight");
    }

    [Fact]
    public void What_is_missing_and_what_nobody_asked_for_are_named_with_what_may_have_been_meant()
    {
        using var ledger = Build("a.proj.weight", "old.a.proj.bias");
        Assert.Equal(
            $"{Begin}\n  1 missing: a.proj.bias\n  1 not part of the model: old.a.proj.bias\n  nearest in the files: old.a.proj.bias for a.proj.bias",
            Assert.Throws<CheckpointException>(() => ledger.CheckComplete("m")).Message);
    }

    [Fact]
    public void Eight_names_are_shown_and_the_number_of_all()
    {
        using var ledger = Build(["a.proj.weight", "a.proj.bias", .. Enumerable.Range(0, 10).Select(i => $"x{i}")]);
        Assert.Equal(
            $"{Begin}\n  10 not part of the model: x0, x1, x2, x3, x4, x5, x6, x7, ...",
            Assert.Throws<CheckpointException>(() => ledger.CheckComplete("m")).Message);
    }

    [Fact]
    public void A_source_that_names_nothing_is_helped_by_what_the_files_hold()
    {
        using var ledger = Build();
        Assert.Equal(
            $"{Begin}\n  2 missing: a.proj.weight, a.proj.bias\n  nearest in the files: b.proj.weight for a.proj.weight"
                + "\n  2 names in the files that nothing asks for: b.proj.weight, c",
            Assert.Throws<CheckpointException>(() => ledger.CheckComplete("m", held: ["b.proj.weight", "c"])).Message);
    }

    [Fact]
    public void A_weight_of_another_shape_is_refused_by_name()
    {
        using var ledger = new Ledger(new Source("a.proj.weight"), new LedgerOptions());
        var e = Assert.Throws<CheckpointException>(() => (ledger.Root / "a" / "proj").Take("weight", 3, 2));
        Assert.Equal("a.proj.weight: the model expects [3, 2], the checkpoint has [2, 2]", e.Message);
    }

    [Fact]
    public void Adapters_are_found_by_name_while_they_are_attached()
    {
        using var ledger = Build("a.proj.weight", "a.proj.bias");
        var linear = Assert.Single(Adapters.Attach(ledger, new LoraOptions { Rank = 1 }, _ => true));
        Assert.Same(linear.Lora!.A, ledger["a.proj.lora_A.weight"]);
        Assert.Equal((false, true), (ledger["a.proj.weight"].IsAdapter, ledger["a.proj.lora_B.weight"].IsAdapter));
        Adapters.Merge(ledger);
        Assert.False(ledger.Contains("a.proj.lora_A.weight"));
        ledger.CheckComplete("m");
    }

    /// <summary>A linear of two inputs and outputs over a checkpoint with these names.</summary>
    private static Ledger Build(params string[] names)
    {
        var ledger = new Ledger(new Source(names), new LedgerOptions());
        _ = new Linear(ledger.Root / "a" / "proj", 2, 2);
        return ledger;
    }

    private sealed class Source(params string[] names) : IWeightSource
    {
        public IReadOnlyCollection<string> Names => names;

        public bool Has(string name) => names.Contains(name);

        public Tensor Read(string name, long[] shape) => CreateOps.Ones(name.EndsWith("bias", StringComparison.Ordinal) ? [2] : [2, 2]);
    }
}
